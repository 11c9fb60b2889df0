//! What a file is called: shown to people, never part of a path.

use axum::http::HeaderValue;

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

/// The header of a file that is called after another one: its name without the ending, a hyphen, and this ending. Programs that do not know
/// RFC 8187 get what of the name is plain ASCII.
pub(super) fn attachment(name: &str, ending: &str) -> HeaderValue {
    let stem = shown(name).unwrap_or_default();
    let stem = stem.rsplit_once('.').map_or(stem.as_str(), |(stem, _)| stem).trim();
    let plain: String = stem.chars().filter(|c| c.is_ascii_alphanumeric() || " -_.()".contains(*c)).collect();
    let called = |stem: &str| match stem.trim_matches([' ', '.', '-', '_']) {
        "" => ending.to_owned(),
        stem => format!("{stem}-{ending}"),
    };
    let full: String = called(stem).bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    });
    let header = format!("attachment; filename=\"{}\"; filename*=UTF-8''{full}", called(&plain));
    HeaderValue::from_str(&header).unwrap_or(HeaderValue::from_static("attachment"))
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
    fn a_file_is_called_after_another_one_in_any_script() {
        for (name, plain, full) in [
            ("sales.xlsx", "sales-analysis.csv", "sales-analysis.csv"),
            ("매출 2024.xlsx", "2024-analysis.csv", "%EB%A7%A4%EC%B6%9C%202024-analysis.csv"),
            ("매출.csv", "analysis.csv", "%EB%A7%A4%EC%B6%9C-analysis.csv"),
            ("../../etc/passwd", "passwd-analysis.csv", "passwd-analysis.csv"),
            ("a\"; x=\"b\r\nSet-Cookie: c\\.xlsx", "analysis.csv", "analysis.csv"),
            ("a\"b';c%d.xlsx", "abcd-analysis.csv", "a%22b%27%3Bc%25d-analysis.csv"),
            ("", "analysis.csv", "analysis.csv"),
        ] {
            let expected = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}");
            assert_eq!(attachment(name, "analysis.csv").to_str().ok(), Some(expected.as_str()), "{name:?}");
        }
    }

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
