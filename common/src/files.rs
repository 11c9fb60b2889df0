//! Result files and charts, in a folder that all processes share.
//!
//! Paths are typed, so that what one program writes another one finds, and no text of a user ever becomes a path.

use std::{fmt, io, ops::Range, path::Path, str::FromStr, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    Error as StorageError, GetOptions, GetRange, ObjectStore, ObjectStoreExt, buffered::BufWriter, local::LocalFileSystem,
    path::Path as StorePath,
};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::ids::{JobId, LeaseId, QuestionId, WorkbookId};

/// The largest object read into memory at once; larger ones are streamed or read by range.
pub const MAX_WHOLE_BYTES: u64 = 64 * 1_048_576;

const PART_BYTES: usize = 1_048_576;
const PARTS_IN_FLIGHT: usize = 2;

/// Where an object lies. `Display` and `FromStr` are the path as stored beside a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectPath {
    /// `results/{job}/{lease}/rows.jsonl`: the rows that one attempt at a job brought, one JSON array a line.
    Rows {
        /// The job.
        job: JobId,
        /// The attempt's lease.
        lease: LeaseId,
    },
    /// `charts/{question}/{job}.svg`
    ChartSvg {
        /// The question.
        question: QuestionId,
        /// The job that answered it.
        job: JobId,
    },
    /// `charts/{question}/{job}.png`
    ChartPng {
        /// The question.
        question: QuestionId,
        /// The job that answered it.
        job: JobId,
    },
    /// `workbooks/{workbook}/content`: an upload as it came.
    Content {
        /// The workbook.
        workbook: WorkbookId,
    },
    /// `workbooks/{workbook}/{lease}/tables.sqlite`: what one attempt made of it, for questions.
    Tables {
        /// The workbook.
        workbook: WorkbookId,
        /// The attempt's lease.
        lease: LeaseId,
    },
    /// `workbooks/{workbook}/{lease}/analysis.json`: what one attempt found in it.
    Analysis {
        /// The workbook.
        workbook: WorkbookId,
        /// The attempt's lease.
        lease: LeaseId,
    },
}

/// A folder of objects that are deleted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectPrefix {
    /// `results/{job}`: what all attempts at a job brought.
    Job(JobId),
    /// `results/{job}/{lease}`: what one attempt brought.
    Attempt(JobId, LeaseId),
    /// `charts/{question}`
    Question(QuestionId),
    /// `workbooks/{workbook}`: an upload and all that was made of it.
    Workbook(WorkbookId),
    /// `workbooks/{workbook}/{lease}`: what one attempt made of it.
    Reading(WorkbookId, LeaseId),
}

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
    /// The storage failed.
    #[error("the file storage failed")]
    Storage(#[source] StorageError),
    /// Writing failed.
    #[error("the file {path} could not be written")]
    Write {
        /// Which.
        path: ObjectPath,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The file storage, cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    root: Arc<Path>,
}

impl Files {
    /// Opens the storage in this folder, which is made if it is missing. Blocks for some system calls; done once at start.
    ///
    /// # Errors
    /// [`FilesError::Root`] and [`FilesError::Storage`].
    pub fn open(root: &Path) -> Result<Self, FilesError> {
        std::fs::create_dir_all(root).map_err(|source| FilesError::Root { folder: root.display().to_string(), source })?;
        // A result is published by a commit that names its file: after a power cut the file must be there.
        let store = LocalFileSystem::new_with_prefix(root).map_err(FilesError::Storage)?.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), root: root.into() })
    }

    /// Writes an object whole; it appears when it is complete, in the place of an older one.
    ///
    /// # Errors
    /// [`FilesError::Storage`].
    pub async fn put_bytes(&self, path: ObjectPath, bytes: Vec<u8>) -> Result<(), FilesError> {
        self.store.put(&path.stored(), bytes.into()).await.map_err(|error| path.failure(error))?;
        Ok(())
    }

    /// Starts an object that is written piece by piece, with at most a few MiB in memory.
    #[must_use]
    pub fn writer(&self, path: ObjectPath) -> FileWriter {
        let writer = BufWriter::with_capacity(self.store.clone(), path.stored(), PART_BYTES).with_max_concurrency(PARTS_IN_FLIGHT);
        FileWriter { path, writer, bytes: 0 }
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

    /// Deletes an object. Says whether there was one.
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

/// An object that is being written. It appears when [`finish`](Self::finish) returns; dropped before, it never does.
#[derive(Debug)]
pub struct FileWriter {
    path: ObjectPath,
    writer: BufWriter,
    bytes: u64,
}

impl FileWriter {
    /// Appends bytes.
    ///
    /// # Errors
    /// [`FilesError::Storage`]; the object is lost then.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), FilesError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.writer.put(bytes.into()).await.map_err(FilesError::Storage)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(())
    }

    /// Bytes appended so far: the offset of what comes next.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.bytes
    }

    /// Completes the object and says how many bytes it has.
    ///
    /// # Errors
    /// [`FilesError::Write`].
    pub async fn finish(mut self) -> Result<u64, FilesError> {
        self.writer.shutdown().await.map_err(|source| FilesError::Write { path: self.path, source })?;
        Ok(self.bytes)
    }

    /// Gives the object up and removes what was written.
    ///
    /// # Errors
    /// [`FilesError::Storage`].
    pub async fn abort(mut self) -> Result<(), FilesError> {
        self.writer.abort().await.map_err(FilesError::Storage)
    }
}

