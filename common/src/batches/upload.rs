//! An upload, piece by piece: lines of JSON, or one JSON object with a long array of questions. No more of it is held than one piece.

use std::io::{self, BufRead};

use super::{json::JsonPieces, lines::LinePieces};

/// Bytes of one line, or of one element of `questions`. The longest question and statement fit, however they are escaped.
pub const LONGEST_LINE: usize = 1024 * 1024;
/// What some programs begin a text in UTF-8 with.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Bytes of any other field.
pub(super) const LONGEST_FIELD: usize = 64 * 1024;

/// How an upload is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One object, `{"questions": […], …}`.
    Json,
    /// A JSON object on every line.
    Lines,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A field of the object beside `questions`: its name, and its value as JSON text.
    Field(String, Vec<u8>),
    /// A line: its number from 1 (of a JSON array: its place), and its text; none: it is longer than [`LONGEST_LINE`].
    Line(u32, Option<Vec<u8>>),
}

/// Why an upload can't be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It could not be read.
    #[error("the upload could not be read again")]
    Io(#[from] io::Error),
    /// It is no JSON, from this byte on.
    #[error("{what} at byte {at}")]
    Malformed {
        /// Where, from 0.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// It is JSON, and no batch: the body is no object, or its `questions` are no array.
    #[error("must be {expected}")]
    Shape {
        /// The field; empty: the body as a whole.
        field: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

/// The pieces of an upload.
pub enum Pieces<R> {
    /// Of one JSON object.
    Json(JsonPieces<R>),
    /// Of lines.
    Lines(LinePieces<R>),
}

impl<R: BufRead> Pieces<R> {
    /// Takes this upload apart.
    pub fn of(form: Form, reader: R) -> Self {
        match form {
            Form::Json => Self::Json(JsonPieces::new(reader)),
            Form::Lines => Self::Lines(LinePieces::new(reader)),
        }
    }

    /// The next piece; none: that was all.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn next_piece(&mut self) -> Result<Option<Piece>, Unreadable> {
        match self {
            Self::Json(pieces) => pieces.next_piece(),
            Self::Lines(pieces) => pieces.next_piece(),
        }
    }
}
