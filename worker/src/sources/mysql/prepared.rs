//! The text of a statement as the driver is given it. The driver looks for `:name` parameters in what it prepares, and its reading of
//! literals has a hole: it does not see a quote that stands right behind a minus or a slash, and would then take what the literal holds
//! for SQL. A space between the two mends that and changes nothing of the meaning.
//!
//! That a statement is prepared makes it one, not one that reads: `ANALYZE TABLE`, `CALL` or `INSERT … RETURNING` give rows too, and some
//! of them end the read-only transaction. So it must begin like one that reads.

use std::borrow::Cow;

use super::tokens::{Kind, Token, tokens};
use crate::sources::SourceError;

/// What a statement that reads begins with; behind parentheses it is one of these, too.
const READS: [&str; 3] = ["select", "with", "values"];

/// The text to prepare.
///
/// # Errors
/// [`SourceError::InvalidStatement`] for one with parameters, and for one that does not begin like a query.
pub(super) fn text(sql: &str) -> Result<Cow<'_, str>, SourceError> {
    let tokens = tokens(sql);
    let first = tokens.iter().find(|token| !token.is_sign('('));
    if !first.is_some_and(|token| READS.iter().any(|word| token.is_word(word))) {
        return Err(SourceError::invalid("the statement is not one that reads rows"));
    }
    if tokens.iter().any(|token| token.is_sign('?') || token.is_sign(':')) {
        return Err(SourceError::invalid("the statement has parameters, and nothing to fill them with"));
    }
    let mut spaced = String::new();
    let mut copied = 0;
    for pair in tokens.windows(2) {
        let [before, after] = pair else { continue };
        if before.end == after.start && hides(sql, before, after) {
            spaced.push_str(&sql[copied..before.end]);
            spaced.push(' ');
            copied = before.end;
        }
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(sql));
    }
    spaced.push_str(&sql[copied..]);
    Ok(Cow::Owned(spaced))
}

// Two minuses are parted as well: with a space behind them alone they would begin a comment.
fn hides(sql: &str, before: &Token<'_>, after: &Token<'_>) -> bool {
    let is_quoted = match &after.kind {
        Kind::Quoted(_) => true,
        Kind::Literal => sql[after.start..].starts_with(['\'', '"']),
        Kind::Word(_) | Kind::Sign(_) => false,
    };
    match before.kind {
        Kind::Sign('-') => is_quoted || after.is_sign('-'),
        Kind::Sign('/') => is_quoted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_would_misread_is_parted() {
        let cases = [
            ("SELECT -'12:ab' FROM t", "SELECT - '12:ab' FROM t"),
            ("SELECT a/'x:y', b/\"x:y\", -`c`", "SELECT a/ 'x:y', b/ \"x:y\", - `c`"),
            ("SELECT --'a:b'", "SELECT - - 'a:b'"),
        ];
        for (sql, expected) in cases {
            assert_eq!(text(sql).expect("it has no parameters"), expected);
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for sql in ["SELECT -1, a - 'x:y', j->'$.a', j->>'$.b:c', '%H:%i' FROM t WHERE s = 'why?'", "SELECT `a:b`, \"c:d\" FROM `주문`"] {
            assert!(matches!(text(sql), Ok(Cow::Borrowed(same)) if same == sql), "{sql}");
        }
    }

    #[test]
    fn parameters_are_refused() {
        for sql in ["SELECT ?", "SELECT :name", "SELECT @a := 1"] {
            assert!(matches!(text(sql), Err(SourceError::InvalidStatement { .. })), "{sql}");
        }
    }

    #[test]
    fn what_does_not_begin_like_a_query_is_refused() {
        for sql in ["select 1", "((SELECT 1) UNION (SELECT 2))", "WITH x AS (SELECT 1) SELECT * FROM x", "values (1), (2)"] {
            assert!(text(sql).is_ok(), "{sql}");
        }
        for sql in
            ["ANALYZE TABLE t", "CALL p()", "INSERT INTO t VALUES (1) RETURNING id", "CHECK TABLE t", "`select` 1", "'select'", "(", ""]
        {
            assert!(matches!(text(sql), Err(SourceError::InvalidStatement { .. })), "{sql}");
        }
    }
}
