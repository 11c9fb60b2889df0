//! `datagenie-bench`: how long an idle system takes from a question to its stored answer, and what it costs while it does nothing.
//!
//! Starts a private system from built programs, with a model stub that answers at once; prints a table and writes a JSON file.
//! Build the programs with `cargo build --profile dist --workspace --bins`, then run `target/dist/datagenie-bench --bin-dir target/dist`.
//! Machines are shared: compare figures of one run with each other (the single commit is measured beside the question for that).

mod measure;

use std::path::PathBuf;

use clap::Parser;
use datagenie_local::{System, SystemOptions, net, with_servers::TempFolder};
use datagenie_tests::{Answer, ModelStub};
use serde_json::json;

#[derive(Parser)]
#[command(name = "datagenie-bench", version, about)]
struct Cli {
    /// The folder of the programs to measure.
    #[arg(long)]
    bin_dir: PathBuf,
    /// Questions of the latency measurement.
    #[arg(long, default_value_t = 300)]
    questions: usize,
    /// Seconds of the idle measurement.
    #[arg(long, default_value_t = 60)]
    idle_seconds: u64,
    /// Where the figures go.
    #[arg(long, default_value = "bench.json")]
    out: PathBuf,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a benchmark's table is its output")]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    datagenie_tests::install_tls();
    let stub = ModelStub::start().await;
    stub.say(Answer::Sql("SELECT count(*) AS n FROM customers WHERE id <= 100"));
    let folder = TempFolder::new("bench")?;
    let mut options = SystemOptions::new(&cli.bin_dir, folder.path().join("data"), net::free_port()?);
    options.sample = true;
    options.env.push(("DATAGENIE_LLM__BASE_URL".to_owned(), stub.base_url()));
    let system = System::start(options).await?;
    let run = system.run_file();

    let latency = measure::latency(&run, cli.questions).await?;
    let commit = measure::single_commit(&run, cli.questions).await?;
    let idle = measure::idle(&system, cli.idle_seconds).await?;
    println!("{:<44} {:>10}", "measure", "value");
    println!("{:<44} {:>10.2}", "idle, submit to done, p50 ms", latency.p50);
    println!("{:<44} {:>10.2}", "idle, submit to done, p99 ms", latency.p99);
    println!("{:<44} {:>10.2}", "one INSERT in a commit, p50 ms", commit.p50);
    println!("{:<44} {:>10.1}", "ratio of the two medians", latency.p50 / commit.p50);
    for process in &idle.processes {
        println!("{:<44} {:>10.1}", format!("{}: resident set, MB", process.name), process.rss_mb);
        println!("{:<44} {:>10.1}", format!("{}: proportional set, MB", process.name), process.pss_mb);
        println!("{:<44} {:>10.2}", format!("{}: CPU while idle, % of a core", process.name), process.cpu_percent);
    }
    println!("{:<44} {:>10.2}", "all programs: CPU while idle, % of a core", idle.cpu_percent);
    let figures = json!({ "latency_ms": latency, "single_commit_ms": commit, "idle": idle, "questions": cli.questions });
    std::fs::write(&cli.out, serde_json::to_vec_pretty(&figures)?)?;
    system.stop().await?;
    Ok(())
}
