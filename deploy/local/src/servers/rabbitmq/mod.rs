//! A private RabbitMQ on 127.0.0.1: one node with an epmd of its own, whose name is fixed by its data folder.

mod folder;
mod installation;
mod launch;
mod log;
mod probe;
#[cfg(test)]
mod tests;

pub use folder::{live_server, remove_stand_in};

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::child::Child;
use crate::error::LocalError;
use crate::net::lasting_ports;
use crate::servers::place::place;
use crate::servers::user::ServerUser;
use folder::Folder;
use installation::Installation;
use launch::Ports;

/// Five seconds on a quiet machine, ten times as many on a busy one.
const READY_LIMIT: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long an orderly end may take; two to three seconds are usual.
const GRACE: Duration = Duration::from_secs(20);
/// The user that the node knows, made at its first start.
const USER: &str = "datagenie";
/// Its password where none is given.
const OPEN_PASSWORD: &str = "datagenie";

/// How a private RabbitMQ is to run. It has no `Debug`: it holds a password.
#[derive(Clone)]
pub struct RabbitmqOptions {
    /// Its data folder. An existing one is started again, with what is in its queues.
    pub data_dir: PathBuf,
    /// The TCP port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// The password of the user `datagenie`, from letters and digits. It counts at the first start of a folder. `None` is a
    /// known one, for tests.
    pub password: Option<String>,
    /// The log file; `None` is `data_dir` with the extension `log`.
    pub log: Option<PathBuf>,
}

impl RabbitmqOptions {
    /// A server with a known password, for tests.
    #[must_use]
    pub fn for_tests(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), port: None, password: None, log: None }
    }

    fn password(&self) -> &str {
        self.password.as_deref().unwrap_or(OPEN_PASSWORD)
    }

    fn log(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| self.data_dir.with_extension("log"))
    }
}

/// A running private RabbitMQ. Dropping it kills it.
pub struct Rabbitmq {
    // The node ends before the epmd that knows its name.
    node: Child,
    epmd: Child,
    options: RabbitmqOptions,
    folder: Folder,
    port: u16,
}

