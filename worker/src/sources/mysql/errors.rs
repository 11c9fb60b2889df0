//! Errors of the driver and, by their numbers, of the server. The server's texts are dropped: a message may quote a value, a const table's
//! row, a name that the user may not know of. Names in our messages are searched for in the statement itself.

use std::io;

use datagenie_common::model::questions::Position;
use mysql_async::{DriverError, Error, IoError, ServerError};

use super::{
    places::{self, Found},
    tls,
};
use crate::sources::SourceError;

/// The role may not see how a view is made, so neither what a statement on it would do.
pub(super) const NO_EXPLAIN: u16 = 1345;
/// There is no session of this number any more.
pub(super) const UNKNOWN_THREAD: u16 = 1094;
/// What the codec says of a packet that is larger than the driver was told to take. The type is not the driver's to name.
const TOO_LARGE: &str = "Packet is larger than max_allowed_packet";

/// The statement that failed.
pub(super) struct Ran<'a> {
    /// As it was sent.
    pub(super) sql: &'a str,
    /// Its time limit.
    pub(super) seconds: u64,
    /// Bytes that its result may have.
    pub(super) bytes: u64,
}

/// An error while connecting.
pub(super) fn connecting(error: &Error) -> SourceError {
    match error {
        Error::Driver(DriverError::NoClientSslFlagFromServer) => SourceError::Tls { reason: "the server offers no TLS".to_owned() },
        Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled
            | DriverError::InvalidParsecSalt,
        ) => SourceError::refused("the server asks for a way to sign in that DataGenie does not have"),
        Error::Driver(_) => foreign(),
        Error::Io(IoError::Io(error)) if closed(error) => SourceError::unreachable("the server closed the connection at once"),
        // Neither the system's nor TLS's: the codec could not read what came.
        Error::Io(IoError::Io(error)) if error.kind() == io::ErrorKind::Other && tls_error(error).is_none() => foreign(),
        other => beginning(other),
    }
}

fn foreign() -> SourceError {
    SourceError::refused("what answers at this address does not speak MySQL's protocol")
}

fn closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// Whether no secured wire could be agreed on.
pub(super) fn is_tls(error: &Error) -> bool {
    matches!(connecting(error), SourceError::Tls { .. })
}

/// An error of a session before any statement ran, or of one of our own queries.
pub(super) fn beginning(error: &Error) -> SourceError {
    match error {
        Error::Server(error) => {
            server_state(error.code).unwrap_or_else(|| SourceError::internal(format!("the server answered with its error {}", error.code)))
        }
        Error::Io(IoError::Tls(error)) => tls::failed(error),
        Error::Io(IoError::Io(error)) => match tls_error(error) {
            Some(error) => tls::refused(error),
            None => SourceError::unreachable(io_reason(error)),
        },
        Error::Driver(DriverError::ConnectionClosed) => SourceError::unreachable("the server closed the connection"),
        Error::Driver(DriverError::LocalInfile(_)) => SourceError::refused("the server asked for a file of this machine"),
        _ => SourceError::internal("the driver could not read the server's answer"),
    }
}

/// An error of the user's statement.
pub(super) fn running(error: &Error, ran: &Ran<'_>) -> SourceError {
    match error {
        Error::Server(error) => by_code(error, ran),
        error if is_row_too_large(error) => SourceError::RowTooLarge { limit: ran.bytes },
        other => beginning(other),
    }
}

/// Whether a packet was larger than the driver takes. It closes the connection then.
pub(super) fn is_row_too_large(error: &Error) -> bool {
    matches!(error, Error::Io(IoError::Io(error)) if is_too_large(error))
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn is_too_large(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.to_string() == TOO_LARGE)
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        io::ErrorKind::InvalidInput => "the host name is unknown".to_owned(),
        // Name resolution fails with a kind that has no name.
        io::ErrorKind::Other => "the network failed".to_owned(),
        kind if kind.to_string() == "uncategorized error" => "the host name is unknown, or the network failed".to_owned(),
        kind => kind.to_string(),
    }
}

