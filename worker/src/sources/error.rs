//! Why a customer's database did not answer. No variant keeps the database's own error: its text carries data (`invalid input syntax
//! for type integer: "kim@example.com"`), and neither users, nor the model, nor the logs may see that.

use std::time::Duration;

use datagenie_common::model::questions::{Failure, FailureCode, Position};

/// Names longer than this are cut in messages.
const NAME_CHARS: usize = 63;

/// What a sink said instead of taking a row.
#[derive(Debug, thiserror::Error)]
#[error("the rows of the result could not be taken")]
pub struct SinkError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What went wrong at a source. Positions are places in the statement that ran.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody answers, or the connection broke.
    #[error("the database does not answer: {reason}")]
    Unreachable {
        /// In a few words of ours.
        reason: String,
    },
    /// It did not answer so often in a row that it is not asked for a while.
    #[error("the database does not answer, and is left alone for a while")]
    Resting {
        /// When to try again, at the earliest.
        after: Duration,
    },
    /// The database answers, and does not serve us.
    #[error("the database refuses: {reason}")]
    Refused {
        /// In a few words of ours.
        reason: String,
    },
    /// Wrong user name or password, or no entry for us in the server's access rules.
    #[error("the database refuses the user name, the password or this host")]
    Authentication,
    /// The server or the folder has no database of this name.
    #[error("the database does not exist")]
    NoSuchDatabase,
    /// The server's or our own limit of sessions is reached.
    #[error("all connections to the database are in use")]
    TooManyConnections,
    /// No secured wire could be agreed on.
    #[error("the connection to the database could not be secured: {reason}")]
    Tls {
        /// In a few words of ours.
        reason: String,
    },
    /// The role may not read what the statement reads.
    #[error("the database's role is not permitted to read this")]
    Permission,
    /// A time limit ended the statement.
    #[error("the statement was ended after its time limit of {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The caller ended the statement.
    #[error("the statement was cancelled")]
    Cancelled,
    /// The text is not SQL of this engine.
    #[error("the statement has a syntax error{}", at_word(.near.as_deref()))]
    Syntax {
        /// The word it is at.
        near: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// A column that does not exist.
    #[error("the statement names a column that does not exist{}", that_name(.name.as_deref()))]
    UnknownColumn {
        /// As the statement names it.
        name: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// A table, view or schema that does not exist.
    #[error("the statement names a table that does not exist{}", that_name(.name.as_deref()))]
    UnknownRelation {
        /// As the statement names it.
        name: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// A function or operator that does not exist for these arguments.
    #[error("no function or operator of this name takes these arguments{}", that_name(.name.as_deref()))]
    UnknownFunction {
        /// As the statement names it.
        name: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// Anything else about the statement, or about the data it computes with.
    #[error("{reason}{}", at_word(.near.as_deref()))]
    InvalidStatement {
        /// In words of ours.
        reason: String,
        /// The word it is at.
        near: Option<String>,
        /// Where.
        position: Option<Position>,
    },
    /// Not even one row fits into the bytes that a result may have.
    #[error("one row is larger than the result may be, {limit} bytes")]
    RowTooLarge {
        /// Bytes that a result may have.
        limit: u64,
    },
    /// Not built, or not possible with this engine.
    #[error("{what}")]
    Unsupported {
        /// In words of ours.
        what: String,
    },
    /// The sink failed.
    #[error("the result could not be passed on")]
    Sink(#[from] SinkError),
    /// A fault of ours.
    #[error("reading the database failed: {reason}")]
    Internal {
        /// In a few words of ours.
        reason: String,
    },
}

fn at_word(word: Option<&str>) -> String {
    word.map(|word| format!(", near `{}`", short(word))).unwrap_or_default()
}

fn that_name(word: Option<&str>) -> String {
    word.map(|word| format!(": `{}`", short(word))).unwrap_or_default()
}

fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}

impl SourceError {
    /// Nobody answers.
    pub(super) fn unreachable(reason: impl Into<String>) -> Self {
        Self::Unreachable { reason: reason.into() }
    }

    /// Somebody answers and refuses.
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// A fault of ours.
    pub(super) fn internal(reason: impl Into<String>) -> Self {
        Self::Internal { reason: reason.into() }
    }

    /// A statement that cannot run, for a reason without a place.
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidStatement { reason: reason.into(), near: None, position: None }
    }

    /// Whether the database is away or full, which is nobody's fault and passes: the job asks again later.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Resting { .. } | Self::TooManyConnections)
    }

    /// How long to stay away, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Resting { after } => Some(*after),
            _ => None,
        }
    }

    /// Whether another statement may succeed where this one did not: worth a repair.
    #[must_use]
    pub fn is_about_the_statement(&self) -> bool {
        self.code() == FailureCode::SqlInvalid
    }

    fn code(&self) -> FailureCode {
        match self {
            Self::Unreachable { .. } | Self::Resting { .. } => FailureCode::SourceUnreachable,
            Self::Refused { .. }
            | Self::Authentication
            | Self::NoSuchDatabase
            | Self::TooManyConnections
            | Self::Tls { .. }
            | Self::Unsupported { .. } => FailureCode::SourceRefused,
            Self::Permission => FailureCode::SourcePermission,
            Self::Timeout { .. } => FailureCode::Timeout,
            Self::Syntax { .. }
            | Self::UnknownColumn { .. }
            | Self::UnknownRelation { .. }
            | Self::UnknownFunction { .. }
            | Self::InvalidStatement { .. } => FailureCode::SqlInvalid,
            Self::RowTooLarge { .. } => FailureCode::ByteLimit,
            // A cancelled question shows its state, not this: the code only matters when a worker ends the statement for its own reasons.
            Self::Cancelled | Self::Sink(_) | Self::Internal { .. } => FailureCode::Internal,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable { .. } | Self::Resting { .. } => "check host and port and that the database is up; it is tried again",
            Self::Authentication => "check user name and password, and the server's access rules for this host",
            Self::NoSuchDatabase => "check the name of the database",
            Self::TooManyConnections => "it is tried again; raise the connection's max_connections or the server's limit if it lasts",
            Self::Tls { .. } => "check the server's certificate, or choose another ssl_mode",
            Self::Permission => "ask the database's administrator to grant SELECT on it to the role",
            Self::Timeout { .. } => "ask for less: a shorter period, fewer tables, or a higher limit",
            Self::RowTooLarge { .. } => "select fewer or shorter columns",
            Self::UnknownColumn { .. } | Self::UnknownRelation { .. } => {
                "use the names of the connection's schema; sync it if the database has changed"
            }
            _ => return None,
        })
    }

    fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax { position, .. }
            | Self::UnknownColumn { position, .. }
            | Self::UnknownRelation { position, .. }
            | Self::UnknownFunction { position, .. }
            | Self::InvalidStatement { position, .. } => *position,
            _ => None,
        }
    }

    /// The failure as the contract tells it, without the stage.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let mut failure = Failure::new(self.code(), self.to_string());
        failure.hint = self.hint().map(str::to_owned);
        failure.position = self.position();
        failure.retryable = self.is_outage() || matches!(self, Self::Timeout { .. } | Self::Cancelled | Self::Sink(_));
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_retryable_and_refusals_are_not() {
        let away = SourceError::unreachable("connection refused");
        assert!(away.is_outage());
        assert!(away.failure().retryable);
        assert_eq!(away.failure().code, FailureCode::SourceUnreachable);
        let wrong = SourceError::Authentication;
        assert!(!wrong.is_outage());
        assert!(!wrong.failure().retryable);
        assert_eq!(wrong.failure().code, FailureCode::SourceRefused);
        assert!(SourceError::TooManyConnections.is_outage());
        let resting = SourceError::Resting { after: Duration::from_secs(3) };
        assert!(resting.is_outage());
        assert_eq!((resting.failure().code, resting.retry_after()), (FailureCode::SourceUnreachable, Some(Duration::from_secs(3))));
    }

    #[test]
    fn a_row_too_large_says_what_to_do() {
        let failure = SourceError::RowTooLarge { limit: 1_000 }.failure();
        assert_eq!(failure.code, FailureCode::ByteLimit);
        assert_eq!(failure.message, "one row is larger than the result may be, 1000 bytes");
        assert_eq!(failure.hint.as_deref(), Some("select fewer or shorter columns"));
        assert!(!failure.retryable);
    }

    #[test]
    fn a_failure_names_the_word_and_its_place() {
        let position = Some(Position { line: 2, column: 7 });
        let failure = SourceError::UnknownColumn { name: Some("o.totl".to_owned()), position }.failure();
        assert_eq!(failure.code, FailureCode::SqlInvalid);
        assert_eq!(failure.message, "the statement names a column that does not exist: `o.totl`");
        assert_eq!(failure.position, position);
    }

    #[test]
    fn long_names_are_cut_and_control_characters_dropped() {
        let name = Some(format!("a\n{}", "x".repeat(100)));
        let message = SourceError::UnknownRelation { name, position: None }.to_string();
        assert!(message.ends_with(&format!("`a{}`", "x".repeat(62))), "{message}");
    }
}
