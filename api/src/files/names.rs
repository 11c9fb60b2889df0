//! What a file is called: shown to people, never part of a path.

/// `files.name` takes no more characters.
const LONGEST: usize = 255;

/// A client's name of a file without its folders and without what can't be seen or turns text around; none: nothing is left of it.
pub(super) fn shown(given: &str) -> Option<String> {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = name.chars().filter(|c| !is_hidden(*c)).collect();
    let name: String = visible.trim().chars().take(LONGEST).collect();
    let name = name.trim_end().to_owned();
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

fn is_hidden(c: char) -> bool {
    // Marks, embeddings, overrides and isolates of direction, zero widths, and the separators of lines and paragraphs.
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_no_path() {
        for (given, name) in [
            ("매출 2024.xlsx", Some("매출 2024.xlsx")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\me\\report.xlsx", Some("report.xlsx")),
            ("a\0b\r\nc\u{7f}.csv", Some("abc.csv")),
            ("invoice\u{202e}xslx.exe", Some("invoicexslx.exe")),
            ("\u{2066}a\u{2069}\u{200b}.csv", Some("a.csv")),
            ("  spaced.csv  ", Some("spaced.csv")),
            ("", None),
            ("folder/", None),
            ("..", None),
            ("\u{202e}", None),
        ] {
            assert_eq!(shown(given).as_deref(), name, "{given:?}");
        }
        let long = format!("{}.xlsx", "가".repeat(400));
        assert_eq!(shown(&long).map(|name| name.chars().count()), Some(255));
    }
}
