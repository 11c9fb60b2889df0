//! PostgreSQL's errors by their SQLSTATE. The server's texts are dropped: a message may quote a value, a hint may name a column that the
//! user may not know of. Names in our messages are read from the statement itself, at the position the server gives.

use std::io;

use datagenie_common::model::questions::Position;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::sources::{
    SourceError,
    sql_text::{name_at, place},
};

/// `program_limit_exceeded`: a value or a string buffer past the server's limit of about a gigabyte.
const TOO_LARGE: &str = "54000";

/// The statement that failed.
pub(super) struct Ran<'a> {
    /// As the user's SQL was rendered.
    pub(super) sql: &'a str,
    /// Characters that stood before it.
    pub(super) prefix: usize,
    /// Its time limit.
    pub(super) seconds: u64,
}

/// An error while connecting.
pub(super) fn connecting(error: &sqlx::Error) -> SourceError {
    match error {
        sqlx::Error::Tls(_) => SourceError::Tls { reason: "the server offers no TLS, or its certificate is not accepted".to_owned() },
        // Closed before its first byte, which the driver then reads as a zero.
        sqlx::Error::Protocol(text) if text.ends_with(": 0x00") => SourceError::unreachable("the server closed the connection at once"),
        sqlx::Error::Protocol(_) => SourceError::refused("what answers at this address does not speak PostgreSQL's protocol"),
        sqlx::Error::Configuration(_) => SourceError::refused("the connection's configuration is not valid"),
        other => beginning(other),
    }
}

/// An error of a session before any statement ran, or of one of our own queries.
pub(super) fn beginning(error: &sqlx::Error) -> SourceError {
    match error {
        sqlx::Error::Io(error) => SourceError::unreachable(io_reason(error)),
        sqlx::Error::PoolTimedOut => SourceError::unreachable("no connection could be opened in time"),
        sqlx::Error::PoolClosed => SourceError::unreachable("the connection's configuration is being replaced"),
        sqlx::Error::Protocol(_) => SourceError::unreachable("the connection broke in the middle of an answer"),
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            server_state(&code).unwrap_or_else(|| SourceError::internal(format!("the server answered SQLSTATE {}", shown(&code))))
        }
        _ => SourceError::internal("the driver could not read the server's answer"),
    }
}

/// An error of the user's statement.
pub(super) fn running(error: &sqlx::Error, ran: &Ran<'_>) -> SourceError {
    let Some(database) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) else {
        return beginning(error);
    };
    let offset = match database.position() {
        // Counted from 1, in characters of everything that was sent.
        Some(PgErrorPosition::Original(position)) => position.checked_sub(ran.prefix + 1),
        _ => None,
    };
    by_state(state(database.code(), database.message()), offset, ran)
}

/// PostgreSQL's own limit on the size of a value comes as XX000, like any fault of the server: the words tell.
fn state<'a>(code: &'a str, message: &str) -> &'a str {
    if code == "XX000" && message.starts_with("invalid memory alloc") { TOO_LARGE } else { code }
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        // Name resolution fails with a kind that has no name.
        io::ErrorKind::Other => "the network failed".to_owned(),
        kind if kind.to_string() == "uncategorized error" => "the host name is unknown, or the network failed".to_owned(),
        kind => kind.to_string(),
    }
}

/// States that are about the server and the role, whatever ran.
fn server_state(code: &str) -> Option<SourceError> {
    Some(match code {
        "3D000" => SourceError::NoSuchDatabase,
        "42501" => SourceError::Permission,
        "53300" => SourceError::TooManyConnections,
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => SourceError::unreachable("the server is starting up or shutting down"),
        "25P02" | "25P03" | "25P04" => SourceError::unreachable("the server ended the session, which had waited too long"),
        "55P03" => SourceError::refused("a table is locked by another session, for longer than a reader waits"),
        _ if code.starts_with("28") => SourceError::Authentication,
        _ if code.starts_with("08") => SourceError::unreachable("the connection broke"),
        _ => return None,
    })
}

fn by_state(code: &str, offset: Option<usize>, ran: &Ran<'_>) -> SourceError {
    if let Some(error) = server_state(code) {
        return error;
    }
    let position: Option<Position> = offset.map(|offset| place(ran.sql, offset));
    let name = offset.and_then(|offset| name_at(ran.sql, offset));
    match code {
        // Cancelled by the server. Our own cancel never gets here: it drops the statement first.
        "57014" => SourceError::Timeout { seconds: ran.seconds },
        "42601" => SourceError::Syntax { near: name, position },
        "42703" => SourceError::UnknownColumn { name, position },
        "42P01" | "3F000" => SourceError::UnknownRelation { name, position },
        "42883" => SourceError::UnknownFunction { name, position },
        _ => SourceError::InvalidStatement { reason: reason(code), near: name, position },
    }
}

