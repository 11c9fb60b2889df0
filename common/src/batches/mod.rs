//! Batches as they are sent: an upload is taken apart piece by piece, and every line of it is checked. No I/O but the reader.

mod checker;
mod json;
mod lines;
mod request;
mod upload;

pub use self::{
    checker::{Checked, Checker, LineError, LineProblem, LongestTexts, Verdict, Verdicts},
    request::{Budget, Line, LineShape, OnInvalid, Options},
    upload::{Form, LONGEST_LINE, Piece, Pieces, Unreadable},
};

use crate::word_enum;

/// The longest statement, in bytes: as of a question by itself.
pub const LONGEST_SQL: usize = 64 * 1024;

word_enum! {
    /// Where a batch stands.
    pub enum BatchStatus {
        /// Its questions wait and run.
        Running = "running",
        /// What waits ends, what runs is waited for.
        Cancelling = "cancelling",
        /// All of its questions have ended.
        Completed = "completed",
        /// Its owner stopped it.
        Cancelled = "cancelled",
        /// Its budget was spent, so the rest was not asked.
        BudgetSpent = "budget_spent",
    }
}

impl BatchStatus {
    /// Whether it is over for good.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Running | Self::Cancelling)
    }
}
