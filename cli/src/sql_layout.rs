//! A statement with a line break before each of its clauses. For reading only.

/// Words that begin a clause by themselves.
const CLAUSES: [&str; 10] = ["SELECT", "FROM", "WHERE", "HAVING", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "WINDOW"];
/// Words that may stand before `JOIN`.
const JOIN_KINDS: [&str; 7] = ["LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "NATURAL"];

/// The lines of the statement: clauses of the outermost query each on a line of their own, joins indented.
/// A statement with comments keeps its own lines, since a comment ends where its line does.
pub fn lines(sql: &str) -> Vec<String> {
    let Some(words) = words(sql) else { return sql.lines().map(str::to_owned).collect() };
    let mut lines: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let previous = at.checked_sub(1).map(|before| words[before].text.to_uppercase());
        let next = words.get(at + 1).map(|word| word.text.to_uppercase());
        let indent = begins_line(word, previous.as_deref(), next.as_deref());
        match (lines.is_empty(), indent) {
            (true, _) => lines.push(word.text.to_owned()),
            (false, Some(indent)) => lines.push(format!("{indent}{}", word.text)),
            (false, None) => {
                if let Some(line) = lines.last_mut() {
                    line.push(' ');
                    line.push_str(word.text);
                }
            }
        }
    }
    lines
}

/// The indentation of the line that the word begins, if it begins one.
fn begins_line(word: &Word<'_>, previous: Option<&str>, next: Option<&str>) -> Option<&'static str> {
    if word.depth > 0 {
        return None;
    }
    let text = word.text.to_uppercase();
    let after_join_kind = previous.is_some_and(|word| JOIN_KINDS.contains(&word));
    if text == "JOIN" || JOIN_KINDS.contains(&text.as_str()) {
        let joins = text == "JOIN" || next.is_some_and(|word| word == "JOIN" || JOIN_KINDS.contains(&word));
        return (joins && !after_join_kind).then_some("  ");
    }
    let two_words = matches!(text.as_str(), "GROUP" | "ORDER") && next == Some("BY");
    (two_words || CLAUSES.contains(&text.as_str())).then_some("")
}

/// A part of the statement without white space outside of quotes, and how many parentheses are open before it.
struct Word<'a> {
    text: &'a str,
    depth: usize,
}

/// The statement's words; none if it holds comments.
fn words(sql: &str) -> Option<Vec<Word<'_>>> {
    let mut words = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in sql.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '-') if sql[at..].starts_with("--") => return None,
            (None, '/') if sql[at..].starts_with("/*") => return None,
            (None, _) if c.is_whitespace() => {
                words.extend(start.take().map(|(from, depth)| Word { text: &sql[from..at], depth }));
                continue;
            }
            _ => {}
        }
        start.get_or_insert((at, depth));
        if quote.is_none() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    words.extend(start.map(|(from, depth)| Word { text: &sql[from..], depth }));
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_begin_lines_and_joins_are_indented() {
        let sql = "SELECT c.name, COUNT(*) AS n  FROM customers c LEFT OUTER JOIN orders o ON o.customer_id = c.id join x on true \
                   where c.city = '서울' GROUP BY c.name ORDER BY n DESC LIMIT 5";
        assert_eq!(
            lines(sql),
            [
                "SELECT c.name, COUNT(*) AS n",
                "FROM customers c",
                "  LEFT OUTER JOIN orders o ON o.customer_id = c.id",
                "  join x on true",
                "where c.city = '서울'",
                "GROUP BY c.name",
                "ORDER BY n DESC",
                "LIMIT 5",
            ]
        );
    }

    #[test]
    fn what_is_quoted_or_in_parentheses_stays_together() {
        let sql = "SELECT EXTRACT(YEAR FROM o.at), 'it''s FROM  here' AS \"ORDER  BY\" FROM (SELECT 1 FROM y) z";
        assert_eq!(lines(sql), ["SELECT EXTRACT(YEAR FROM o.at), 'it''s FROM  here' AS \"ORDER  BY\"", "FROM (SELECT 1 FROM y) z"]);
    }

    #[test]
    fn common_table_expressions_and_set_operations_break_before_select() {
        assert_eq!(
            lines("WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2"),
            ["WITH a AS (SELECT 1)", "SELECT *", "FROM a", "UNION ALL", "SELECT 2"]
        );
    }

    #[test]
    fn comments_and_odd_statements_are_left_alone() {
        assert_eq!(lines("SELECT 1 -- FROM x\nFROM y"), ["SELECT 1 -- FROM x", "FROM y"]);
        assert_eq!(lines("DROP TABLE customers"), ["DROP TABLE customers"]);
        assert_eq!(lines("SELECT left FROM t)) 'open"), ["SELECT left", "FROM t)) 'open"]);
        assert!(lines("   ").is_empty());
    }
}
