//! Running a command, such as the tests, beside a private PostgreSQL, and a RabbitMQ and a MariaDB if asked, that go away with it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use crate::error::{LocalError, on_file};
use crate::secrets::random_word;
use crate::servers::mariadb::{self, Mariadb, MariadbOptions};
use crate::servers::postgres::{Postgres, PostgresOptions, cluster};
use crate::servers::rabbitmq::{self, Rabbitmq, RabbitmqOptions};
use crate::servers::s3::S3;
use crate::signals::{Ending, Signals};

/// The superuser's URL of the server, for the tests.
pub const POSTGRES_URL: &str = "DATAGENIE_TEST_POSTGRES_URL";
/// The URL of RabbitMQ with user and password, for the tests.
pub const AMQP_URL: &str = "DATAGENIE_TEST_AMQP_URL";
/// The administrator's URL of MariaDB, `mysql://root@127.0.0.1:PORT/`, for the tests.
pub const MYSQL_URL: &str = "DATAGENIE_TEST_MYSQL_URL";
/// The file with the certificate, in PEM, of the authority that signed MariaDB's. Not set where MariaDB offers no TLS.
pub const MYSQL_CA: &str = "DATAGENIE_TEST_MYSQL_CA";
/// The URL of an S3 without TLS that takes any key, for the tests.
pub const S3_URL: &str = "DATAGENIE_TEST_S3_URL";
/// The folder of our programs, for the tests.
pub const BIN_DIR: &str = "DATAGENIE_TEST_BIN_DIR";

/// How long the command may take to end after a signal.
const GRACE: Duration = Duration::from_secs(20);

/// The servers that a command may have beside PostgreSQL.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Extras {
    /// Start a RabbitMQ too
    #[arg(long)]
    pub rabbitmq: bool,
    /// Start a MariaDB too
    #[arg(long)]
    pub mariadb: bool,
    /// Start an S3 too, which deploy/test.sh installs
    #[arg(long)]
    pub s3: bool,
}

/// A folder below the system's one for temporary files; dropping it removes it.
pub struct TempFolder(PathBuf);

impl TempFolder {
    /// Makes a folder of our own that servers of other users can pass through.
    ///
    /// # Errors
    /// [`LocalError::File`] when it cannot be made.
    pub fn new(purpose: &str) -> Result<Self, LocalError> {
        let name = format!("datagenie-{purpose}-{}-{}", std::process::id(), &random_word()[..8]);
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o711).create(&path).map_err(on_file("creating", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).map_err(on_file("opening up", &path))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        drop(cluster::remove_stand_in(&self.0.join("postgres")));
        drop(rabbitmq::remove_stand_in(&self.0.join("rabbitmq")));
        drop(mariadb::remove_stand_in(&self.0.join("mariadb")));
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The servers of one run.
struct Servers {
    postgres: Postgres,
    rabbitmq: Option<Rabbitmq>,
    mariadb: Option<Mariadb>,
    s3: Option<S3>,
}

impl Servers {
    /// Starts them side by side: RabbitMQ alone takes seconds.
    async fn start(folder: &Path, extras: Extras, bin_dir: &Path) -> Result<Self, LocalError> {
        let postgres = Postgres::start(PostgresOptions::for_tests(folder.join("postgres")));
        let rabbitmq = async {
            if !extras.rabbitmq {
                return Ok(None);
            }
            Rabbitmq::start(RabbitmqOptions::for_tests(folder.join("rabbitmq"))).await.map(Some)
        };
        let mariadb = async {
            if !extras.mariadb {
                return Ok(None);
            }
            Mariadb::start(MariadbOptions::for_tests(folder.join("mariadb"))).await.map(Some)
        };
        let s3 = async {
            if !extras.s3 {
                return Ok(None);
            }
            S3::start(bin_dir, folder).await.map(Some)
        };
        let all = futures::future::try_join4(Box::pin(postgres), Box::pin(rabbitmq), Box::pin(mariadb), Box::pin(s3));
        let (postgres, rabbitmq, mariadb, s3) = all.await?;
        Ok(Self { postgres, rabbitmq, mariadb, s3 })
    }

    async fn stop(self) {
        let rabbitmq = async {
            if let Some(rabbitmq) = self.rabbitmq {
                rabbitmq.stop().await;
            }
        };
        let mariadb = async {
            if let Some(mariadb) = self.mariadb {
                mariadb.stop().await;
            }
        };
        let s3 = async {
            if let Some(s3) = self.s3 {
                s3.stop().await;
            }
        };
        futures::future::join4(self.postgres.stop(), rabbitmq, mariadb, s3).await;
    }

    /// Where they are, as environment variables of the command.
    fn tell(&self, command: &mut tokio::process::Command) {
        command.env(POSTGRES_URL, self.postgres.url("postgres"));
        if let Some(rabbitmq) = &self.rabbitmq {
            command.env(AMQP_URL, rabbitmq.url());
        }
        if let Some(s3) = &self.s3 {
            command.env(S3_URL, s3.url());
        }
        if let Some(mariadb) = &self.mariadb {
            command.env(MYSQL_URL, mariadb.url());
            match mariadb.ca_file() {
                Some(file) => command.env(MYSQL_CA, file),
                // Somebody else's would be wrong.
                None => command.env_remove(MYSQL_CA),
            };
        }
    }
}

/// Runs the command beside PostgreSQL and the extra servers, and gives its exit code.
///
/// # Errors
/// What kept a server or the command from being started.
pub async fn run(command: &[OsString], extras: Extras, bin_dir: &Path, signals: &mut Signals) -> Result<u8, LocalError> {
    let Some((program, args)) = command.split_first() else {
        return Err(LocalError::Refused(
            "no command was given: datagenie-local with-servers [--rabbitmq] [--mariadb] [--s3] -- COMMAND …".to_owned(),
        ));
    };
    let folder = TempFolder::new("test")?;
    let servers = tokio::select! {
        servers = Box::pin(Servers::start(folder.path(), extras, bin_dir)) => servers?,
        ending = signals.next() => return Ok(ending.exit_code()),
    };
    let failed = |source| LocalError::Spawn { program: program.to_string_lossy().into_owned(), source };
    let mut child = tokio::process::Command::new(program);
    child.args(args).env(BIN_DIR, bin_dir);
    servers.tell(&mut child);
    let mut child = child.kill_on_drop(true).spawn().map_err(failed)?;
    let code = tokio::select! {
        status = child.wait() => exit_code(status.map_err(failed)?),
        ending = signals.next() => end(&mut child, ending, signals).await,
    };
    drop(child);
    servers.stop().await;
    Ok(code)
}

/// Ctrl-C of a terminal has reached the command too; SIGTERM is passed on. A second request kills it.
async fn end(child: &mut tokio::process::Child, ending: Ending, signals: &mut Signals) -> u8 {
    if ending == Ending::Terminate
        && let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    {
        let _ = kill_process(pid, Signal::TERM);
    }
    tokio::select! {
        _ = tokio::time::timeout(GRACE, child.wait()) => {}
        _ = signals.next() => {}
    }
    drop(child.kill().await);
    ending.exit_code()
}

fn exit_code(status: std::process::ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
