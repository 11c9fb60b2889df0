//! Opening a SQLite file: which files may be opened at all, and what a connection may do.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};
use tokio_util::sync::CancellationToken;

use super::{DatabaseFile, errors};
use crate::sources::SourceError;

/// The clock and the token are looked at after this many instructions of SQLite's machine: some 10 µs.
const WATCH_EVERY: i32 = 1_000;
/// How long a reader waits for a writer's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The bounds of a statement. Expanding functions (`zeroblob`, `printf`, `group_concat`) end at the first one.
const LIMITS: [(Limit, i32); 8] = [
    (Limit::SQLITE_LIMIT_LENGTH, 16 * 1024 * 1024),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 128 * 1024),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Bytes that SQLite may hold in this process, for all connections together: a statement makes all columns of a row before any of them is
/// seen, and each may be as large as a value may. What needs more ends with an error. A schema of 5,000 wide tables takes a quarter of it
/// for each connection.
const HEAP: u64 = 96 * 1024 * 1024;

/// What ends a connection's work.
pub(super) struct Watch {
    pub(super) deadline: Instant,
    pub(super) stop: CancellationToken,
}

/// A connection for our own queries: read-only, watched, able to see the catalogue.
pub(super) fn internal(file: &DatabaseFile, watch: Watch) -> Result<Connection, SourceError> {
    let path = resolve(&file.path, &file.roots)?;
    // The resolved path holds no link, so NOFOLLOW refuses one that was put there since. It begins with `/`: no URI.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| errors::reading(&error))?;
    prepare(&connection, watch).map_err(|error| errors::reading(&error))?;
    Ok(connection)
}

/// The same, with limits: for samples, and, behind an authorizer of its own, for a user's statement.
pub(super) fn limited(file: &DatabaseFile, watch: Watch) -> Result<Connection, SourceError> {
    let connection = internal(file, watch)?;
    for (limit, value) in LIMITS {
        connection.set_limit(limit, value).map_err(|error| errors::reading(&error))?;
    }
    Ok(connection)
}

fn prepare(connection: &Connection, watch: Watch) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Otherwise a column that does not exist, in double quotes, would be read as a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // The heap's limit is the process's: it can only be lowered here, and stays as it is.
    connection.execute_batch(&format!("PRAGMA hard_heap_limit = {HEAP}; PRAGMA query_only = 1; PRAGMA cell_size_check = 1;"))?;
    let over = move || watch.stop.is_cancelled() || Instant::now() >= watch.deadline;
    connection.progress_handler(WATCH_EVERY, Some(over))
}

/// The file behind a configured path, if it lies below one of the folders. Outside of them nothing is told, not even what exists.
fn resolve(path: &Path, roots: &[PathBuf]) -> Result<PathBuf, SourceError> {
    if roots.is_empty() {
        return Err(SourceError::refused("no folder is configured for SQLite files"));
    }
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain || path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(SourceError::refused("the path of a SQLite file must be absolute, without `..`"));
    }
    let outside = || SourceError::refused(format!("the file is below none of the {} folders configured for SQLite files", roots.len()));
    let resolved_roots: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    let below = |path: &Path, roots: &[PathBuf]| roots.iter().any(|root| path.starts_with(root));
    let Ok(resolved) = fs::canonicalize(path) else {
        let would_be_inside = below(path, roots) || below(path, &resolved_roots);
        return Err(if would_be_inside { SourceError::NoSuchDatabase } else { outside() });
    };
    if !below(&resolved, &resolved_roots) {
        return Err(outside());
    }
    if !fs::metadata(&resolved).is_ok_and(|found| found.is_file()) {
        return Err(SourceError::refused("the path is not one of a regular file"));
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use datagenie_common::ids::ConnectionId;

    use super::*;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("datagenie-open-{}", ConnectionId::new()));
            fs::create_dir_all(path.join("inside")).expect("the temporary folder can be written");
            fs::create_dir_all(path.join("outside")).expect("the temporary folder can be written");
            fs::write(path.join("outside/secret.db"), b"x").expect("the temporary folder can be written");
            fs::write(path.join("inside/shop.db"), b"x").expect("the temporary folder can be written");
            Self(path)
        }

        fn resolve(&self, path: &str) -> Result<PathBuf, SourceError> {
            resolve(&self.0.join(path), &[self.0.join("inside")])
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_files_below_the_folders_are_opened() {
        let folder = Folder::new();
        assert!(folder.resolve("inside/shop.db").is_ok());
        for path in ["outside/secret.db", "outside/nothing.db", "inside/../outside/secret.db", "inside"] {
            assert!(matches!(folder.resolve(path), Err(SourceError::Refused { .. })), "{path}");
        }
        assert!(matches!(folder.resolve("inside/gone.db"), Err(SourceError::NoSuchDatabase)));
        assert!(matches!(resolve(Path::new("inside/shop.db"), std::slice::from_ref(&folder.0)), Err(SourceError::Refused { .. })));
        assert!(matches!(resolve(&folder.0.join("inside/shop.db"), &[]), Err(SourceError::Refused { .. })));
    }

    #[test]
    fn links_are_followed_before_the_check() {
        let folder = Folder::new();
        symlink(folder.0.join("outside/secret.db"), folder.0.join("inside/link.db")).expect("links can be made");
        symlink(folder.0.join("outside"), folder.0.join("inside/folder")).expect("links can be made");
        symlink(folder.0.join("inside/shop.db"), folder.0.join("inside/alias.db")).expect("links can be made");
        assert!(matches!(folder.resolve("inside/link.db"), Err(SourceError::Refused { .. })));
        assert!(matches!(folder.resolve("inside/folder/secret.db"), Err(SourceError::Refused { .. })));
        let resolved = folder.resolve("inside/alias.db").expect("it lies inside");
        assert!(resolved.ends_with("inside/shop.db"));
    }

    #[test]
    fn a_refusal_tells_nothing_of_other_folders() {
        let folder = Folder::new();
        let existing = folder.resolve("outside/secret.db").expect_err("it lies outside").to_string();
        let missing = folder.resolve("outside/nothing.db").expect_err("it lies outside").to_string();
        assert_eq!(existing, missing);
        assert!(!existing.contains("outside/"));
    }
}
