//! `datagenie-scheduler`: keeps time for the others.

use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use datagenie_common::{
    crypto::Keyring,
    lifecycle::Shutdown,
    settings::{Settings, Sources, render},
    store::{self, migrations, system_settings},
    telemetry,
};
use secrecy::ExposeSecret;

#[derive(Parser)]
#[command(name = "datagenie-scheduler", version, about = "The scheduler of DataGenie: rings again, rescues, keeps the tables", after_long_help = render::help())]
struct Cli {
    /// A TOML file with settings; DATAGENIE_CONFIG names one too.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "datagenie-scheduler: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let sources = Sources::from_process(cli.config.as_deref())?;
    let settings = Settings::load(&sources)?;
    Keyring::from_setting(settings.sealing.key.expose_secret())?;
    let pool = store::connect(settings.database.url.expose(), 1, "datagenie-scheduler")?;
    migrations::check(&pool).await?;
    let stored = system_settings::all(&pool).await?;
    pool.close().await;
    let settings = Settings::load(&sources.with_stored(stored))?;
    let instance = format!("scheduler-{}-{}", std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8]);
    telemetry::init(&settings.log, "scheduler", &instance)?;
    telemetry::metrics::install()?;
    let shutdown = Shutdown::new(Duration::from_secs(5));
    shutdown.listen()?;
    let scheduler = datagenie_scheduler::start::environment(settings, instance)?;
    datagenie_scheduler::start::serve(scheduler, shutdown).await
}
