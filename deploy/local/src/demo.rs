//! The demo: everything up, a tour of questions, and up it stays until Ctrl-C.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::error::{LocalError, chain};
use crate::notes::note;
use crate::signals::Signals;
use crate::system::System;
use crate::system::options::{BrokerKind, SystemOptions};
use crate::system::programs::built;

/// The options of the demo.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Show the tour, compare its answers with right ones, stop; exit 0 only if all were right
    #[arg(long, conflicts_with = "serve")]
    once: bool,
    /// Bring everything up without the tour, and stay
    #[arg(long)]
    serve: bool,
    /// Port of the API on 127.0.0.1
    #[arg(long, env = "DATAGENIE_API__PORT", default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Folder for data, logs and run.json
    #[arg(long, value_name = "DIR", env = "DATAGENIE_LOCAL_DATA", default_value = ".datagenie")]
    data: PathBuf,
    /// Which broker carries the jobs' ids
    #[arg(long, value_enum, default_value_t = BrokerKind::Redis)]
    broker: BrokerKind,
    /// Start a private MariaDB too and register the sample shop in it as shop_mysql
    #[arg(long)]
    mysql: bool,
    /// Number of worker processes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// Number of scheduler processes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    schedulers: u16,
    /// Leave the data, and use them again next time
    #[arg(long)]
    keep: bool,
}

impl DemoArgs {
    fn system_options(&self, bin_dir: PathBuf) -> SystemOptions {
        let variables = std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        SystemOptions {
            broker: self.broker,
            workers: usize::from(self.workers),
            schedulers: usize::from(self.schedulers),
            keep: self.keep,
            sample: true,
            mysql: self.mysql,
            ..SystemOptions::new(bin_dir, &self.data, self.port).with_environment(variables)
        }
    }
}

/// Runs the demo and gives its exit code.
///
/// # Errors
/// What kept the system from coming up, or from going away clean.
pub async fn run(args: &DemoArgs, bin_dir: PathBuf, signals: &mut Signals) -> Result<u8, LocalError> {
    let guide = if args.serve { None } else { Some(built(&bin_dir, "datagenie")?) };
    let options = args.system_options(bin_dir);
    note("Starting servers, programs and the sample shop …");
    let system = tokio::select! {
        started = System::start(options) => started?,
        // Dropping the half-built system stops what is there of it.
        ending = signals.next() => return Ok(ending.exit_code()),
    };
    say_ready(&system.run_file().url);
    let code = match guide {
        Some(guide) => match tour(&system, guide, args.once, signals).await {
            Ok(Shown::Ended(code)) if args.once => Ok(code),
            Ok(Shown::Ended(code)) => {
                if code != 0 {
                    note(&format!("The tour ended with exit code {code}."));
                }
                stay(&system, signals).await;
                Ok(0)
            }
            Ok(Shown::Stopped(code)) => Ok(code),
            Err(error) => Err(error),
        },
        None => {
            stay(&system, signals).await;
            Ok(0)
        }
    };
    stop(system, signals).await?;
    code
}

/// The line that scripts wait for; a closed pipe is no reason to stop.
fn say_ready(url: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "ready {url}"));
    drop(out.flush());
}

enum Shown {
    /// The tour came to its end, with this exit code.
    Ended(u8),
    /// Somebody ended the demo meanwhile.
    Stopped(u8),
}

async fn tour(system: &System, guide: PathBuf, check: bool, signals: &mut Signals) -> Result<Shown, LocalError> {
    let mut command = tokio::process::Command::new(guide);
    command.arg("tour").arg("--run-json").arg(system.run_path()).arg("--out").arg(system.data().join("tour"));
    if check {
        command.arg("--check");
    }
    let failed = |source| LocalError::Spawn { program: "datagenie tour".to_owned(), source };
    let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
    tokio::select! {
        status = child.wait() => {
            let code = status.map_err(failed)?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            Ok(Shown::Ended(code))
        }
        ending = signals.next() => Ok(Shown::Stopped(ending.exit_code())),
    }
}

async fn stay(system: &System, signals: &mut Signals) {
    let run = system.run_file();
    let data = system.data().display();
    note(&format!("\nDataGenie is up at {0} (documentation: {0}/docs).", run.url));
    note(&format!("Passwords, keys and addresses: {data}/run.json; logs: {data}/logs. Ctrl-C stops everything."));
    signals.next().await;
}

async fn stop(system: System, signals: &mut Signals) -> Result<(), LocalError> {
    let kept = system.keeps_data().then(|| system.data().to_path_buf());
    note("Stopping … (Ctrl-C once more kills everything at once)");
    let stopped = tokio::select! {
        stopped = system.stop() => stopped,
        // Dropping the system kills what is left of it.
        _ = signals.next() => Err(LocalError::Refused("killed before everything was stopped in order".to_owned())),
    };
    match (&stopped, kept) {
        (Err(error), _) => note(&chain(error)),
        (Ok(()), Some(data)) => note(&format!("Stopped; the data are in {}.", data.display())),
        (Ok(()), None) => note("Stopped; the data are removed."),
    }
    stopped
}
