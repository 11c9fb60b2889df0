//! `datagenie-bench`: what the whole system can do and what it costs, as a table and a JSON file; and a soak under faults.
//!
//! Both start private servers and built programs, with a model stub in this process. And how long the guard takes, which needs neither.
//! See README.md beside this file.

mod backlog;
mod batches;
mod bystanders;
mod end_to_end;
mod fleet;
mod guard;
mod http1;
mod idle;
mod intake;
mod ledger;
mod load;
mod model;
mod neighbour;
mod percentiles;
mod proc;
mod run;
mod soak;
mod sockets;
mod table;
mod workbooks;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

#[derive(Parser)]
#[command(name = "datagenie-bench", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures throughput, latency, CPU and memory; prints a table and writes a JSON file.
    Run(Box<run::Options>),
    /// Keeps asking while programs and servers are killed, and counts that nothing was lost or done twice.
    Soak(Box<soak::Options>),
    /// Times the guard on a typical query and on one of 64 KiB, in every dialect, in this process.
    Guard(guard::Options),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    datagenie_tests::install_tls();
    raise_file_limit();
    match cli.command {
        // One thread: the load generator shares the machine with what it measures.
        Command::Run(options) => Builder::new_current_thread().enable_all().build()?.block_on(run::run(*options)),
        Command::Soak(options) => {
            let report = Builder::new_multi_thread().enable_all().build()?.block_on(soak::run(*options))?;
            table::print(&report.to_string());
            table::print(&serde_json::to_string_pretty(&report)?);
            Ok(())
        }
        Command::Guard(options) => guard::run(&options),
    }
}

/// Thousands of sockets need as many open files, here and in the api, which inherits the limit.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // A limit that cannot be raised shows itself when the sockets are opened.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
