//! `datagenie-scheduler`: keeps time for the others.

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use datagenie_common::{
    boot,
    lifecycle::{self, Shutdown},
    settings::render,
    telemetry,
};

#[derive(Parser)]
#[command(name = "datagenie-scheduler", version, about = "The scheduler of DataGenie: rings again, rescues, keeps the tables", after_long_help = render::help())]
struct Cli {
    /// A TOML file with settings; DATAGENIE_CONFIG names one too.
    #[arg(long)]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ran = lifecycle::run(run(cli)).map_err(anyhow::Error::from).flatten();
    telemetry::flush();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "datagenie-scheduler: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let settings = boot::settings(cli.config.as_deref(), "datagenie-scheduler").await?;
    let instance = boot::instance("scheduler");
    telemetry::init(&settings.log, &settings.traces, "scheduler", &instance)?;
    telemetry::metrics::install()?;
    let shutdown = Shutdown::new(Duration::from_secs(5));
    shutdown.listen()?;
    let scheduler = datagenie_scheduler::start::environment(settings, instance)?;
    datagenie_scheduler::start::serve(scheduler, shutdown).await
}
