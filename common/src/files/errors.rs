//! Why files are not read or written, and what may be done about it.

use std::{error::Error as StdError, io};

use object_store::Error as StorageError;

use super::ObjectPath;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The folder cannot be made or opened.
    #[error("the folder {folder} (files.root) cannot be used")]
    Root {
        /// Which.
        folder: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// There is no such object.
    #[error("there is no file {0}")]
    NotFound(ObjectPath),
    /// Too large for memory.
    #[error("the file {path} has {bytes} bytes, too many to be read at once")]
    TooLong {
        /// Which.
        path: ObjectPath,
        /// How large it is.
        bytes: u64,
    },
    /// The text is no path of ours.
    #[error("not the path of a result or chart")]
    NotAPath,
    /// The settings of the bucket can't be used.
    #[error("the bucket of files.root cannot be used with these settings")]
    Bucket(#[source] StorageError),
    /// The storage failed.
    #[error("the file storage failed")]
    Storage(#[source] StorageError),
}

impl FilesError {
    /// Whether the storage itself is away, or lets nobody in: the same may work later. A folder is never away.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            // What a bucket says of itself is about all of its objects; an object that is missing has another error.
            Self::Storage(StorageError::Generic { store, .. }) => *store == BUCKET_STORE,
            Self::Storage(error) => matches!(
                error,
                StorageError::NotFound { .. } | StorageError::PermissionDenied { .. } | StorageError::Unauthenticated { .. }
            ),
            _ => false,
        }
    }

    /// Whether there is no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Root { source, .. } => is_full(source),
            Self::Storage(error) => is_full(error),
            _ => false,
        }
    }
}

/// As errors name it.
const BUCKET_STORE: &str = "S3";

/// Whether an error comes of a full disk, a spent quota or a limit on the length of files, however deep it says so.
#[must_use]
pub fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let no_room = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge);
    let mut next = Some(error);
    while let Some(error) = next {
        next = match error.downcast_ref::<io::Error>() {
            Some(io) if no_room(io.kind()) => return true,
            // Its own source is that of the error in it.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(store: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> FilesError {
        FilesError::Storage(StorageError::Generic { store, source: source.into() })
    }

    #[test]
    fn a_full_disk_is_told_however_deep_it_is_said() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(generic("LocalFileSystem", full()).is_full());
        assert!(generic("LocalFileSystem", io::Error::other(io::Error::other(full()))).is_full());
        for kind in [io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
            assert!(FilesError::Root { folder: String::new(), source: kind.into() }.is_full(), "{kind}");
        }
        assert!(!generic("LocalFileSystem", io::Error::from(io::ErrorKind::NotFound)).is_full());
        assert!(!generic("S3", "503").is_full());
    }

    #[test]
    fn a_bucket_may_be_away_and_a_folder_is_not() {
        assert!(generic("S3", "connection refused").is_outage());
        assert!(FilesError::Storage(StorageError::PermissionDenied { path: String::new(), source: "403".into() }).is_outage());
        assert!(!generic("LocalFileSystem", io::Error::from(io::ErrorKind::StorageFull)).is_outage());
        assert!(!FilesError::NotAPath.is_outage());
    }
}
