//! The names that a statement gives to its CTEs: `name [(columns)] AS [[NOT] MATERIALIZED] (`, which nothing else in a SELECT looks like
//! but a window, whose name does no harm here.

use std::collections::HashSet;

use sqlparser::{
    dialect::SQLiteDialect,
    tokenizer::{Token, Tokenizer},
};

/// The names, in lower case; none: the text can't be taken apart.
pub(super) fn defined_names(sql: &str) -> Option<HashSet<String>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize().ok()?;
    let tokens: Vec<Token> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let begins_body = |at: usize| {
        let mut next = tokens[at + 1..].iter().skip_while(|token| is_word(token, "NOT") || is_word(token, "MATERIALIZED"));
        next.next() == Some(&Token::LParen)
    };
    let bodies = tokens.iter().enumerate().filter(|(at, token)| is_word(token, "AS") && begins_body(*at));
    Some(bodies.filter_map(|(at, _)| name_before(&tokens[..at])).collect())
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// The name that stands at the end, or before a list in parentheses there. SQLite takes texts for names too.
fn name_before(tokens: &[Token]) -> Option<String> {
    let mut depth = 0_usize;
    for token in tokens.iter().rev() {
        match token {
            Token::RParen => depth += 1,
            Token::LParen => depth = depth.checked_sub(1)?,
            _ if depth > 0 => {}
            Token::Word(word) => return Some(word.value.to_ascii_lowercase()),
            Token::SingleQuotedString(name) | Token::DoubleQuotedString(name) => return Some(name.to_ascii_lowercase()),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Vec<String> {
        let mut names: Vec<String> = defined_names(sql).expect("it is SQL").into_iter().collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_way_of_naming_a_cte_is_seen() {
        assert_eq!(names("WITH a AS (SELECT 1), \"B c\" (x, y) AS (SELECT 1, 2) SELECT * FROM a, \"B c\""), ["a", "b c"]);
        assert_eq!(names("WITH RECURSIVE n(i) AS NOT MATERIALIZED (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"), ["n"]);
        assert_eq!(names("SELECT * FROM (WITH [V] as materialized(SELECT 1) SELECT * FROM v)"), ["v"]);
        assert_eq!(names("WITH 'v' AS (SELECT 1), `w` AS (SELECT 2) SELECT * FROM v, w"), ["v", "w"]);
        assert_eq!(names("WITH 주문 AS (SELECT 1) SELECT * FROM 주문"), ["주문"]);
    }

    #[test]
    fn aliases_and_casts_are_no_ctes() {
        assert_eq!(names("SELECT CAST(a AS INTEGER) AS b, count(*) AS n FROM orders AS o JOIN (SELECT 1) AS v ON 1"), [""; 0]);
        assert_eq!(names("SELECT 'WITH v AS (SELECT 1)' AS text -- w AS (\nFROM orders"), [""; 0]);
        assert_eq!(names("SELECT 1"), [""; 0]);
        assert_eq!(defined_names("SELECT 'open"), None);
    }
}
