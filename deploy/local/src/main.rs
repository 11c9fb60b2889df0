//! `datagenie-local`: the demo, and servers for a test run. `deploy/demo.sh` and `deploy/test.sh` build and call it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use datagenie_local::demo::{self, DemoArgs};
use datagenie_local::error::chain;
use datagenie_local::signals::Signals;
use datagenie_local::with_servers::{self, Extras};
use datagenie_local::{databases, notes};

/// DataGenie on one machine
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring everything up with sample data and show a tour of real questions
    Demo(DemoArgs),
    /// Run a command beside private servers for tests: PostgreSQL, and RabbitMQ, MariaDB and an S3 if asked
    WithServers {
        #[command(flatten)]
        extras: Extras,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Make a database on a server, apply migrations, print its URL
    CreateDatabase {
        /// Its name: small letters, digits and _
        name: String,
        /// URL of any database of the server, for a user who may make databases
        #[arg(long, env = "DATAGENIE_TEST_POSTGRES_URL", hide_env_values = true)]
        server: String,
        /// Folder of migrations to apply
        #[arg(long, value_name = "DIR")]
        migrations: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            notes::note(&format!("error: {}", chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<u8> {
    let mut signals = Signals::new().context("listening to signals")?;
    let bin_dir = std::env::current_exe()
        .context("finding this program's folder")?
        .parent()
        .map(std::path::Path::to_path_buf)
        .context("this program lies in no folder")?;
    match cli.command {
        Command::Demo(args) => Ok(Box::pin(demo::run(&args, bin_dir, &mut signals)).await?),
        Command::WithServers { extras, command } => Ok(Box::pin(with_servers::run(&command, extras, &bin_dir, &mut signals)).await?),
        Command::CreateDatabase { name, server, migrations } => {
            let url = Box::pin(databases::make(&server, &name, migrations.as_deref())).await?;
            writeln!(std::io::stdout(), "{url}").context("printing the URL")?;
            Ok(0)
        }
    }
}
