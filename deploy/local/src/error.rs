//! What can go wrong when servers and programs are started on one machine. Each message says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why a server, a program or the whole system did not come up. No variant carries a password.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The port that was asked for belongs to somebody else.
    #[error("port {port} on 127.0.0.1 is in use by another program; stop that program, or choose another port with --port")]
    PortInUse {
        /// The port that was asked for.
        port: u16,
    },
    /// The operating system gave no port.
    #[error("no free TCP port was found on 127.0.0.1")]
    NoFreePort(#[source] io::Error),
    /// A program of the operating system is not installed.
    #[error("{program} was not found; install it (Debian and Ubuntu: apt-get install {package}) or add its folder to PATH")]
    ProgramMissing {
        /// The program's name.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// One of our own programs is not beside this one.
    #[error("{path} was not found; build it first (cargo build --workspace), or use deploy/demo.sh")]
    NotBuilt {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("{action} {path} failed")]
    File {
        /// What was tried, such as `creating`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("{program} could not be started")]
    Spawn {
        /// The program's name.
        program: String,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// A program ended before it was of use.
    #[error("{program} ended early ({status}); the end of its log {log}:\n{tail}")]
    Died {
        /// The program's name.
        program: String,
        /// Its exit status in words.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A program runs and does not become ready.
    #[error("{program} was not ready within {seconds} s ({last}); its log is {log}")]
    NotReady {
        /// The program's name.
        program: String,
        /// How long was waited.
        seconds: u64,
        /// What the last look saw.
        last: String,
        /// Its log file.
        log: PathBuf,
    },
    /// A program that runs to its end failed.
    #[error("{program} failed ({status}): {message}")]
    Failed {
        /// The program's name and command.
        program: String,
        /// Its exit status in words.
        status: String,
        /// The end of what it wrote to standard error.
        message: String,
    },
    /// A live PostgreSQL, RabbitMQ or MariaDB works on the data folder.
    #[error("{path} is in use by a running server (process {pid}); stop that process, or choose another folder with --data")]
    DataInUse {
        /// The data folder.
        path: PathBuf,
        /// The process that uses it.
        pid: u32,
    },
    /// Another launcher works on the data folder.
    #[error("{path} is in use by another DataGenie (process {pid}); stop it with Ctrl-C there, or choose another folder with --data")]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// The process that holds the lock, or `unknown`.
        pid: String,
    },
    /// The folder holds something else.
    #[error("{path} is not empty and was not made by DataGenie; choose an empty or a new folder with --data")]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// PostgreSQL refused something.
    #[error("{action} failed on PostgreSQL")]
    Database {
        /// What was tried.
        action: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },
    /// MariaDB refused something.
    #[error("{action} failed on MariaDB")]
    Mysql {
        /// What was tried.
        action: String,
        /// The server's answer.
        #[source]
        source: Box<mysql_async::Error>,
    },
    /// The migrations could not be applied.
    #[error("applying the migrations failed")]
    Migrate(#[source] Box<sqlx::migrate::MigrateError>),
    /// SQLite refused something.
    #[error("{action} failed on SQLite")]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// The library's answer.
        #[source]
        source: rusqlite::Error,
    },
    /// The API could not be talked to.
    #[error("{call} got no answer from the API")]
    NoAnswer {
        /// Method and path.
        call: String,
        /// What happened on the wire.
        #[source]
        source: reqwest::Error,
    },
    /// The API answered with something else than expected.
    #[error("{call} was answered with {status}: {detail}")]
    Answer {
        /// Method and path.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The problem's own words.
        detail: String,
    },
    /// Something was asked for that cannot be had; the text says what to do.
    #[error("{0}")]
    Refused(String),
}

/// Makes the closure that turns an I/O error on `path` into a [`LocalError::File`].
pub(crate) fn on_file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LocalError {
    let path = path.to_path_buf();
    move |source| LocalError::File { action, path, source }
}

/// Makes the closure that turns a database error into a [`LocalError::Database`].
pub(crate) fn on_database(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> LocalError {
    let action = action.into();
    move |source| LocalError::Database { action, source }
}

/// Makes the closure that turns an error of MariaDB into a [`LocalError::Mysql`].
pub(crate) fn on_mysql(action: impl Into<String>) -> impl FnOnce(mysql_async::Error) -> LocalError {
    let action = action.into();
    move |source| LocalError::Mysql { action, source: Box::new(source) }
}

/// The error and all that caused it, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
