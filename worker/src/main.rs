//! `datagenie-worker`: takes jobs and runs them.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use datagenie_common::{
    boot,
    lifecycle::{self, Shutdown},
    settings::render,
    telemetry,
};
use datagenie_worker::workbooks::child::{self, ReadWorkbook};

#[derive(Parser)]
#[command(name = "datagenie-worker", version, about = "A worker of DataGenie: takes jobs, runs them, commits what came of them", after_long_help = render::help())]
struct Cli {
    /// A TOML file with settings; DATAGENIE_CONFIG names one too.
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// What a worker starts to have a workbook read.
    #[command(hide = true)]
    ReadWorkbook(ReadWorkbook),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before there is anything that a workbook could do harm to: settings, connections, threads.
    if let Some(Command::ReadWorkbook(args)) = &cli.command {
        return child::main(args);
    }
    let ran = lifecycle::run(run(cli)).map_err(anyhow::Error::from).flatten();
    telemetry::flush();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "datagenie-worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    // Before any client is made: every TLS of the process is ring's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = boot::settings(cli.config.as_deref(), "datagenie-worker").await?;
    let instance = boot::instance("worker");
    telemetry::init(&settings.log, &settings.traces, "worker", &instance)?;
    telemetry::metrics::install()?;
    let shutdown = Shutdown::new(settings.worker.grace());
    shutdown.listen()?;
    let env = datagenie_worker::start::environment(settings, instance)?;
    // A task, since it has much to do.
    lifecycle::spawn_within(datagenie_worker::start::serve(env, shutdown)).await?
}