fn reason(code: &str) -> String {
    let known = match code {
        "42803" => "a column must be grouped by, or used in an aggregate, and aggregates cannot be nested",
        "42702" => "a column name is ambiguous: say which table's it is",
        "42725" => "a function or operator is ambiguous: cast its arguments",
        "42804" | "42846" | "42P18" => "the types in the statement do not go together: cast one of them",
        "42704" => "the statement names a type or another object that does not exist",
        "42712" => "a table alias is used twice",
        "42P10" => "an ORDER BY or DISTINCT ON refers to a column that is not selected",
        "42P20" => "a window function stands where none is allowed",
        "42P19" => "a recursive query is not of the form the server takes",
        "0A000" => "the statement uses something this server does not support",
        "21000" => "a subquery used as a value returned more than one row",
        "22012" => "the statement divides by zero",
        "22003" => "a number is out of the range of its type",
        "22007" | "22008" => "a date or time is not valid",
        "22P02" => "a value is not valid for the type it is cast to",
        "25006" => "the statement would change something, in a read-only transaction",
        "53100" | "53400" => "the statement needs more temporary space than the server gives it",
        "53200" => "the statement needs more memory than the server has",
        "54011" => "the statement has too many columns (at most 1,664)",
        TOO_LARGE => "a value is larger than the server can hold",
        _ if code.starts_with("54") => "the statement is too complex for the server",
        _ if code.starts_with("22") => "a value in the data does not fit what the statement does with it",
        _ => return format!("the database rejects the statement (SQLSTATE {})", shown(code)),
    };
    known.to_owned()
}

/// Five letters or digits by the standard; a server that sends something else is not quoted.
fn shown(code: &str) -> &str {
    if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) { code } else { "unknown" }
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::questions::FailureCode;

    use super::*;

    const SQL: &str = "SELECT c.nam,\n  sum(o.amount) FROM \"Order Items\" o";

    fn state(code: &str, offset: Option<usize>) -> SourceError {
        by_state(code, offset, &Ran { sql: SQL, prefix: 39, seconds: 30 })
    }

    #[test]
    fn names_and_places_come_from_the_statement() {
        let error = state("42703", Some(7));
        assert_eq!(error.to_string(), "the statement names a column that does not exist: `c.nam`");
        assert_eq!(error.failure().position, Some(Position { line: 1, column: 8 }));
        let error = state("42P01", SQL.find("\"Order"));
        assert!(error.to_string().ends_with("`\"Order Items\"`"), "{error}");
        assert_eq!(error.failure().position, Some(Position { line: 2, column: 22 }));
    }

    #[test]
    fn states_map_to_the_contract() {
        let cases = [
            ("42601", FailureCode::SqlInvalid),
            ("22P02", FailureCode::SqlInvalid),
            ("22012", FailureCode::SqlInvalid),
            ("P0001", FailureCode::SqlInvalid),
            ("25006", FailureCode::SqlInvalid),
            ("42501", FailureCode::SourcePermission),
            ("57014", FailureCode::Timeout),
            ("28P01", FailureCode::SourceRefused),
            ("3D000", FailureCode::SourceRefused),
            ("53300", FailureCode::SourceRefused),
            ("57P03", FailureCode::SourceUnreachable),
            ("08006", FailureCode::SourceUnreachable),
        ];
        for (code, expected) in cases {
            assert_eq!(state(code, None).failure().code, expected, "{code}");
        }
        assert!(state("53300", None).is_outage());
        assert!(!state("28P01", None).is_outage());
    }

    #[test]
    fn a_broken_socket_is_an_outage() {
        let refused = sqlx::Error::Io(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = connecting(&refused);
        assert!(error.is_outage());
        assert_eq!(error.to_string(), "the database does not answer: connection refused");
        let lookup = sqlx::Error::Io(io::Error::other("failed to lookup address information: db.internal"));
        assert!(!connecting(&lookup).to_string().contains("db.internal"));
        assert!(connecting(&sqlx::Error::PoolTimedOut).is_outage());
        let closed = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert!(connecting(&closed).is_outage());
        let other = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x48".to_owned());
        assert!(!connecting(&other).is_outage(), "a web server is no outage");
    }

    #[test]
    fn limits_of_the_server_are_told() {
        assert!(state("54011", None).to_string().contains("1,664"));
        let code = super::state("XX000", "invalid memory alloc request size 1073741824");
        assert_eq!(state(code, None).to_string(), "a value is larger than the server can hold");
        assert_eq!(super::state("XX000", "cache lookup failed"), "XX000");
    }

    #[test]
    fn odd_states_are_not_quoted() {
        assert!(state("XX000", None).to_string().contains("XX000"));
        assert!(!state("kim@example.com", None).to_string().contains("kim"));
    }
}
