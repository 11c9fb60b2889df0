//! A private MariaDB on 127.0.0.1, with TLS.

mod certificates;
mod folder;
mod installation;
mod launch;
#[cfg(test)]
mod tests;

pub use folder::{live_server, remove_stand_in};

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::child::Child;
use crate::error::{LocalError, on_file, on_mysql};
use crate::net::lasting_ports;
use crate::servers::place::place;
use crate::servers::user::ServerUser;
use crate::spawn::log_tail;
use certificates::Certificates;
use folder::Folder;
use installation::Installation;
use launch::ADMIN;

const READY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(30);
/// How long an orderly end may take; a tenth of a second is usual.
const GRACE: Duration = Duration::from_secs(20);

/// How a private MariaDB is to run. It has no `Debug`: it holds a password.
#[derive(Clone)]
pub struct MariadbOptions {
    /// Its folder, made if need be: data, certificates, temporary files. The data in an existing one are used again.
    pub dir: PathBuf,
    /// The TCP port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// Whether a commit waits for the disk. `false` is for tests: a kill may cost the last second, a power cut everything.
    pub persistent: bool,
    /// The password of the administrator `root`, from letters and digits; `None` lets everybody on this machine in, for tests.
    pub password: Option<String>,
    /// The log file; `None` is `dir` with the extension `log`.
    pub log: Option<PathBuf>,
}

impl MariadbOptions {
    /// A fast server without a password, for tests.
    #[must_use]
    pub fn for_tests(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), port: None, persistent: false, password: None, log: None }
    }

    fn log(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| self.dir.with_extension("log"))
    }
}

/// A running private MariaDB. Dropping it kills it.
pub struct Mariadb {
    child: Child,
    options: MariadbOptions,
    folder: Folder,
    authority: Option<Authority>,
    port: u16,
    /// What the server answers for `@@server_id`.
    id: u32,
}

/// Whom a client has to trust.
#[derive(Clone)]
struct Authority {
    file: PathBuf,
    pem: String,
}

impl Mariadb {
    /// Makes the folder if need be, starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`], [`LocalError::DataInUse`], [`LocalError::Died`] with the end of the log,
    /// [`LocalError::NotReady`] after 60 s, or what making the folder gave.
    pub async fn start(options: MariadbOptions) -> Result<Self, LocalError> {
        let installation = Installation::find()?;
        let user = ServerUser::when_root("mysql", "mariadb-server")?;
        let dir = place("MariaDB", &options.dir, user.as_ref())?;
        let folder = Folder::prepare(&dir, user)?;
        folder.make_data(&installation, options.persistent).await?;
        folder.write_init_file(&launch::init_sql(options.password.as_deref()))?;
        let certificates = certificates(&installation, &folder).await?;
        let authority = certificates.as_ref().map(Authority::read).transpose()?;
        let log = options.log();
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            folder.wait_unused().await?;
            folder.clear_tmp()?;
            let [free] = lasting_ports::<1>()?;
            let (port, id) = (options.port.unwrap_or(free), rand::random_range(1..=u32::MAX));
            let launch = launch::server(&installation, &folder, certificates.as_ref(), port, id, options.persistent);
            let child = Child::start(&launch, &log)?;
            let mut server = Self { child, options: options.clone(), folder: folder.clone(), authority: authority.clone(), port, id };
            match server.wait_ready(deadline, &log).await {
                Ok(()) => return Ok(server),
                // Somebody took the port meanwhile: once more with another.
                Err(LocalError::Died { tail, .. }) if options.port.is_none() && names_a_taken_port(&tail) && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its URL for the administrator, by TCP and without a database: `mysql://root@127.0.0.1:PORT/`, with the password if it has one.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.options.password.as_ref().map(|password| format!(":{password}")).unwrap_or_default();
        format!("mysql://{ADMIN}{password}@127.0.0.1:{}/", self.port)
    }

    /// The certificate of the authority that signed the server's, in PEM. The server's is for `localhost` and `127.0.0.1`. None
    /// where `openssl` is not installed: then the server offers no TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| authority.pem.as_str())
    }

    /// The file that holds [`ca_pem`](Self::ca_pem).
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.authority.as_ref().map(|authority| authority.file.as_path())
    }

    /// Its unix socket; none where its path would be too long for one.
    #[must_use]
    pub fn socket(&self) -> Option<PathBuf> {
        self.folder.socket()
    }

    /// Connects as the administrator, by TCP and without TLS.
    ///
    /// # Errors
    /// [`LocalError::Mysql`] with the server's answer.
    pub async fn connect(&self) -> Result<Conn, LocalError> {
        Conn::new(self.admin()).await.map_err(on_mysql("connecting"))
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What starts the same server again: same folder, same port.
    #[must_use]
    pub fn options(&self) -> MariadbOptions {
        MariadbOptions { port: Some(self.port), ..self.options.clone() }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_exit().is_some()
    }

    /// SIGSTOP: connections stay open, nothing is answered.
    pub fn pause(&mut self) {
        self.child.signal(Signal::STOP);
    }

    /// SIGCONT after a [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.child.signal(Signal::CONT);
    }

    /// SIGKILL, as a crash.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Stops it in order: everything is written down.
    pub async fn stop(mut self) {
        self.child.terminate(GRACE).await;
    }

    fn admin(&self) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some(ADMIN))
            .pass(self.options.password.clone())
            .prefer_socket(false)
    }

    async fn wait_ready(&mut self, deadline: Instant, log: &Path) -> Result<(), LocalError> {
        loop {
            if self.child.try_exit().is_some() {
                return Err(self.child.died());
            }
            let last = match tokio::time::timeout(Duration::from_secs(5), self.greet()).await {
                Ok(Ok(Some(id))) if id == self.id => return Ok(()),
                Ok(Ok(_)) => "another server answers on its port".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() >= deadline {
                return Err(LocalError::NotReady {
                    program: "MariaDB".to_owned(),
                    seconds: READY_LIMIT.as_secs(),
                    last: format!("{last}; {}", log_tail(log)),
                    log: log.to_path_buf(),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Signs in and asks who answers.
    async fn greet(&self) -> mysql_async::Result<Option<u32>> {
        let mut connection = Conn::new(self.admin()).await?;
        let id = connection.query_first("SELECT @@server_id").await?;
        connection.disconnect().await?;
        Ok(id)
    }
}

impl Authority {
    fn read(certificates: &Certificates) -> Result<Self, LocalError> {
        let file = certificates.ca();
        let pem = fs::read_to_string(&file).map_err(on_file("reading", &file))?;
        Ok(Self { file, pem })
    }
}

async fn certificates(installation: &Installation, folder: &Folder) -> Result<Option<Certificates>, LocalError> {
    match &installation.openssl {
        Some(openssl) => Certificates::make(openssl, &folder.tls(), folder.user()).await.map(Some),
        None => Ok(None),
    }
}

fn names_a_taken_port(log: &str) -> bool {
    log.contains("Address already in use")
}
