//! Texts that are numbers: thousands separators, currencies, percent, accounting negatives, Korean multipliers.

/// A text read as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parsed {
    /// The number; a percentage is already divided by 100.
    pub(super) value: f64,
    pub(super) percent: bool,
    pub(super) currency: bool,
    /// Written with 만 or 억: a number only where the whole column is.
    pub(super) multiplied: bool,
    /// Written as `1.234,56`: a number only where the whole column is.
    pub(super) european: bool,
}

const PREFIXES: &[&str] = &["₩", "￦", "$", "€", "£", "¥", "￥", "US$", "USD", "KRW", "EUR", "JPY", "GBP", "CNY", "\\"];
const SUFFIXES: &[&str] = &["원", "달러", "엔", "유로", "USD", "KRW", "EUR", "JPY", "GBP", "CNY", "€", "£", "$", "₩"];
const MULTIPLIERS: &[(&str, f64)] = &[("조", 1e12), ("억", 1e8), ("만", 1e4)];
/// An f64 holds so many digits of any number.
const MOST_DIGITS: usize = 15;

/// Reads a text as a number; none for everything that a person might mean as a name, such as `007`.
pub(super) fn parse(text: &str) -> Option<Parsed> {
    if text.len() > 64 {
        return None;
    }
    let narrow: String = text.chars().map(narrow).collect();
    let mut rest = narrow.trim();
    let mut found = Parsed { value: 0.0, percent: false, currency: false, multiplied: false, european: false };
    let mut negative = false;
    if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (negative, rest) = (true, inner.trim());
    } else if let Some(inner) = rest.strip_prefix(['△', '▲', '−', '-', '▽', '▼']) {
        (negative, rest) = (true, inner.trim_start());
    } else if let Some(inner) = rest.strip_prefix('+') {
        rest = inner.trim_start();
    } else if let Some(inner) = rest.strip_suffix('-') {
        (negative, rest) = (true, inner.trim_end());
    }
    if let Some(inner) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        (found.currency, rest) = (true, inner.trim_start());
        if let Some(inner) = rest.strip_prefix(['-', '−']) {
            if negative {
                return None;
            }
            (negative, rest) = (true, inner.trim_start());
        }
    }
    if let Some(inner) = rest.strip_suffix('%') {
        (found.percent, rest) = (true, inner.trim_end());
    } else if let Some(inner) = SUFFIXES.iter().find_map(|suffix| rest.strip_suffix(suffix)) {
        (found.currency, rest) = (true, inner.trim_end());
    }
    let mut factor = 1.0;
    if let Some((inner, times)) = MULTIPLIERS.iter().find_map(|(word, times)| rest.strip_suffix(word).map(|inner| (inner, *times))) {
        (found.multiplied, factor, rest) = (true, times, inner.trim_end());
    }
    let (digits, european) = plain(rest)?;
    let value: f64 = digits.parse().ok()?;
    let value = if negative { -value } else { value } * factor;
    found.european = european;
    found.value = if found.percent { divided(value) } else { value };
    Some(found)
}

// Through its decimal digits, so that 12.5 % is 0.125 and not a neighbour of it.
fn divided(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / 100.0)
}

fn narrow(c: char) -> char {
    match c {
        '\u{a0}' | '\u{3000}' | '\u{202f}' => ' ',
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    }
}

/// The digits with a point, and whether they were written with a comma for it.
fn plain(text: &str) -> Option<(String, bool)> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b'.') {
        return None;
    }
    let (commas, points) = (text.matches(',').count(), text.matches('.').count());
    if points <= 1 {
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
        let grouped = commas == 0 || groups(whole, ',');
        if grouped && fraction.is_none_or(|fraction| !fraction.is_empty() && !fraction.contains(',')) {
            return digits(&whole.replace(',', ""), fraction).map(|digits| (digits, false));
        }
    }
    if commas == 1 && points >= 1 {
        let (whole, fraction) = text.split_once(',')?;
        if groups(whole, '.') && !fraction.is_empty() && !fraction.contains('.') {
            return digits(&whole.replace('.', ""), Some(fraction)).map(|digits| (digits, true));
        }
    }
    None
}

fn groups(whole: &str, separator: char) -> bool {
    let mut parts = whole.split(separator);
    let first = parts.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && first != "0" && parts.all(|part| part.len() == 3)
}

fn digits(whole: &str, fraction: Option<&str>) -> Option<String> {
    let named = whole.len() > 1 && whole.starts_with('0');
    let count = whole.trim_start_matches('0').len() + fraction.map_or(0, str::len);
    if named || count > MOST_DIGITS || (whole.is_empty() && fraction.is_none()) {
        return None;
    }
    Some(fraction.map_or_else(|| whole.to_owned(), |fraction| format!("{}.{fraction}", if whole.is_empty() { "0" } else { whole })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_numbers_in_many_ways() {
        for (text, value) in [
            ("1,234,567", 1_234_567.0),
            ("₩1,200", 1_200.0),
            ("1,200원", 1_200.0),
            ("USD 5", 5.0),
            ("12.5%", 0.125),
            ("(1,200)", -1_200.0),
            ("△1,200", -1_200.0),
            ("1,200-", -1_200.0),
            ("１２３", 123.0),
            ("3억", 300_000_000.0),
            ("1,200만", 12_000_000.0),
            ("1.234,56", 1_234.56),
            ("-$3.50", -3.5),
            (".5", 0.5),
        ] {
            assert_eq!(parse(text).map(|parsed| parsed.value), Some(value), "{text}");
        }
    }

    #[test]
    fn names_and_codes_are_no_numbers() {
        for text in ["007", "010-1234-5678", "1234567890123456", "A12", "1,23", "12,34,567", "", "-", "1.2.3", "%", "5 개", "1e5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
