//! What a worker and the process that reads a workbook for it say to each other: a request, as one line of JSON on standard input; lines
//! of JSON on standard output.

use std::path::PathBuf;

use datagenie_common::model::{language::Language, questions::FailureCode, workbooks::Prepared};
use datagenie_sheets::run::Request;
use serde::{Deserialize, Serialize};

/// What is asked of the reading process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// What is read, and where its tables go.
    pub request: Request,
    /// Where the analysis goes, as JSON; it must not exist.
    pub analysis: PathBuf,
}

/// A line of the answer: `{"rows":5000}` now and then, and one of the others at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Rows read so far.
    Rows(u64),
    /// The end: both files are written.
    Found(Read),
    /// The end: there is nothing.
    Error(Refusal),
}

/// What was made of a workbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// What the SQLite file holds.
    pub prepared: Prepared,
    /// The language of the analysis.
    pub language: Language,
}

/// Why a workbook is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code; `internal`: not the workbook's fault.
    pub code: FailureCode,
    /// A sentence for the file's owner.
    pub message: String,
    /// Nothing is wrong but that the disk is full.
    #[serde(default)]
    pub is_full: bool,
}
