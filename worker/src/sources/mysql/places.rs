//! Where in a statement an error of the server is. A server names a column or a word in its message and gives no place, so the statement
//! is searched for it: what is told is the statement's own writing, never the server's.

use datagenie_common::model::questions::Position;

use super::tokens::{Token, tokens};
use crate::sources::sql_text::place;

/// Characters of a syntax error's rest that are enough to find it. Servers cut it at 80.
const ENOUGH: usize = 60;

/// A name in the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// As written.
    pub(super) name: String,
    pub(super) position: Position,
}

/// The first place where the statement writes this name, or its last parts: servers put the database in front. `is_called` asks for a
/// function's.
pub(super) fn find(sql: &str, name: &str, is_called: bool) -> Option<Found> {
    let tokens = tokens(sql);
    let parts: Vec<&str> = name.split('.').collect();
    (0..parts.len()).find_map(|first| find_parts(sql, &tokens, &parts[first..], is_called))
}

fn find_parts(sql: &str, tokens: &[Token<'_>], parts: &[&str], is_called: bool) -> Option<Found> {
    let length = 2 * parts.len() - 1;
    let first = (0..tokens.len()).find(|at| {
        let Some(some) = tokens.get(*at..at + length) else { return false };
        let are_written = some.iter().enumerate().all(|(place, token)| match parts.get(place / 2) {
            Some(part) if place % 2 == 0 => token.name().is_some_and(|name| name.eq_ignore_ascii_case(part)),
            _ => token.is_sign('.'),
        });
        are_written && (!is_called || tokens.get(at + length).is_some_and(|token| token.is_sign('(')))
    })?;
    let (start, end) = (tokens.get(first)?.start, tokens.get(first + length - 1)?.end);
    Some(Found { name: sql.get(start..end)?.to_owned(), position: at_byte(sql, start) })
}

/// The place of a syntax error, from the rest of the statement that the server repeats, with the name that stands there.
pub(super) fn near(sql: &str, message: &str) -> (Option<String>, Option<Position>) {
    let Some(start) = rest_begins(sql, message) else { return (None, None) };
    let tokens = tokens(sql);
    let named = tokens.iter().find(|token| token.start == start).filter(|token| token.name().is_some());
    let name = named.and_then(|token| sql.get(token.start..token.end)).map(str::to_owned);
    (name, Some(at_byte(sql, start)))
}

fn rest_begins(sql: &str, message: &str) -> Option<usize> {
    let (_, rest) = message.split_once(" near '")?;
    let rest = &rest[..rest.rfind("' at line ")?];
    if sql.ends_with(rest) {
        return Some(sql.len() - rest.len());
    }
    let beginning: String = rest.chars().take(ENOUGH).collect();
    let mut places = sql.match_indices(beginning.as_str());
    match (places.next(), places.next()) {
        (Some((start, _)), None) => Some(start),
        _ => None,
    }
}

fn at_byte(sql: &str, start: usize) -> Position {
    place(sql, sql.get(..start).map_or(0, |before| before.chars().count()))
}

/// The first text in single quotes of a message, where servers put a name.
pub(super) fn quoted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('\'')?;
    rest.split_once('\'').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "SELECT '서울', o.totl,\n  SUM(`Order Items`.price)\nFROM orders o JOIN shop.`no such` n WHERE o.city = 'totl'";

    fn found(name: &str) -> Option<(String, u64, u64)> {
        find(SQL, name, false).map(|found| (found.name, found.position.line, found.position.column))
    }

    #[test]
    fn names_are_told_as_the_statement_writes_them() {
        assert_eq!(found("o.totl"), Some(("o.totl".to_owned(), 1, 14)));
        assert_eq!(found("Order Items.price"), Some(("`Order Items`.price".to_owned(), 2, 7)));
        assert_eq!(found("shop.ORDERS"), Some(("orders".to_owned(), 3, 6)), "the server put its database in front");
        assert_eq!(found("shop.no such"), Some(("shop.`no such`".to_owned(), 3, 20)));
    }

    #[test]
    fn literals_are_no_names() {
        assert_eq!(found("서울"), None);
        assert_eq!(found("kim@example.com"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn functions_are_followed_by_a_parenthesis() {
        let sql = "SELECT sum, SUM(x) FROM t";
        assert_eq!(find(sql, "shop.sum", true).map(|found| found.position.column), Some(13));
        assert_eq!(find(sql, "x", true), None);
    }

    #[test]
    fn a_syntax_error_is_where_the_rest_begins() {
        let error = |sql: &str, rest: &str| near(sql, &format!("You have an error … to use near '{rest}' at line 1"));
        let at = |line, column| Some(Position { line, column });
        assert_eq!(error("SELECT id FORM t", "FORM t"), (Some("FORM".to_owned()), at(1, 11)));
        assert_eq!(error("SELECT id, '비밀' x y", "'비밀' x y"), (None, at(1, 12)), "a literal is not repeated");
        assert_eq!(error("SELECT 1 FROM t WHERE", ""), (None, at(1, 22)));
        let long = format!("SELECT a b c,\n{} FROM t", ["column_of_some_length"; 9].join(" + "));
        assert_eq!(error(&long, &long[9..89]), (Some("b".to_owned()), at(1, 10)));
        assert_eq!(error("SELECT 1", "something else"), (None, None));
        assert_eq!(near("SELECT 1", "message of another form"), (None, None));
    }

    #[test]
    fn messages_quote_names() {
        assert_eq!(quoted("Unknown column 'o.totl' in 'field list'"), Some("o.totl"));
        assert_eq!(quoted("Invalid use of group function"), None);
    }
}