impl Rabbitmq {
    /// Makes the data folder if need be, starts the node and waits until it answers to AMQP.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`], [`LocalError::DataInUse`], [`LocalError::Died`] with the errors of the log,
    /// [`LocalError::NotReady`] after 90 s, or what making the folder gave.
    pub async fn start(options: RabbitmqOptions) -> Result<Self, LocalError> {
        let installation = Installation::find()?;
        let user = ServerUser::when_root("rabbitmq", "rabbitmq-server")?;
        let data = place("RabbitMQ", &options.data_dir, user.as_ref())?;
        let folder = Folder::prepare(&data, user)?;
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            folder.wait_unused().await?;
            let before = log::length(&options.log());
            match Self::attempt(&installation, &folder, &options, deadline).await {
                // Somebody took a port meanwhile, or a connection still holds the old one: once more.
                Err(LocalError::Died { .. }) if log::names_a_taken_port(&options.log(), before) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                ended => return ended,
            }
        }
    }

    async fn attempt(
        installation: &Installation,
        folder: &Folder,
        options: &RabbitmqOptions,
        deadline: Instant,
    ) -> Result<Self, LocalError> {
        let [amqp, epmd, distribution] = lasting_ports::<3>()?;
        let ports = Ports { amqp: options.port.unwrap_or(amqp), epmd, distribution };
        folder.write_configuration(&launch::configuration(ports.amqp, USER, options.password()))?;
        let log = options.log();
        let before = log::length(&log);
        let mut epmd = Child::start(&launch::epmd(installation, folder, ports), &log)?;
        wait_listening(&mut epmd, ports.epmd, deadline, &log).await?;
        let node = Child::start(&launch::node(installation, folder, ports), &log)?;
        let mut server = Self { node, epmd, options: options.clone(), folder: folder.clone(), port: ports.amqp };
        server.wait_ready(deadline, &log, before).await?;
        Ok(server)
    }

    /// Its URL with user and password, for the virtual host `/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://{USER}:{}@127.0.0.1:{}/%2f", self.options.password(), self.port)
    }

    /// The process id of the node.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.node.pid()
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the node, always the same one for the same data folder.
    #[must_use]
    pub fn node_name(&self) -> &str {
        self.folder.node_name()
    }

    /// What starts the same server again: same folder, same port.
    #[must_use]
    pub fn options(&self) -> RabbitmqOptions {
        RabbitmqOptions { port: Some(self.port), ..self.options.clone() }
    }

    /// Whether it has ended by itself, or the epmd that knows its name: without that it can't be administered.
    /// [`restart`](Self::restart) then ends what is left of it.
    pub fn has_ended(&mut self) -> bool {
        self.node.try_exit().is_some() || self.epmd.try_exit().is_some()
    }

    /// SIGSTOP: connections stay open, nothing is answered.
    pub fn pause(&mut self) {
        self.node.signal(Signal::STOP);
    }

    /// SIGCONT after a [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.node.signal(Signal::CONT);
    }

    /// SIGKILL, as a crash. A queue that was declared in the last second before may be broken for good, see
    /// [`wipe`](Self::wipe).
    pub fn kill(&mut self) {
        self.node.kill();
        self.epmd.kill();
    }

    /// Starts it again on its old port and data; a running one is stopped in order first.
    ///
    /// # Errors
    /// As [`Rabbitmq::start`].
    pub async fn restart(&mut self) -> Result<(), LocalError> {
        self.end().await;
        *self = Box::pin(Self::start(self.options())).await?;
        Ok(())
    }

    /// Kills it and removes all that it held, queues and messages; [`restart`](Self::restart) then starts an empty one.
    ///
    /// # Errors
    /// [`LocalError::File`] when the data cannot be removed.
    pub async fn wipe(&mut self) -> Result<(), LocalError> {
        self.kill();
        self.end().await;
        self.folder.wipe()
    }

    /// Stops it in order: everything is written down.
    pub async fn stop(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        self.node.terminate(GRACE).await;
        self.epmd.kill();
        self.epmd.exited_within(Duration::from_secs(5)).await;
    }

    async fn wait_ready(&mut self, deadline: Instant, log: &Path, before: u64) -> Result<(), LocalError> {
        loop {
            if self.node.try_exit().is_some() {
                return Err(with_reason(self.node.died(), log, before));
            }
            let last = match tokio::time::timeout(Duration::from_secs(5), probe::greet(self.port)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() >= deadline {
                return Err(not_ready("RabbitMQ", &last, log, before));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Without its epmd a node ends at once, so that is up first.
async fn wait_listening(epmd: &mut Child, port: u16, deadline: Instant, log: &Path) -> Result<(), LocalError> {
    loop {
        if epmd.try_exit().is_some() {
            return Err(epmd.died());
        }
        let Err(error) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(not_ready("epmd", &error.to_string(), log, log::length(log)));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The end of the log tells how the node was torn down; why stands earlier.
fn with_reason(death: LocalError, log: &Path, before: u64) -> LocalError {
    match death {
        LocalError::Died { program, status, log: file, tail } => {
            let reason = log::errors_since(log, before);
            LocalError::Died { program, status, log: file, tail: if reason.is_empty() { tail } else { reason } }
        }
        other => other,
    }
}

fn not_ready(program: &str, last: &str, log: &Path, before: u64) -> LocalError {
    let said = log::errors_since(log, before);
    let said = if said.is_empty() { crate::spawn::log_tail(log) } else { said };
    LocalError::NotReady {
        program: program.to_owned(),
        seconds: READY_LIMIT.as_secs(),
        last: format!("{last}; the log says:\n{said}\n"),
        log: log.to_path_buf(),
    }
}
