//! A private S3 on 127.0.0.1 for tests: moto's server, which `deploy/test.sh` installs. It keeps everything in memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::child::Child;
use crate::error::LocalError;
use crate::net::free_port;
use crate::spawn::Launch;

/// Python and its libraries are loaded first.
const READY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A running S3. Dropping it kills it.
pub struct S3 {
    child: Child,
    port: u16,
}

impl S3 {
    /// Starts the server and waits until it answers. Its log lies in `dir`.
    ///
    /// # Errors
    /// [`LocalError::Refused`] where it is not installed, [`LocalError::Died`] with the end of the log, [`LocalError::NotReady`].
    pub async fn start(bin_dir: &Path, dir: &Path) -> Result<Self, LocalError> {
        let program = program(bin_dir);
        if !program.is_file() {
            let path = program.display();
            return Err(LocalError::Refused(format!("{path} was not found: run ./deploy/test.sh, which installs the S3 of the tests")));
        }
        let log = dir.join("s3.log");
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let port = free_port()?;
            let mut launch = Launch::new("the S3 of the tests", &program, &["-H", "127.0.0.1", "-p"]);
            launch.args.push(port.to_string().into());
            // It needs no settings, and nobody's keys.
            launch.env = Some(vec![("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())]);
            let mut server = Self { child: Child::start(&launch, &log)?, port };
            match server.wait_ready(deadline, &log).await {
                Ok(()) => return Ok(server),
                // Somebody took the port meanwhile: once more with another.
                Err(LocalError::Died { tail, .. }) if tail.contains("in use") && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Stops it.
    pub async fn stop(mut self) {
        self.child.terminate(Duration::from_secs(5)).await;
    }

    async fn wait_ready(&mut self, deadline: Instant, log: &Path) -> Result<(), LocalError> {
        loop {
            if self.child.try_exit().is_some() {
                return Err(self.child.died());
            }
            let last = match tokio::time::timeout(Duration::from_secs(5), self.ask()).await {
                Ok(Ok(answer)) if answer.starts_with("HTTP/1.") && answer.contains(" 200 ") => return Ok(()),
                Ok(Ok(answer)) => answer.lines().next().unwrap_or_default().to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() >= deadline {
                let (program, seconds) = ("the S3 of the tests".to_owned(), READY_LIMIT.as_secs());
                return Err(LocalError::NotReady { program, seconds, last, log: log.to_path_buf() });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn ask(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(b"GET /moto-api/data.json HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").await?;
        let mut answer = vec![0; 64];
        let length = stream.read(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}

/// Beside the folder of our programs, where `python_tools` of `deploy/setup.sh` puts it.
fn program(bin_dir: &Path) -> PathBuf {
    bin_dir.parent().unwrap_or(bin_dir).join("python/s3-server/bin/moto_server")
}