/// Errors that are about the server and the role, whatever ran.
fn server_state(code: u16) -> Option<SourceError> {
    Some(match code {
        1045 | 1130 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 4151 => SourceError::Authentication,
        1049 => SourceError::NoSuchDatabase,
        1044 | 1142 | 1143 | 1227 => SourceError::Permission,
        1040 | 1203 | 1226 => SourceError::TooManyConnections,
        1129 => SourceError::refused("the server has shut this host out after too many failures: it needs FLUSH HOSTS"),
        1053 | 1077 | 1079 | 1080 => SourceError::unreachable("the server is shutting down"),
        1152..=1161 | 1184 | 1927 | 2006 | 2013 | 4031 => SourceError::unreachable("the server ended the session"),
        1205 | 1213 => SourceError::refused("a table is locked by another session, for longer than a reader waits"),
        _ => return None,
    })
}

fn by_code(error: &ServerError, ran: &Ran<'_>) -> SourceError {
    let ServerError { code, message, .. } = error;
    let found = |is_called| places::quoted(message).and_then(|name| places::find(ran.sql, name, is_called));
    match *code {
        // A database that the statement names; the session's own was there when it began.
        1049 | 1051 | 1109 | 1146 => {
            let (name, position) = apart(found(false));
            SourceError::UnknownRelation { name, position }
        }
        1054 => {
            let (name, position) = apart(found(false));
            SourceError::UnknownColumn { name, position }
        }
        // A role without EXECUTE is told that it may not run a function that does not exist.
        1128 | 1305 | 1370 | 1630 => {
            let (name, position) = apart(routine(message).and_then(|name| places::find(ran.sql, name, true)));
            SourceError::UnknownFunction { name, position }
        }
        1064 | 1065 | 1149 => {
            let (near, position) = places::near(ran.sql, message);
            SourceError::Syntax { near, position }
        }
        1317 | 1969 | 3024 => SourceError::Timeout { seconds: ran.seconds },
        code => server_state(code).unwrap_or_else(|| {
            let (near, position) = apart(found(false));
            SourceError::InvalidStatement { reason: reason(code), near, position }
        }),
    }
}

fn apart(found: Option<Found>) -> (Option<String>, Option<Position>) {
    found.map_or((None, None), |found| (Some(found.name), Some(found.position)))
}

/// `FUNCTION shop.f does not exist`, `Function 'f' is not defined`, `… denied to user 'reader'@'%' for routine 'shop.f'`.
fn routine(message: &str) -> Option<&str> {
    if let Some((_, rest)) = message.split_once(" for routine '") {
        return rest.split_once('\'').map(|(name, _)| name);
    }
    match message.strip_prefix("FUNCTION ") {
        Some(rest) => rest.split_once(" does not exist").map(|(name, _)| name),
        None => places::quoted(message),
    }
}

fn reason(code: u16) -> String {
    let known = match code {
        1052 => "a column name is ambiguous: say which table's it is",
        1055 | 1056 | 1111 | 1140 => "a column must be grouped by, or used in an aggregate, and aggregates cannot be nested",
        1060 => "a subquery has two columns of one name",
        1066 => "a table or an alias is used twice",
        1116 => "the statement joins too many tables",
        1117 | 1118 => "the statement has too many columns",
        1104 => "the statement would look at more rows than the server allows",
        1021 | 1038 | 1041 | 1114 | 1135 => "the statement needs more memory or temporary space than the server has",
        1137 => "a temporary table is used twice",
        1139 => "a regular expression is not valid",
        1210 | 1582 | 1583 | 3047 => "a function is called with the wrong number or kind of arguments",
        1222 => "the two sides of a UNION, INTERSECT or EXCEPT have different numbers of columns",
        1235 | 1295 => "the statement uses something that this server does not support",
        1241 => "more or fewer columns stand where another number is expected",
        1242 => "a subquery used as a value returned more than one row",
        1248 => "a subquery in FROM needs an alias",
        1253 | 1267 | 1270 | 1271 | 3995 => "texts of different collations are compared: convert one of them",
        1264 | 1690 => "a number is out of the range of its type",
        1292 | 1411 | 1525 => "a value is not valid for the type it is used as",
        1356 => "a view refers to something that is no longer there, or that its owner may not read",
        1365 => "the statement divides by zero",
        1436 => "the statement is too complex for the server",
        1148 | 1290 | 1792 | 1836 => "the statement would do something other than reading",
        3065 => "an ORDER BY refers to a column that is not selected",
        3140 | 3141 | 3143 | 3146 | 4037 | 4038 | 4042 => "a value used as JSON, or a path into it, is not valid",
        3593 | 4015 | 4016 => "a window function stands where none is allowed",
        3636 | 4079 => "a recursive query went on for too long",
        _ => return format!("the database rejects the statement (its error {code})"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests;
