//! All that lies in file storage, for who looks for what nobody names any more.

use std::{
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use futures::StreamExt;
use object_store::{Error as StorageError, ObjectMeta, ObjectStoreExt, path::Path as StorePath};
use tokio::sync::mpsc;

use super::{Files, FilesError, Place};
use crate::lifecycle;

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
        match &self.place {
            Place::Folder(root) => {
                let root = root.clone();
                let walk = tokio::task::spawn_blocking(move || {
                    if let Err(source) = folder(&root, &root, &found) {
                        let _ = found.blocking_send(Err(FilesError::Root { folder: root.display().to_string(), source }));
                    }
                });
                // It ends with its sender, which the reader sees.
                drop(walk);
            }
            Place::Bucket => {
                let mut listed = self.store.list(None);
                lifecycle::spawn("files.walk", async move {
                    while let Some(meta) = listed.next().await {
                        let is_last = meta.is_err();
                        let one = meta.map(listed_file).map_err(FilesError::Storage);
                        if found.send(one).await.is_err() || is_last {
                            return;
                        }
                    }
                });
            }
        }
        waiting
    }

    /// Whether there is a file at a path as [`Found`] and the rows have it; false for a path that leads out of the storage.
    ///
    /// # Errors
    /// [`FilesError::Root`] and [`FilesError::Storage`] where that can't be said.
    pub async fn has(&self, path: &str) -> Result<bool, FilesError> {
        if !is_plain(path) {
            return Ok(false);
        }
        let root = match &self.place {
            Place::Folder(root) => root,
            Place::Bucket => {
                return match self.store.head(&StorePath::from(path)).await {
                    Ok(_) => Ok(true),
                    Err(StorageError::NotFound { .. }) => Ok(false),
                    Err(error) => Err(FilesError::Storage(error)),
                };
            }
        };
        let place = root.join(path);
        match tokio::fs::metadata(&place).await {
            Ok(meta) => Ok(meta.is_file()),
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => Ok(false),
            Err(source) => Err(FilesError::Root { folder: place.display().to_string(), source }),
        }
    }

    /// Deletes a file of a walk, and the folders that it leaves empty. Says whether there was one; a bucket can't tell, and says yes.
    ///
    /// # Errors
    /// [`FilesError::Root`] and [`FilesError::Storage`].
    pub async fn remove(&self, path: &str) -> Result<bool, FilesError> {
        if !is_plain(path) {
            return Ok(false);
        }
        let root = match &self.place {
            Place::Folder(root) => root,
            Place::Bucket => {
                return match self.store.delete(&StorePath::from(path)).await {
                    Ok(()) => Ok(true),
                    Err(StorageError::NotFound { .. }) => Ok(false),
                    Err(error) => Err(FilesError::Storage(error)),
                };
            }
        };
        let place = root.join(path);
        let removed = match tokio::fs::remove_file(&place).await {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::NotADirectory => false,
            Err(source) => return Err(FilesError::Root { folder: place.display().to_string(), source }),
        };
        let mut above = place.parent();
        while let Some(folder) = above.filter(|folder| *folder != &**root) {
            // Not empty, or gone: either ends it.
            if tokio::fs::remove_dir(folder).await.is_err() {
                break;
            }
            above = folder.parent();
        }
        Ok(removed)
    }
}

/// Whether a path leads to something below the root.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']))
}

fn listed_file(meta: ObjectMeta) -> Found {
    let age = since(meta.last_modified.into()).unwrap_or_default();
    Found { path: meta.location.to_string(), bytes: meta.size, age }
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
            let age = meta.modified().ok().and_then(since).unwrap_or_default();
            if found.blocking_send(Ok(Found { path: path.to_owned(), bytes: meta.len(), age })).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the age of a file is by the clock of the machine that wrote it")]
fn since(moment: SystemTime) -> Option<Duration> {
    SystemTime::now().duration_since(moment).ok()
}
