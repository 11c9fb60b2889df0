//! A private Redis on 127.0.0.1.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::child::Child;
use crate::error::{LocalError, on_file};
use crate::net::free_port;
use crate::spawn::{Launch, find_in_path};

const READY_LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How a private Redis is to run.
#[derive(Clone)]
pub struct RedisOptions {
    /// Its folder, made if need be: configuration, log, data.
    pub dir: PathBuf,
    /// The TCP port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// Whether data survive a restart (written down every second).
    pub persistent: bool,
    /// The password; `None` lets everybody on this machine in, for tests.
    pub password: Option<String>,
    /// The log file; `None` is `redis.log` in `dir`.
    pub log: Option<PathBuf>,
}

impl RedisOptions {
    /// A server that forgets everything at its end, for tests.
    #[must_use]
    pub fn for_tests(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), port: None, persistent: false, password: None, log: None }
    }
}

/// A running private Redis. Dropping it kills it.
pub struct Redis {
    child: Child,
    options: RedisOptions,
    port: u16,
}

impl Redis {
    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`], [`LocalError::Died`] with the end of the log, [`LocalError::NotReady`].
    pub async fn start(options: RedisOptions) -> Result<Self, LocalError> {
        let program = ["redis-server", "valkey-server"]
            .into_iter()
            .find_map(find_in_path)
            .ok_or_else(|| LocalError::ProgramMissing { program: "redis-server".to_owned(), package: "redis-server" })?;
        let dir = std::path::absolute(&options.dir).map_err(on_file("resolving", &options.dir))?;
        fs::create_dir_all(&dir).map_err(on_file("creating", &dir))?;
        let log = options.log.clone().unwrap_or_else(|| dir.join("redis.log"));
        let config = dir.join("redis.conf");
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let port = options.port.map_or_else(free_port, Ok)?;
            write_config(&config, &configuration(&options, port))?;
            let mut launch = Launch::new("Redis", &program, &[]);
            launch.args.push(config.clone().into());
            // Relative names in the configuration are below the folder, whatever characters its path has.
            launch.cwd = Some(dir.clone());
            launch.death_signal = if options.persistent { "TERM" } else { "KILL" };
            let mut server = Self { child: Child::start(&launch, &log)?, options: options.clone(), port };
            match server.wait_ready(deadline, &log).await {
                Ok(()) => return Ok(server),
                // Somebody took the port meanwhile: once more with another.
                Err(LocalError::Died { tail, .. })
                    if options.port.is_none() && tail.contains("already in use") && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Its URL, by TCP.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.options.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{password}127.0.0.1:{}/0", self.port)
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
    pub fn options(&self) -> RedisOptions {
        RedisOptions { port: Some(self.port), ..self.options.clone() }
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

    /// Stops it in order: what is persistent is written down.
    pub async fn stop(mut self) {
        self.child.terminate(Duration::from_secs(10)).await;
    }

    async fn wait_ready(&mut self, deadline: Instant, log: &Path) -> Result<(), LocalError> {
        loop {
            if self.child.try_exit().is_some() {
                return Err(self.child.died());
            }
            let last = match tokio::time::timeout(Duration::from_secs(2), self.ping()).await {
                Ok(Ok(answer)) if answer.contains("+PONG") => return Ok(()),
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() >= deadline {
                return Err(LocalError::NotReady {
                    program: "Redis".to_owned(),
                    seconds: READY_LIMIT.as_secs(),
                    last,
                    log: log.to_path_buf(),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Signs in, asks for a sign of life, and reads until the server closes the connection.
    async fn ping(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let sign_in = self.options.password.as_ref().map(|password| format!("AUTH {password}\r\n")).unwrap_or_default();
        stream.write_all(format!("{sign_in}PING\r\nQUIT\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(512).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

fn configuration(options: &RedisOptions, port: u16) -> String {
    let mut text =
        format!("bind 127.0.0.1\nport {port}\nprotected-mode yes\ndaemonize no\nmaxmemory-policy noeviction\nsave \"\"\nloglevel notice\n");
    text.push_str(if options.persistent { "appendonly yes\nappendfsync everysec\n" } else { "appendonly no\n" });
    if let Some(password) = &options.password {
        text.push_str(&format!("requirepass {password}\n"));
    }
    text
}

/// The configuration holds the password, which the command line must not show.
fn write_config(path: &Path, text: &str) -> Result<(), LocalError> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path).map_err(on_file("writing", path))?;
    file.write_all(text.as_bytes()).map_err(on_file("writing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_listens_on_this_machine_only_and_never_evicts() {
        let mut options = RedisOptions::for_tests("unused");
        let text = configuration(&options, 7001);
        assert!(text.contains("bind 127.0.0.1\n") && text.contains("port 7001\n") && text.contains("noeviction"));
        assert!(text.contains("appendonly no") && !text.contains("requirepass"));
        options.persistent = true;
        options.password = Some("p".to_owned());
        let text = configuration(&options, 7001);
        assert!(text.contains("appendonly yes") && text.contains("requirepass p\n"));
    }
}
