//! Where MariaDB is installed.

use std::path::PathBuf;

use crate::error::LocalError;
use crate::spawn::find_in_path;

/// The programs of one MariaDB installation.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    /// The server.
    pub(super) server: PathBuf,
    /// What makes a data folder.
    pub(super) install_db: PathBuf,
    /// What makes certificates; without it the server offers no TLS.
    pub(super) openssl: Option<PathBuf>,
}

impl Installation {
    /// The one in PATH or in the usual folders of a system.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`] when there is none.
    pub(super) fn find() -> Result<Self, LocalError> {
        let program = |name: &str| {
            find_in_path(name).ok_or_else(|| LocalError::ProgramMissing { program: name.to_owned(), package: "mariadb-server" })
        };
        Ok(Self { server: program("mariadbd")?, install_db: program("mariadb-install-db")?, openssl: find_in_path("openssl") })
    }
}
