//! Small pure pieces around SQL text: quoting a name, and finding the place and the word that an error speaks of.

use datagenie_common::model::questions::Position;

/// A name as a quoted identifier, the same in PostgreSQL and SQLite. Names come from catalogues, never from a question.
pub(super) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as a quoted identifier of MySQL. A backslash in it means nothing.
pub(super) fn quote_in_backticks(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Line and column of a character, counted from 1; `offset` counts characters from 0. An offset past the end means the end.
pub(super) fn place(sql: &str, offset: usize) -> Position {
    let mut position = Position { line: 1, column: 1 };
    for character in sql.chars().take(offset) {
        if character == '\n' {
            position.line += 1;
            position.column = 1;
        } else {
            position.column += 1;
        }
    }
    position
}

/// The name that begins at a character (`o.total`, `"Order Items"."id"`); none where something else than a name stands.
/// A literal is no name: what it holds is not repeated.
pub(super) fn name_at(sql: &str, offset: usize) -> Option<String> {
    let mut name = String::new();
    let mut quoted = false;
    for character in sql.chars().skip(offset) {
        let belongs = match character {
            '"' => {
                quoted = !quoted;
                true
            }
            _ if quoted => true,
            '.' | '$' => !name.is_empty(),
            c if c.is_ascii_digit() => !name.is_empty(),
            c => c.is_alphanumeric() || c == '_',
        };
        if !belongs {
            break;
        }
        name.push(character);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote_identifier("order items"), "\"order items\"");
        assert_eq!(quote_identifier("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
        assert_eq!(quote_in_backticks("a`; DROP TABLE b; --"), "`a``; DROP TABLE b; --`");
    }

    #[test]
    fn places_count_characters_not_bytes() {
        let sql = "SELECT '서울',\n  city";
        assert_eq!(place(sql, 0), Position { line: 1, column: 1 });
        assert_eq!(place(sql, 8), Position { line: 1, column: 9 });
        assert_eq!(place(sql, 15), Position { line: 2, column: 3 });
        assert_eq!(place(sql, 900), Position { line: 2, column: 7 });
    }

    #[test]
    fn names_are_found_and_literals_are_not() {
        let sql = "SELECT o.total, \"Order Items\".\"id\", 'secret', 12 + 3 FROM 주문 o";
        assert_eq!(name_at(sql, 7).as_deref(), Some("o.total"));
        assert_eq!(name_at(sql, 16).as_deref(), Some("\"Order Items\".\"id\""));
        assert_eq!(name_at(sql, sql.find("'secret'").expect("in the text")), None);
        assert_eq!(name_at(sql, sql.find("12").expect("in the text")), None);
        assert_eq!(name_at("주문 o", 0).as_deref(), Some("주문"));
        assert_eq!(name_at("a", 5), None);
    }
}
