//! Where PostgreSQL is installed.

use std::path::{Path, PathBuf};

use crate::error::LocalError;
use crate::spawn::find_in_path;

/// The programs of one PostgreSQL installation.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The folder of `initdb` and `postgres`.
    bin: PathBuf,
}

impl Installation {
    /// The PostgreSQL in PATH, else the newest one below `/usr/lib/postgresql`.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`] when there is none.
    pub fn find() -> Result<Self, LocalError> {
        let in_path = || find_in_path("initdb").and_then(|initdb| initdb.canonicalize().ok()?.parent().map(Path::to_path_buf));
        in_path()
            .into_iter()
            .chain(versioned_folders())
            .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
            .map(|bin| Self { bin })
            .ok_or_else(|| LocalError::ProgramMissing { program: "PostgreSQL (initdb, postgres)".to_owned(), package: "postgresql" })
    }

    /// The path of one of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Whether the server can load `pg_stat_statements`, which is in a package of its own on some systems.
    #[must_use]
    pub fn has_pg_stat_statements(&self) -> bool {
        let lib = self.bin.join("../lib");
        let file = "pg_stat_statements.so";
        [lib.join(file), lib.join("postgresql").join(file)].iter().any(|path| path.is_file())
    }
}

/// `/usr/lib/postgresql/16/bin`, `…/15/bin` …: Debian and Ubuntu keep them out of PATH. The newest comes first.
fn versioned_folders() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let mut versions: Vec<u32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))).collect()
}
