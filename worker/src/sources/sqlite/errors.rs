//! SQLite's errors. Its messages are English and fixed; names are taken from those that quote the statement, and the rest, which may
//! quote a value (`bad JSON path: 'kim@example.com'`), is dropped.

use rusqlite::{Error, ErrorCode};

use crate::sources::{
    SourceError,
    sql_text::{name_at, place},
};

/// Whether the deadline or a cancellation ended it.
pub(super) fn is_interrupted(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// An error of opening the file, or of one of our own queries.
pub(super) fn reading(error: &Error) -> SourceError {
    match error.sqlite_error_code() {
        Some(code) => file_state(code).unwrap_or_else(|| SourceError::internal("SQLite could not read the file's catalogue")),
        None => SourceError::internal("SQLite's answer could not be read"),
    }
}

/// An error of reading a sample.
pub(super) fn sampling(error: &Error) -> SourceError {
    match error.sqlite_error_code() {
        Some(code) => file_state(code).unwrap_or_else(|| SourceError::invalid("SQLite cannot read rows of this table")),
        None => SourceError::internal("SQLite's answer could not be read"),
    }
}

/// An error of the user's statement.
pub(super) fn running(error: &Error, sql: &str) -> SourceError {
    match error {
        Error::SqlInputError { msg, offset, .. } => by_message(msg, sql, usize::try_from(*offset).ok()),
        Error::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::AuthorizationForStatementDenied => {
                SourceError::invalid("the statement does something other than reading the database's tables")
            }
            ErrorCode::TooBig => SourceError::invalid("a value or the statement is larger than is allowed"),
            ErrorCode::TypeMismatch => SourceError::invalid("a value does not fit the type it is used as"),
            code => file_state(code).unwrap_or_else(|| by_message(message.as_deref().unwrap_or_default(), sql, None)),
        },
        Error::MultipleStatement => SourceError::invalid("there is more than one statement"),
        Error::InvalidParameterCount(..) => SourceError::invalid("the statement has parameters, and nothing to fill them with"),
        _ => SourceError::internal("SQLite's answer could not be read"),
    }
}

/// States that are about the file, whatever ran.
fn file_state(code: ErrorCode) -> Option<SourceError> {
    Some(match code {
        ErrorCode::NotADatabase => SourceError::refused("the file is not a SQLite database, or it is encrypted"),
        ErrorCode::DatabaseCorrupt => SourceError::refused("the file is damaged"),
        ErrorCode::CannotOpen => SourceError::unreachable("the file cannot be opened"),
        ErrorCode::SystemIoFailure => SourceError::unreachable("the file cannot be read"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => SourceError::unreachable("another program has locked the file"),
        ErrorCode::PermissionDenied | ErrorCode::ReadOnly => SourceError::Permission,
        ErrorCode::OutOfMemory => SourceError::invalid("the statement needs more memory than there is"),
        _ => return None,
    })
}

fn by_message(message: &str, sql: &str, byte_offset: Option<usize>) -> SourceError {
    let offset = byte_offset.and_then(|offset| sql.get(..offset)).map(|before| before.chars().count());
    let position = offset.map(|offset| place(sql, offset));
    let near = offset.and_then(|offset| name_at(sql, offset));
    // `no such column: o.totl - should this be a string literal in single-quotes?`
    let named = |prefix: &str| {
        let rest = message.strip_prefix(prefix)?;
        let name = rest.split(" - ").next().unwrap_or(rest);
        Some(is_written(sql, name).then(|| name.to_owned()))
    };
    if let Some(name) = named("no such column: ") {
        return SourceError::UnknownColumn { name, position };
    }
    if let Some(name) = named("no such table: ") {
        return SourceError::UnknownRelation { name, position };
    }
    if let Some(name) = named("no such function: ") {
        return SourceError::UnknownFunction { name, position };
    }
    if message.ends_with("syntax error") || message.starts_with("unrecognized token") || message == "incomplete input" {
        return SourceError::Syntax { near, position };
    }
    SourceError::InvalidStatement { reason: reason(message).to_owned(), near, position }
}

/// Whether the statement itself writes a name, with or without what stands before its point. What a broken view is made of is told by
/// name too, and the asker may not know of it.
fn is_written(sql: &str, name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    !last.is_empty() && sql.to_lowercase().contains(&last.to_lowercase())
}

fn reason(message: &str) -> &'static str {
    const KNOWN: [(&str, &str); 8] = [
        ("ambiguous column name", "a column name is ambiguous: say which table's it is"),
        ("misuse of aggregate", "an aggregate stands where none is allowed, or inside another one"),
        ("misuse of window", "a window function stands where none is allowed"),
        ("wrong number of arguments", "a function is called with the wrong number of arguments"),
        ("integer overflow", "a number is out of the range of its type"),
        ("malformed JSON", "a value used as JSON is not valid JSON"),
        ("SELECTs to the left and right", "the two sides of a UNION, INTERSECT or EXCEPT have different numbers of columns"),
        ("Expression tree is too large", "the statement is too complex"),
    ];
    KNOWN.iter().find(|(begins, _)| message.starts_with(begins)).map_or("SQLite rejects the statement", |(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::questions::Position;

    use super::*;

    #[test]
    fn names_and_places_are_told() {
        let sql = "SELECT '서울',\n o.totl FROM orders o";
        let error = by_message("no such column: o.totl - should this be a string literal in single-quotes?", sql, sql.find("o.totl"));
        assert_eq!(error.to_string(), "the statement names a column that does not exist: `o.totl`");
        assert_eq!(error.failure().position, Some(Position { line: 2, column: 2 }));
        assert!(matches!(by_message("near \"FORM\": syntax error", sql, None), SourceError::Syntax { .. }));
    }

    #[test]
    fn names_that_the_statement_does_not_write_are_not_told() {
        let error = by_message("no such table: main.gone", "SELECT * FROM broken", None);
        assert!(matches!(error, SourceError::UnknownRelation { name: None, .. }), "{error:?}");
        let error = by_message("no such table: main.gone", "SELECT * FROM Gone", None);
        assert!(matches!(&error, SourceError::UnknownRelation { name: Some(name), .. } if name == "main.gone"), "{error:?}");
        let error = by_message("no such function: peek", "SELECT * FROM broken", None);
        assert!(matches!(error, SourceError::UnknownFunction { name: None, .. }), "{error:?}");
    }

    #[test]
    fn messages_with_values_are_not_repeated() {
        let error = by_message("bad JSON path: 'kim@example.com'", "SELECT 1", None);
        assert_eq!(error.to_string(), "SQLite rejects the statement");
    }
}