impl ObjectPath {
    fn stored(&self) -> StorePath {
        StorePath::from(self.to_string())
    }

    fn failure(self, error: StorageError) -> FilesError {
        match error {
            StorageError::NotFound { .. } => FilesError::NotFound(self),
            other => FilesError::Storage(other),
        }
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { job, lease } => write!(f, "results/{job}/{lease}/rows.jsonl"),
            Self::ChartSvg { question, job } => write!(f, "charts/{question}/{job}.svg"),
            Self::ChartPng { question, job } => write!(f, "charts/{question}/{job}.png"),
            Self::Content { workbook } => write!(f, "workbooks/{workbook}/content"),
            Self::Tables { workbook, lease } => write!(f, "workbooks/{workbook}/{lease}/tables.sqlite"),
            Self::Analysis { workbook, lease } => write!(f, "workbooks/{workbook}/{lease}/analysis.json"),
        }
    }
}

impl FromStr for ObjectPath {
    type Err = FilesError;

    fn from_str(text: &str) -> Result<Self, FilesError> {
        let parts: Vec<&str> = text.split('/').take(5).collect();
        let path = match parts.as_slice() {
            ["results", job, lease, "rows.jsonl"] => Self::Rows { job: JobId(id(job)?), lease: LeaseId(id(lease)?) },
            ["workbooks", workbook, "content"] => Self::Content { workbook: WorkbookId(id(workbook)?) },
            ["workbooks", workbook, lease, "tables.sqlite"] => {
                Self::Tables { workbook: WorkbookId(id(workbook)?), lease: LeaseId(id(lease)?) }
            }
            ["workbooks", workbook, lease, "analysis.json"] => {
                Self::Analysis { workbook: WorkbookId(id(workbook)?), lease: LeaseId(id(lease)?) }
            }
            ["charts", question, picture] => {
                let question = QuestionId(id(question)?);
                match picture.split_once('.') {
                    Some((job, "svg")) => Self::ChartSvg { question, job: JobId(id(job)?) },
                    Some((job, "png")) => Self::ChartPng { question, job: JobId(id(job)?) },
                    _ => return Err(FilesError::NotAPath),
                }
            }
            _ => return Err(FilesError::NotAPath),
        };
        // One spelling only: what is read is what would be written.
        if path.to_string() == text { Ok(path) } else { Err(FilesError::NotAPath) }
    }
}

fn id(text: &str) -> Result<Uuid, FilesError> {
    Uuid::parse_str(text).map_err(|_| FilesError::NotAPath)
}

impl fmt::Display for ObjectPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(job) => write!(f, "results/{job}"),
            Self::Attempt(job, lease) => write!(f, "results/{job}/{lease}"),
            Self::Question(question) => write!(f, "charts/{question}"),
            Self::Workbook(workbook) => write!(f, "workbooks/{workbook}"),
            Self::Reading(workbook, lease) => write!(f, "workbooks/{workbook}/{lease}"),
        }
    }
}

pub mod kind;
mod walk;

pub use self::walk::Found;

#[cfg(test)]
mod tests;
