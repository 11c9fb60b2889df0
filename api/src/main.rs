//! `datagenie-api`: serves the HTTP api, and keeps its database.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use datagenie_common::{
    boot,
    crypto::{passwords, sealing},
    lifecycle::{self, Shutdown},
    settings::{Settings, Sources, render},
    store::{self, migrations, users},
    telemetry,
};
use secrecy::SecretString;

/// How long requests under way may take when the process stops.
const GRACE: Duration = Duration::from_secs(20);

#[derive(Parser)]
#[command(name = "datagenie-api", version, about = "The HTTP api of DataGenie, and the keeper of its database", after_long_help = render::help())]
struct Cli {
    /// A TOML file with settings; DATAGENIE_CONFIG names one too.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the api (the default).
    Serve,
    /// Bring the database's schema up to this program's; `--down N` takes it back to migration N, with the data that goes.
    Migrate {
        /// The migration to go back to; 0: to nothing.
        #[arg(long)]
        down: Option<i64>,
    },
    /// Print a new sealing key, for DATAGENIE_SEALING__KEY.
    Keygen,
    /// Print a settings file with every key, its meaning and its default.
    DefaultConfig,
    /// Print the OpenAPI document.
    Openapi,
    /// Make the administrator, or give an existing user of this name admin rights and the password of DATAGENIE_ADMIN_PASSWORD.
    CreateAdmin {
        /// The name to sign in with.
        #[arg(long)]
        username: String,
        /// His address.
        #[arg(long)]
        email: String,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ran = lifecycle::runtime().map_err(Into::into).and_then(|runtime| runtime.block_on(run(cli)));
    telemetry::flush();
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The one line that an operator sees; its causes follow, none of them holds a secret.
            let _ = writeln!(std::io::stderr(), "datagenie-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let sources = || Sources::from_process(cli.config.as_deref());
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(cli.config.as_deref()).await,
        Command::Migrate { down } => {
            let settings = Settings::load(&sources()?)?;
            match down {
                Some(target) => migrations::down(settings.database.url.expose(), target).await?,
                None => migrations::up(settings.database.url.expose()).await?,
            }
            Ok(())
        }
        Command::Keygen => print(&sealing::generate_key()),
        Command::DefaultConfig => print(&render::default_file()),
        Command::Openapi => print(&datagenie_api::router::document().to_pretty_json()?),
        Command::CreateAdmin { username, email } => create_admin(&Settings::load(&sources()?)?, &username, &email).await,
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

async fn serve(config: Option<&Path>) -> anyhow::Result<()> {
    let settings = boot::settings(config, "datagenie-api").await?;
    let instance = boot::instance("api");
    telemetry::init(&settings.log, "api", &instance)?;
    let listener = datagenie_api::start::listen(&settings).await?;
    let shutdown = Shutdown::new(GRACE);
    shutdown.listen()?;
    let app = datagenie_api::start::environment(settings, &instance, &shutdown).await?;
    datagenie_api::start::serve(app, listener, shutdown).await
}

async fn create_admin(settings: &Settings, username: &str, email: &str) -> anyhow::Result<()> {
    let password =
        std::env::var("DATAGENIE_ADMIN_PASSWORD").map_err(|_| anyhow::anyhow!("DATAGENIE_ADMIN_PASSWORD must hold the password"))?;
    anyhow::ensure!((8..=256).contains(&password.chars().count()), "DATAGENIE_ADMIN_PASSWORD must have 8 to 256 characters");
    let hash = passwords::hash_blocking(SecretString::from(password)).await?;
    let pool = store::connect(settings.database.url.expose(), 1, "datagenie-api")?;
    migrations::check(&pool).await?;
    let mut conn = pool.acquire().await?;
    users::put_admin(&mut conn, username, email, &hash).await?;
    Ok(())
}
