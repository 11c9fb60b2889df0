//! Texts of a customer's data made fit to be shown: one line, printable, bounded.

use serde_json::Value;

use crate::model::language::{Language, korean_name};

/// Longest label or name kept, in characters.
pub(super) const MAX_LABEL: usize = 120;
/// Longest title kept, in characters.
pub(super) const MAX_TITLE: usize = 80;

/// One line of printable text of at most `limit` characters, the last one `…` if some were cut off.
///
/// Controls are not allowed in SVG, and direction marks would let a value rearrange the text around it.
pub(super) fn clean(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = true;
            continue;
        }
        if invisible(c) {
            continue;
        }
        let needed = if gap && length > 0 { 2 } else { 1 };
        if length + needed > limit {
            while length >= limit && line.pop().is_some() {
                length -= 1;
            }
            line.truncate(line.trim_end().len());
            line.push('…');
            break;
        }
        if needed == 2 {
            line.push(' ');
        }
        line.push(c);
        length += needed;
        gap = false;
    }
    line
}

fn invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A cell as a category's label.
pub(super) fn of_cell(value: &Value, language: Language) -> String {
    let (none, empty) = match language {
        Language::Korean => ("(없음)", "(빈 값)"),
        Language::English => ("(none)", "(empty)"),
    };
    let text = match value {
        Value::Null => return none.to_owned(),
        Value::String(text) => clean(text, MAX_LABEL),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => clean(&value.to_string(), MAX_LABEL),
    };
    if text.is_empty() { empty.to_owned() } else { text }
}

/// What a histogram measures.
pub(super) fn count(language: Language) -> &'static str {
    match language {
        Language::Korean => "개수",
        Language::English => "count",
    }
}

/// What the marks of outliers are called.
pub(super) fn outliers(language: Language) -> &'static str {
    match language {
        Language::Korean => "이상치",
        Language::English => "outliers",
    }
}

/// A column's name as a title.
pub(super) fn of_column(name: &str, language: Language) -> String {
    let spoken = if language == Language::Korean { korean_name(name) } else { None };
    let text = spoken.unwrap_or_else(|| clean(name, MAX_LABEL));
    match (text.is_empty(), language) {
        (false, _) => text,
        (true, Language::Korean) => "값".to_owned(),
        (true, Language::English) => "value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_one_bounded_printable_line() {
        assert_eq!(clean("  a\n\tb\u{0}c  ", 20), "a b c");
        assert_eq!(clean("\u{202E}evil\u{FEFF}", 20), "evil");
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("abcde fgh", 6), "abcde…");
        assert_eq!(clean("가나다라마바사", 4), "가나다…");
        assert_eq!(clean(&"x".repeat(10_000), MAX_LABEL).chars().count(), MAX_LABEL);
        assert_eq!(clean("", 5), "");
    }

    #[test]
    fn missing_and_empty_cells_have_names() {
        assert_eq!(of_cell(&json!(null), Language::Korean), "(없음)");
        assert_eq!(of_cell(&json!(null), Language::English), "(none)");
        assert_eq!(of_cell(&json!(" "), Language::English), "(empty)");
        assert_eq!(of_cell(&json!(true), Language::English), "true");
        assert_eq!(of_cell(&json!(7), Language::Korean), "7");
    }
}
