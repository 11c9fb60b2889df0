//! One running child process: signals, waiting, and an end that is certain.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::time::Instant;

use crate::error::LocalError;
use crate::spawn::{Launch, log_tail, open_log, spawn};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A child process in a process group of its own, its output in a log file. Dropping it kills it and its group.
pub struct Child {
    name: String,
    log: PathBuf,
    inner: std::process::Child,
    pid: Pid,
    exit: Option<ExitStatus>,
}

impl Child {
    /// Starts a program, its output appended to `log`.
    ///
    /// # Errors
    /// [`LocalError::Spawn`] when it cannot be started, [`LocalError::File`] when the log cannot be written.
    pub fn start(launch: &Launch, log: &Path) -> Result<Self, LocalError> {
        let mut command = launch.command()?;
        let failed = |source| LocalError::Spawn { program: launch.name.clone(), source };
        let out = open_log(log)?;
        let err = out.try_clone().map_err(failed)?;
        // A group of its own: Ctrl-C in the terminal reaches the launcher alone, which stops everything in order.
        command.stdout(out).stderr(err).process_group(0);
        let inner = spawn(command).map_err(failed)?;
        let pid = Pid::from_child(&inner);
        Ok(Self { name: launch.name.clone(), log: log.to_path_buf(), inner, pid, exit: None })
    }

    /// The process id, also after its end.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// The exit status, if it has ended.
    pub fn try_exit(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none()
            && let Ok(Some(status)) = self.inner.try_wait()
        {
            self.exit = Some(status);
            // Children that it left behind end with it.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        self.exit
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        // Until the exit status is fetched the id cannot belong to another process.
        if self.try_exit().is_none() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits for its end, at most as long as `limit`.
    pub async fn exited_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.try_exit() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The same for `Drop`, where nothing can be awaited.
    pub fn exited_within_blocking(&mut self, limit: Duration) -> Option<ExitStatus> {
        for _ in 0..limit.as_millis() / LOOK_AGAIN.as_millis() {
            if let Some(status) = self.try_exit() {
                return Some(status);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.try_exit()
    }

    /// SIGTERM, then SIGKILL when it has not ended within `grace`. A stopped process is woken to hear it.
    pub async fn terminate(&mut self, grace: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
        if self.exited_within(grace).await.is_none() {
            self.kill();
        }
        self.exited_within(Duration::from_secs(5)).await
    }

    /// SIGKILL to the process and its group.
    pub fn kill(&mut self) {
        if self.try_exit().is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }

    /// The error that says that it ended too early, with the end of its log.
    #[must_use]
    pub fn died(&self) -> LocalError {
        LocalError::Died {
            program: self.name.clone(),
            status: self.exit.map_or_else(|| "running".to_owned(), |status| status.to_string()),
            log: self.log.clone(),
            tail: log_tail(&self.log),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.try_exit().is_none() {
            self.kill();
            drop(self.inner.wait());
        }
    }
}
