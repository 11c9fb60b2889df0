//! Result files, charts and uploads, in a folder that all processes share or in a bucket.
//!
//! Paths are typed, so that what one program writes another one finds, and no text of a user ever becomes a path.

mod bucket;
mod errors;
pub mod kind;
mod paths;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::{fmt, ops::Range, path::Path, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    Error as StorageError, GetOptions, GetRange, ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path as StorePath,
};

pub use self::{
    errors::{FilesError, is_full},
    paths::{ObjectPath, ObjectPrefix},
    walk::Found,
    writer::FileWriter,
};
use crate::{lifecycle, settings::FileRoot};

/// The largest object read into memory at once; larger ones are streamed or read by range.
pub const MAX_WHOLE_BYTES: u64 = 64 * 1_048_576;

/// Bytes that go to a folder at once.
const PART_BYTES: usize = 1_048_576;
/// A bucket takes no smaller parts but the last one, and no more than 10,000.
const BUCKET_PART_BYTES: usize = 5 * 1_048_576;

/// The file storage, cheap to clone.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Folder(Arc<Path>),
    Bucket,
}

impl fmt::Debug for Files {
    // The store holds keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Files {
    /// Opens the storage: a folder, which is made if it is missing, or a bucket, which may be away. Blocks for some system calls; done
    /// once at start.
    ///
    /// # Errors
    /// [`FilesError::Root`], [`FilesError::Bucket`] and [`FilesError::Storage`].
    pub fn open(root: &FileRoot) -> Result<Self, FilesError> {
        match root {
            FileRoot::Folder(folder) => Self::in_folder(folder),
            FileRoot::Bucket(settings) => {
                let files = Self { store: bucket::open(settings)?, place: Place::Bucket };
                files.look();
                Ok(files)
            }
        }
    }

