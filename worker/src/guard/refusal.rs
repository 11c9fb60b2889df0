//! Why a statement may not run: a sentence that a person and a model can act on.

use datagenie_common::model::questions::{Failure, FailureCode, Position};
use sqlparser::tokenizer::Span;

/// A statement that may not run, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// `sql_refused` (may not run), `sql_invalid` (means nothing on this database) or `permission_denied`.
    pub code: FailureCode,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where, if the parser knows.
    pub position: Option<Position>,
}

/// The result of a step of the check.
pub(super) type Checked<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, position: None }
    }

    /// The statement may not run, whatever it means.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(FailureCode::SqlRefused, message)
    }

    /// The statement means nothing on this database.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(FailureCode::SqlInvalid, message)
    }

    /// The policy does not let this user read it.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(FailureCode::PermissionDenied, message)
    }

    /// Says what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says where it is, unless that is known already.
    pub(super) fn at(mut self, span: Span) -> Self {
        if self.position.is_none() && span.start.line > 0 {
            self.position = Some(Position { line: span.start.line, column: span.start.column });
        }
        self
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let mut failure = Self::new(refusal.code, refusal.message);
        failure.hint = refusal.hint;
        failure.position = refusal.position;
        failure
    }
}
