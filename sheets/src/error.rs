//! Why a workbook can't be read.

use std::io;

/// Why a workbook can't be read. `Display` is a sentence for the file's owner: it names no path of the machine and no content.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It needs a password.
    #[error("the workbook is protected by a password")]
    Encrypted,
    /// It is damaged, or only looks like a workbook.
    #[error("the workbook is damaged: {0}")]
    Corrupt(String),
    /// A bound of [`crate::limits::Limits`] is passed.
    #[error("the workbook is too large: {0}")]
    TooLarge(String),
    /// Its content is of no kind that is read.
    #[error("the file is of no supported kind: {0}")]
    Unsupported(String),
    /// There is no cell with a value in any sheet that may be read.
    #[error("the workbook has no data: {0}")]
    Empty(String),
    /// The file itself, or the folder for the output, failed.
    #[error("the file could not be read")]
    Io(#[source] io::Error),
    /// The output database failed.
    #[error("the workbook's tables could not be stored")]
    Database(#[source] rusqlite::Error),
}

impl ReadError {
    /// The job's error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encrypted => "workbook_encrypted",
            Self::Corrupt(_) => "workbook_corrupt",
            Self::TooLarge(_) => "workbook_too_large",
            Self::Unsupported(_) => "unsupported_format",
            Self::Empty(_) => "workbook_empty",
            Self::Io(_) | Self::Database(_) => "internal",
        }
    }
}
