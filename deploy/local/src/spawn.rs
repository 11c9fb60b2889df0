//! How child processes are started: from one thread that lives as long as this process, and bound to its life.
//!
//! `setpriv --pdeathsig` asks the kernel to signal the child when the thread that started it ends, so that nothing is
//! left running even after a `kill -9` of the launcher. Threads of an async runtime come and go, hence one of our own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};

use crate::error::{LocalError, on_file};
use crate::servers::user::ServerUser;

/// A program to be started. It has no `Debug`: the environment holds secrets.
#[derive(Clone)]
pub struct Launch {
    /// What it is called in messages.
    pub name: String,
    /// The program file.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment; `None` inherits ours.
    pub env: Option<Vec<(String, String)>>,
    /// Its working folder; `None` inherits ours.
    pub cwd: Option<PathBuf>,
    /// The user it runs as; `None` is ours.
    pub user: Option<ServerUser>,
    /// The signal that it gets when this process dies, as `setpriv` names it.
    pub death_signal: &'static str,
}

impl Launch {
    /// A program with arguments that inherits everything and is killed when this process dies.
    pub fn new(name: &str, program: impl Into<PathBuf>, args: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            env: None,
            cwd: None,
            user: None,
            death_signal: "KILL",
        }
    }

    /// The command line that starts it, standard input closed.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`] when another user is asked for and there is no `setpriv`.
    pub fn command(&self) -> Result<Command, LocalError> {
        let mut command = match (setpriv(), &self.user) {
            (Some(setpriv), user) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", self.death_signal]);
                if let Some(user) = user {
                    command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--clear-groups");
                }
                command.arg("--").arg(&self.program);
                command
            }
            (None, None) => Command::new(&self.program),
            (None, Some(_)) => {
                return Err(LocalError::ProgramMissing { program: "setpriv".to_owned(), package: "util-linux" });
            }
        };
        command.args(&self.args).stdin(Stdio::null());
        if let Some(env) = &self.env {
            command.env_clear().envs(env.iter().cloned());
        }
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        Ok(command)
    }

    /// Runs the program to its end and gives what it wrote to standard output.
    ///
    /// # Errors
    /// [`LocalError::Failed`] with the end of its standard error when it exits with anything but 0 or takes too long.
    pub async fn output(&self, limit: std::time::Duration) -> Result<String, LocalError> {
        let mut command = tokio::process::Command::from(self.command()?);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |status: String, message: String| LocalError::Failed { program: self.name.clone(), status, message };
        let output = match tokio::time::timeout(limit, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(source)) => {
                return Err(LocalError::Spawn { program: self.name.clone(), source });
            }
            Err(_) => {
                return Err(failed(format!("still running after {} s", limit.as_secs()), "stopped".to_owned()));
            }
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = last_lines(&String::from_utf8_lossy(&output.stderr));
        let message = if message.is_empty() { "no message".to_owned() } else { message };
        Err(failed(output.status.to_string(), message))
    }
}

type Request = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Starts `command` from the thread that lives as long as this process.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        // If the thread cannot be made, the receiver is gone and every start says so below.
        drop(std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for (mut command, reply) in requests {
                drop(reply.send(command.spawn()));
            }
        }));
        sender
    });
    let gone = || io::Error::other("the thread that starts programs is gone");
    let (reply, answer) = mpsc::sync_channel(1);
    spawner.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// The `setpriv` of util-linux, if this machine has one that can bind a child to our life.
pub(crate) fn setpriv() -> Option<&'static Path> {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    SETPRIV
        .get_or_init(|| {
            let program = find_in_path("setpriv")?;
            let works = Command::new(&program)
                .args(["--pdeathsig", "keep", "--", "true"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            works.then_some(program)
        })
        .as_deref()
}

/// The first file called `program` in the folders of PATH and the usual ones of a system.
#[must_use]
pub fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Opens a log file for appending, readable by its owner only.
pub(crate) fn open_log(path: &Path) -> Result<File, LocalError> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(on_file("opening", path))
}

/// The last lines of a log, for an error message; empty when it cannot be read.
pub(crate) fn log_tail(path: &Path) -> String {
    const TAIL: u64 = 4096;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map(|bytes| last_lines(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
}

fn last_lines(text: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
