//! Text for a terminal: what may be printed, how wide it is, how numbers are written.

use unicode_width::UnicodeWidthStr as _;

/// The text without what a terminal would obey instead of show. Names, cells and messages come from databases and models:
/// an escape sequence among them must not move the cursor or change colours, a bidirectional override not reorder a line.
pub fn printable(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' => None,
            c if c.is_control() => Some('\u{FFFD}'),
            c => Some(c),
        })
        .collect()
}

/// JSON text, in which what a terminal would obey is escaped; it means the same.
pub fn json_for_terminals(json: &str) -> String {
    // Below U+0020 all is escaped already, and outside of strings JSON is ASCII.
    let is_obeyed =
        |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if !json.contains(is_obeyed) {
        return json.to_owned();
    }
    json.chars().fold(String::with_capacity(json.len()), |mut safe, c| {
        if is_obeyed(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)))
        } else {
            safe.push(c)
        }
        safe
    })
}

/// Columns that the text takes on a terminal; a Hangul syllable takes two.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `limit` columns, with an ellipsis where it was cut.
pub fn clip(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut clipped = String::new();
    for c in text.chars() {
        clipped.push(c);
        // Measured as a whole: some characters widen the one before them.
        if width(&clipped) + 1 > limit {
            clipped.pop();
            break;
        }
    }
    if limit > 0 {
        clipped.push('…');
    }
    clipped
}

/// The text filled up with spaces to `columns`, on the left for numbers and on the right for the rest.
pub fn pad(text: &str, columns: usize, right_aligned: bool) -> String {
    let fill = " ".repeat(columns.saturating_sub(width(text)));
    if right_aligned { format!("{fill}{text}") } else { format!("{text}{fill}") }
}

/// A plain decimal number (`-1234567.891`) as people read it (`-1,234,567.891`): fractions longer than four digits are rounded,
/// as averages have them. Any other text comes back as it is.
pub fn grouped(text: &str) -> String {
    let Some((sign, whole, fraction)) = decimal_parts(text) else { return text.to_owned() };
    if fraction.len() > 4
        && let Some(short) = rounded(text)
    {
        return grouped(&short);
    }
    let mut digits = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            digits.push(',');
        }
        digits.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{digits}{point}{fraction}")
}

/// Sign, whole digits and fraction of a plain decimal number.
fn decimal_parts(text: &str) -> Option<(&str, &str, &str)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    (!whole.is_empty() && digits(whole) && digits(fraction)).then_some((sign, whole, fraction))
}

/// Two digits after the point, four below one; none where that would lose digits that matter.
fn rounded(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    match number.abs() {
        size if size >= 1e13 => None,
        size if size >= 1.0 => Some(format!("{number:.2}")),
        size if size >= 0.001 || size == 0.0 => Some(format!("{number:.4}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202E}d\u{0}"), "a\u{FFFD}[31mb cd\u{FFFD}");
        assert_eq!(printable("서울 ₩1,000"), "서울 ₩1,000");
    }

    #[test]
    fn json_means_the_same_and_drives_no_terminal() {
        let value = serde_json::json!({"a": "x\u{9b}31m\u{202e}y\u{1b}[2J", "서울": 1});
        let text = json_for_terminals(&value.to_string());
        assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }

    #[test]
    fn hangul_takes_two_columns_when_measured_clipped_and_padded() {
        assert_eq!(width("서울 a"), 6);
        assert_eq!(clip("대한민국", 5), "대한…");
        assert_eq!(clip("대한민국", 4), "대…");
        assert_eq!(clip("대한민국", 8), "대한민국");
        assert_eq!(clip("abc", 0), "");
        assert!(width(&clip(&"\u{2764}\u{FE0F}".repeat(9), 5)) <= 5);
        assert_eq!(width("\u{1112}\u{1161}\u{11AB}"), 2, "decomposed too");
        assert_eq!(pad("서울", 6, false), "서울  ");
        assert_eq!(pad("서울", 6, true), "  서울");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let seen = ["0", "999", "1000", "-1234567.5", "123456789012345678901", "12.", "x1", "1e9", "", "-"].map(grouped);
        let expected = ["0", "999", "1,000", "-1,234,567.5", "123,456,789,012,345,678,901", "12", "x1", "1e9", "", "-"];
        assert_eq!(seen, expected);
    }

    #[test]
    fn long_fractions_are_rounded_for_reading() {
        let seen = ["301234.567890123456", "0.16666666666666666", "0.00001234", "-2.99999", "1.2345"].map(grouped);
        assert_eq!(seen, ["301,234.57", "0.1667", "0.00001234", "-3.00", "1.2345"]);
    }
}
