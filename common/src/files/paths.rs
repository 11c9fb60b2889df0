//! Where objects lie: typed, so that what one program writes another one finds, and no text of a user ever becomes a path.

use std::{fmt, str::FromStr};

use object_store::{Error as StorageError, path::Path as StorePath};
use uuid::Uuid;

use super::FilesError;
use crate::ids::{JobId, LeaseId, QuestionId, WorkbookId};

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

impl ObjectPath {
    /// As the storage takes it.
    pub(super) fn stored(&self) -> StorePath {
        StorePath::from(self.to_string())
    }

    /// What a failure of the storage means for this object.
    pub(super) fn failure(self, error: StorageError) -> FilesError {
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
