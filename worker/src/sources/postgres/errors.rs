//! PostgreSQL's errors by their SQLSTATE. The server's texts are dropped: a message may quote a value, a hint may name a column that the
//! user may not know of. Names in our messages are read from the statement itself, at the position the server gives.

use std::io;

use datagenie_common::model::questions::Position;

use super::wire::WireError;
use crate::sources::{
    SourceError,
    sql_text::{name_at, place},
};

/// Cancelled by the server, at its time limit. Our own cancel never gets here: it drops the statement first.
const CANCELLED: &str = "57014";
/// Ended by the server, at a limit that an administrator set for the role's transactions.
const OVERDUE: &str = "25P04";

/// The statement that failed.
#[derive(Clone, Copy)]
pub(super) struct Ran<'a> {
    /// As the user's SQL was rendered.
    pub(super) sql: &'a str,
    /// Characters that stood before it.
    pub(super) prefix: usize,
    /// Its time limit.
    pub(super) seconds: u64,
}

/// An error while connecting.
pub(super) fn connecting(error: &WireError) -> SourceError {
    match error {
        WireError::Tls => SourceError::Tls { reason: "the server offers no TLS, or its certificate is not accepted".to_owned() },
        WireError::Closed => SourceError::unreachable("the server closed the connection at once"),
        WireError::Protocol | WireError::TooLarge => {
            SourceError::refused("what answers at this address does not speak PostgreSQL's protocol")
        }
        other => beginning(other),
    }
}

/// An error of a session before any statement ran, or of one of our own queries.
pub(super) fn beginning(error: &WireError) -> SourceError {
    match error {
        WireError::Io(error) => SourceError::unreachable(io_reason(error)),
        WireError::Closed | WireError::Tls => SourceError::unreachable("the connection broke in the middle of an answer"),
        WireError::TooLarge => SourceError::internal("an answer is larger than expected"),
        WireError::Protocol => SourceError::internal("the server's answer could not be read"),
        WireError::Refused(reason) => SourceError::refused(*reason),
        WireError::Server(error) => server_state(&error.state)
            .unwrap_or_else(|| SourceError::internal(format!("the server answered SQLSTATE {}", shown(&error.state)))),
    }
}

/// An error of one of our own queries that may take so long.
pub(super) fn looking(error: &WireError, seconds: u64) -> SourceError {
    match error {
        WireError::Server(error) if error.state == CANCELLED => SourceError::Timeout { seconds },
        other => beginning(other),
    }
}

/// An error of the user's statement.
pub(super) fn running(error: &WireError, ran: &Ran<'_>) -> SourceError {
    let WireError::Server(error) = error else { return beginning(error) };
    // Counted from 1, in characters of everything that was sent.
    let offset = error.position.and_then(|position| position.checked_sub(ran.prefix + 1));
    by_state(&error.state, offset, ran)
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
    if matches!(code, CANCELLED | OVERDUE) {
        return SourceError::Timeout { seconds: ran.seconds };
    }
    if let Some(error) = server_state(code) {
        return error;
    }
    let position: Option<Position> = offset.map(|offset| place(ran.sql, offset));
    let name = offset.and_then(|offset| name_at(ran.sql, offset));
    match code {
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
        "54000" => "a value is larger than the server can hold",
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
    use crate::sources::postgres::wire::ServerError;

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
            ("25P04", FailureCode::Timeout),
            ("25P03", FailureCode::SourceUnreachable),
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
        let refused = WireError::Io(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = connecting(&refused);
        assert!(error.is_outage());
        assert_eq!(error.to_string(), "the database does not answer: connection refused");
        let lookup = WireError::Io(io::Error::other("failed to lookup address information: db.internal"));
        assert!(!connecting(&lookup).to_string().contains("db.internal"));
        assert!(connecting(&WireError::Closed).is_outage());
        assert!(!connecting(&WireError::Protocol).is_outage(), "a web server is no outage");
        assert!(!connecting(&WireError::Tls).is_outage());
    }

    #[test]
    fn limits_of_the_server_are_told() {
        assert!(state("54011", None).to_string().contains("1,664"));
        assert_eq!(state("54000", None).to_string(), "a value is larger than the server can hold");
    }

    #[test]
    fn places_count_from_the_users_sql() {
        let ran = Ran { sql: SQL, prefix: 39, seconds: 30 };
        let at = |position| {
            let error = ServerError { state: "42703".to_owned(), position };
            running(&WireError::Server(error), &ran).failure().position
        };
        assert_eq!(at(Some(47)), Some(Position { line: 1, column: 8 }));
        assert_eq!(at(Some(12)), None, "it stands before the user's SQL");
        assert_eq!(at(None), None);
    }

    #[test]
    fn a_query_of_ours_that_takes_too_long_is_told() {
        let error = WireError::Server(ServerError { state: "57014".to_owned(), position: None });
        assert!(matches!(looking(&error, 3), SourceError::Timeout { seconds: 3 }));
    }

    #[test]
    fn odd_states_are_not_quoted() {
        assert!(state("XX000", None).to_string().contains("XX000"));
        assert!(!state("kim@example.com", None).to_string().contains("kim"));
    }
}
