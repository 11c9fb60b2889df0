//! Running a command, such as the tests, beside a private PostgreSQL that goes away with it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{LocalError, on_file};
use crate::secrets::random_word;
use crate::servers::postgres::cluster::remove_stand_in;
use crate::servers::postgres::{Postgres, PostgresOptions};
use crate::signals::{Ending, Signals};

/// The superuser's URL of the server, for the tests.
pub const POSTGRES_URL: &str = "DATAGENIE_TEST_POSTGRES_URL";
/// The folder of our programs, for the tests.
pub const BIN_DIR: &str = "DATAGENIE_TEST_BIN_DIR";

/// How long the command may take to end after a signal.
const GRACE: Duration = Duration::from_secs(20);

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
        drop(remove_stand_in(&self.0.join("postgres")));
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Runs the command and gives its exit code.
///
/// # Errors
/// What kept the server or the command from being started.
pub async fn run(command: &[OsString], bin_dir: &Path, signals: &mut Signals) -> Result<u8, LocalError> {
    let Some((program, args)) = command.split_first() else {
        return Err(LocalError::Refused("no command was given: datagenie-local with-servers -- COMMAND …".to_owned()));
    };
    let folder = TempFolder::new("test")?;
    let options = PostgresOptions::for_tests(folder.path().join("postgres"));
    let server = tokio::select! {
        server = Box::pin(Postgres::start(options)) => server?,
        ending = signals.next() => return Ok(ending.exit_code()),
    };
    let failed = |source| LocalError::Spawn { program: program.to_string_lossy().into_owned(), source };
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .env(POSTGRES_URL, server.url("postgres"))
        .env(BIN_DIR, bin_dir)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let code = tokio::select! {
        status = child.wait() => exit_code(status.map_err(failed)?),
        ending = signals.next() => end(&mut child, ending, signals).await,
    };
    drop(child);
    server.stop().await;
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
