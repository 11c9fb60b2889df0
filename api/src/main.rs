//! `datagenie-api`: serves the HTTP api, and keeps its database.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use datagenie_api::auth::first_admin;
use datagenie_api::rotate_keys;
use datagenie_common::{
    boot,
    cache::{Cache, CacheKey},
    crypto::{password_policy, passwords, sealing},
    lifecycle::{self, Shutdown},
    live_settings,
    model::usernames,
    settings::{Settings, Sources, render},
    store::{self, migrations, system_settings},
    telemetry,
};
use secrecy::SecretString;
use sqlx::PgPool;

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
    /// Put everything that is sealed under the first key of DATAGENIE_SEALING__KEY, while the service runs; a run that was killed is gone
    /// on with by the next one. Fails where something is left under another key, or does not open.
    RotateKeys {
        /// Only look what is left to do, and whether all of it opens.
        #[arg(long)]
        check: bool,
    },
    /// Print a settings file with every key, its meaning and its default.
    DefaultConfig,
    /// Print the tables of docs/settings.md: every setting, who uses it, and whether a change needs a restart.
    SettingsTable,
    /// Print the OpenAPI document.
    Openapi,
    /// Make an administrator, or give an existing user of this name admin rights, with the password of DATAGENIE_ADMIN_PASSWORD. Without
    /// that one is generated, shown once, and must be changed.
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
    let ran = lifecycle::run(run(cli)).map_err(anyhow::Error::from).flatten();
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
        Command::RotateKeys { check } => rotate_keys(cli.config.as_deref(), check).await,
        Command::DefaultConfig => print(&render::default_file()),
        Command::SettingsTable => print(render::markdown().trim()),
        Command::Openapi => print(&serde_json::to_string_pretty(&datagenie_api::router::document())?),
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
    telemetry::init(&settings.log, &settings.traces, "api", &instance)?;
    let listener = datagenie_api::start::listen(&settings).await?;
    let shutdown = Shutdown::new(GRACE);
    shutdown.listen()?;
    let app = datagenie_api::start::environment(settings, &instance, &shutdown).await?;
    datagenie_api::start::serve(app, listener, shutdown).await
}

async fn create_admin(settings: &Settings, username: &str, email: &str) -> anyhow::Result<()> {
    let username = usernames::check(username).map_err(|problem| anyhow::anyhow!("--username {problem}"))?;
    // Chosen by who calls, and known to nobody else: it need not be changed.
    let chosen = std::env::var("DATAGENIE_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
    let pool = store::connect(settings.database.url.expose(), 1, "datagenie-api")?;
    migrations::check(&pool).await?;
    if let Some(password) = &chosen {
        password_policy::check(password, &[&username, email], password_min_length(settings, &pool).await?)
            .map_err(|weakness| anyhow::anyhow!("DATAGENIE_ADMIN_PASSWORD {weakness}"))?;
    }
    let password = chosen.clone().map_or_else(passwords::generate, SecretString::from);
    let mut tx = pool.begin().await?;
    let ended = first_admin::put(&mut tx, &username, email, password.clone(), chosen.is_none()).await?;
    tx.commit().await?;
    // Refused they are without that: no entry is trusted for longer than a second.
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    for session in ended {
        cache.delete(&CacheKey::Session { session }).await;
    }
    if chosen.is_none() {
        first_admin::show(&username, &password)?;
    }
    Ok(())
}

/// The one that is stored, if there is one: this command is no process that looks for it.
async fn password_min_length(settings: &Settings, pool: &PgPool) -> anyhow::Result<usize> {
    let (stored, _unusable) = live_settings::usable(&system_settings::all(pool).await?, &settings.sealing.keyring()?);
    Ok(Settings::load(&settings.loaded.sources().clone().with_stored(stored))?.auth.password_min_length)
}

async fn rotate_keys(config: Option<&Path>, check_only: bool) -> anyhow::Result<()> {
    let settings = boot::settings(config, "datagenie-api").await?;
    let keyring = settings.sealing.keyring()?;
    let pool = store::connect(settings.database.url.expose(), 2, "datagenie-rotate-keys")?;
    let report = if check_only {
        rotate_keys::check(&pool, &keyring).await?
    } else {
        rotate_keys::rotate(&pool, &keyring, |progress| {
            // Whoever reads it may go away: the rotation goes on.
            let _ = print(&format!("{} of {} sealed again", progress.done, progress.of));
        })
        .await?
    };
    for broken in &report.broken {
        print(&format!("does not open: {broken}"))?;
    }
    for (place, count) in &report.resealed {
        print(&format!("{place}: {count} sealed again"))?;
    }
    let first = keyring.key_ids().first().map_or_else(String::new, |&id| id.to_owned());
    anyhow::ensure!(
        report.is_complete(),
        "{} values are not under key `{first}`, {} do not open; a program that still has another key in front goes on sealing with that one",
        report.left,
        report.broken.len()
    );
    print(&format!("everything is sealed with key `{first}`"))
}