    /// Opens the storage in a folder.
    ///
    /// # Errors
    /// [`FilesError::Root`] and [`FilesError::Storage`].
    pub fn in_folder(root: &Path) -> Result<Self, FilesError> {
        std::fs::create_dir_all(root).map_err(|source| FilesError::Root { folder: root.display().to_string(), source })?;
        // A result is published by a commit that names its file: after a power cut the file must be there.
        let store = LocalFileSystem::new_with_prefix(root).map_err(FilesError::Storage)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), place: Place::Folder(root.into()) })
    }

    // Whether the bucket answers; the log says so where it does not. Whoever starts learns of a wrong key at once, and starts all the
    // same, for it may be away for a while only.
    fn look(&self) {
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let files = self.clone();
        lifecycle::spawn("files.look", async move {
            if let Some(Err(error)) = files.store.list(None).next().await {
                tracing::error!(error = &error as &dyn std::error::Error, "the bucket of files.root does not answer, or lets nobody in");
            }
        });
    }

    /// Writes an object whole; it appears when it is complete, in the place of an older one.
    ///
    /// # Errors
    /// [`FilesError::Storage`].
    pub async fn put_bytes(&self, path: ObjectPath, bytes: Vec<u8>) -> Result<(), FilesError> {
        self.store.put(&path.stored(), bytes.into()).await.map_err(|error| path.failure(error))?;
        Ok(())
    }

    /// Starts an object that is written piece by piece, with two or three parts of it in memory.
    #[must_use]
    pub fn writer(&self, path: ObjectPath) -> FileWriter {
        let part_bytes = match self.place {
            Place::Folder(_) => PART_BYTES,
            Place::Bucket => BUCKET_PART_BYTES,
        };
        FileWriter::new(self.store.clone(), path, part_bytes)
    }

    /// How many bytes an object has.
    ///
    /// # Errors
    /// [`FilesError::NotFound`] and [`FilesError::Storage`].
    pub async fn size(&self, path: ObjectPath) -> Result<u64, FilesError> {
        let meta = self.store.head(&path.stored()).await.map_err(|error| path.failure(error))?;
        Ok(meta.size)
    }

    /// Reads an object whole.
    ///
    /// # Errors
    /// [`FilesError::TooLong`] beyond [`MAX_WHOLE_BYTES`], [`FilesError::NotFound`] and [`FilesError::Storage`].
    pub async fn get_bytes(&self, path: ObjectPath) -> Result<Vec<u8>, FilesError> {
        let found = self.store.get(&path.stored()).await.map_err(|error| path.failure(error))?;
        if found.meta.size > MAX_WHOLE_BYTES {
            return Err(FilesError::TooLong { path, bytes: found.meta.size });
        }
        let bytes = found.bytes().await.map_err(|error| path.failure(error))?;
        Ok(bytes.into())
    }

    /// Reads these bytes of an object; fewer if it ends before, none if it ends before the first.
    ///
    /// # Errors
    /// [`FilesError::TooLong`] for a range beyond [`MAX_WHOLE_BYTES`], [`FilesError::NotFound`] and [`FilesError::Storage`].
    pub async fn get_range(&self, path: ObjectPath, range: Range<u64>) -> Result<Vec<u8>, FilesError> {
        let range = range.start..range.end.min(self.size(path).await?);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let length = range.end - range.start;
        if length > MAX_WHOLE_BYTES {
            return Err(FilesError::TooLong { path, bytes: length });
        }
        let bytes = self.store.get_range(&path.stored(), range).await.map_err(|error| path.failure(error))?;
        Ok(bytes.into())
    }

    /// Reads an object in small pieces.
    ///
    /// # Errors
    /// [`FilesError::NotFound`] and [`FilesError::Storage`], the latter also within the stream.
    pub async fn stream(&self, path: ObjectPath) -> Result<BoxStream<'static, Result<Vec<u8>, FilesError>>, FilesError> {
        let found = self.store.get(&path.stored()).await.map_err(|error| path.failure(error))?;
        Ok(found.into_stream().map_ok(Vec::<u8>::from).map_err(FilesError::Storage).boxed())
    }

    /// Reads an object in small pieces, from a byte on.
    ///
    /// # Errors
    /// As [`Files::stream`].
    pub async fn stream_from(&self, path: ObjectPath, offset: u64) -> Result<BoxStream<'static, Result<Vec<u8>, FilesError>>, FilesError> {
        let options = GetOptions { range: Some(GetRange::Offset(offset)), ..GetOptions::default() };
        let found = self.store.get_opts(&path.stored(), options).await.map_err(|error| path.failure(error))?;
        Ok(found.into_stream().map_ok(Vec::<u8>::from).map_err(FilesError::Storage).boxed())
    }

    /// Makes an object of the same content, in the place of an older one; in a folder without copying its bytes.
    ///
    /// # Errors
    /// [`FilesError::NotFound`] and [`FilesError::Storage`].
    pub async fn copy(&self, from: ObjectPath, to: ObjectPath) -> Result<(), FilesError> {
        self.store.copy(&from.stored(), &to.stored()).await.map_err(|error| from.failure(error))
    }

    /// Deletes an object. Says whether there was one; a bucket can't tell, and says yes.
    ///
    /// # Errors
    /// [`FilesError::Storage`].
    pub async fn delete(&self, path: ObjectPath) -> Result<bool, FilesError> {
        match self.store.delete(&path.stored()).await {
            Ok(()) => Ok(true),
            Err(StorageError::NotFound { .. }) => Ok(false),
            Err(error) => Err(FilesError::Storage(error)),
        }
    }

    /// Deletes all objects of a folder and says how many. Objects that somebody else deletes meanwhile are no error.
    ///
    /// # Errors
    /// [`FilesError::Storage`].
    pub async fn delete_prefix(&self, prefix: ObjectPrefix) -> Result<u64, FilesError> {
        let mut listed = self.store.list(Some(&StorePath::from(prefix.to_string())));
        let mut deleted = 0;
        while let Some(meta) = listed.next().await {
            let location = match meta {
                Ok(meta) => meta.location,
                Err(StorageError::NotFound { .. }) => continue,
                Err(error) => return Err(FilesError::Storage(error)),
            };
            match self.store.delete(&location).await {
                Ok(()) => deleted += 1,
                Err(StorageError::NotFound { .. }) => {}
                Err(error) => return Err(FilesError::Storage(error)),
            }
        }
        Ok(deleted)
    }
}
