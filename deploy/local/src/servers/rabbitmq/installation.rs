//! Where RabbitMQ is installed.

use std::path::{Path, PathBuf};

use crate::error::LocalError;
use crate::spawn::find_in_path;

/// The programs of one RabbitMQ installation.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    /// RabbitMQ's own start script.
    pub(super) server: PathBuf,
    /// Erlang's directory of nodes.
    pub(super) epmd: PathBuf,
}

impl Installation {
    /// The one of Debian and Ubuntu, else the one in PATH.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`] when there is none.
    pub(super) fn find() -> Result<Self, LocalError> {
        let missing = |program: &str| LocalError::ProgramMissing { program: program.to_owned(), package: "rabbitmq-server" };
        // Debian's program in PATH is a wrapper that works on the system's own folders and for root and rabbitmq only.
        let server = existing("/usr/lib/rabbitmq/bin/rabbitmq-server").or_else(|| find_in_path("rabbitmq-server"));
        let epmd = find_in_path("epmd").or_else(|| existing("/usr/lib/erlang/bin/epmd"));
        Ok(Self { server: server.ok_or_else(|| missing("rabbitmq-server"))?, epmd: epmd.ok_or_else(|| missing("epmd"))? })
    }
}

fn existing(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    path.is_file().then(|| path.to_path_buf())
}
