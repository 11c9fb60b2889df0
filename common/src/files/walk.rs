//! All that lies in file storage, for who looks for what nobody names any more.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

use super::{Files, FilesError};

/// Files that may wait for who reads the walk.
const AHEAD: usize = 512;

/// A file of the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path below the root, with `/` between the parts. One that a writer left unfinished ends in `#` and a number.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// How long ago it was last written; zero where that lies ahead.
    pub age: Duration,
}

impl Files {
    /// Walks through all files, in no order, with at most a few hundred in memory. What is deleted meanwhile may come or not.
    ///
    /// The walk ends early where the receiver is dropped.
    #[must_use]
    pub fn walk(&self) -> mpsc::Receiver<Result<Found, FilesError>> {
        let (found, waiting) = mpsc::channel(AHEAD);
        let root = self.root.clone();
        let walk = tokio::task::spawn_blocking(move || {
            if let Err(source) = folder(&root, &root, &found) {
                let _ = found.blocking_send(Err(FilesError::Root { folder: root.display().to_string(), source }));
            }
        });
        // It ends with its sender, which the reader sees.
        drop(walk);
        waiting
    }

    /// Whether there is a file at a path as [`Found`] and the rows have it; false for a path that leads out of the storage.
    ///
    /// # Errors
    /// [`FilesError::Root`] where that can't be said.
    pub async fn has(&self, path: &str) -> Result<bool, FilesError> {
        let Some(place) = self.place(path) else { return Ok(false) };
        match tokio::fs::metadata(&place).await {
            Ok(meta) => Ok(meta.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => Ok(false),
            Err(source) => Err(FilesError::Root { folder: place.display().to_string(), source }),
        }
    }

    /// Deletes a file of a walk, and the folders that it leaves empty. Says whether there was one.
    ///
    /// # Errors
    /// [`FilesError::Root`].
    pub async fn remove(&self, path: &str) -> Result<bool, FilesError> {
        let Some(place) = self.place(path) else { return Ok(false) };
        let removed = match tokio::fs::remove_file(&place).await {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => false,
            Err(source) => return Err(FilesError::Root { folder: place.display().to_string(), source }),
        };
        let mut above = place.parent();
        while let Some(folder) = above.filter(|folder| *folder != &*self.root) {
            // Not empty, or gone: either ends it.
            if tokio::fs::remove_dir(folder).await.is_err() {
                break;
            }
            above = folder.parent();
        }
        Ok(removed)
    }

    fn place(&self, path: &str) -> Option<PathBuf> {
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
        path.split('/').all(is_plain).then(|| self.root.join(path))
    }
}

/// Sends all files below a folder; `Err` only where a folder can't be read.
fn folder(root: &Path, folder_path: &Path, found: &mpsc::Sender<Result<Found, FilesError>>) -> io::Result<()> {
    let entries = match fs::read_dir(folder_path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder_path != root => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // A link is not followed: nothing of ours is one.
        let meta = match entry.metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if meta.is_dir() {
            folder(root, &entry.path(), found)?;
        } else if meta.is_file() {
            let place = entry.path();
            let Some(path) = place.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
            let age = age(&meta).unwrap_or_default();
            if found.blocking_send(Ok(Found { path: path.to_owned(), bytes: meta.len(), age })).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the age of a file is by the clock of the machine that wrote it")]
fn age(meta: &fs::Metadata) -> Option<Duration> {
    SystemTime::now().duration_since(meta.modified().ok()?).ok()
}
