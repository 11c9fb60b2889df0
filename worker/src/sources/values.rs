//! Values in the contract's form, whatever engine they come from: exact, or as text.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use datagenie_common::model::results::Row;
use serde::Serialize;
use serde_json::{Number, Value, json};

/// Whole numbers beyond ±2^53 are not exact in JavaScript, so they go out as strings.
const EXACT: u64 = 1 << 53;
/// Decimal digits that every double keeps.
const EXACT_DIGITS: usize = 15;
/// Binary values and JSON documents past this size are cut, or kept as text.
pub(super) const LARGE: usize = 64 * 1024;

/// A whole number: a JSON number up to ±2^53, else a string.
pub(super) fn integer(number: i64) -> Value {
    if number.unsigned_abs() <= EXACT { Value::from(number) } else { Value::String(number.to_string()) }
}

/// A floating number: a JSON number, NaN and the infinities as strings.
pub(super) fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| Value::String(not_finite(number).to_owned()), Value::Number)
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Bytes as `{"base64", "truncated"}`; `truncated` also when the caller already left some out.
pub(super) fn binary(bytes: &[u8], cut_before: bool) -> Value {
    let kept = bytes.get(..LARGE).unwrap_or(bytes);
    json!({ "base64": STANDARD.encode(kept), "truncated": cut_before || kept.len() < bytes.len() })
}

/// A JSON document: parsed where that loses nothing, else its text. It loses something in documents with numbers longer than a double
/// holds, and costs too much in large ones.
pub(super) fn document(text: &str) -> Value {
    let parsed = if text.len() <= LARGE && numbers_are_exact(text) { serde_json::from_str(text).ok() } else { None };
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn numbers_are_exact(text: &str) -> bool {
    let (mut in_string, mut escaped, mut digits) = (false, false, 0);
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'0'..=b'9' => digits += 1,
            b'.' => {}
            _ => digits = 0,
        }
        if digits > EXACT_DIGITS {
            return false;
        }
    }
    true
}

/// A moment written `2024-03-05 10:20:30[.5][+00]` as `2024-03-05T10:20:30[.5][Z]`. Everything else (infinity, BC, years past 9999,
/// other zones, shorter forms) stays the source's own text.
pub(super) fn moment(text: &str) -> Value {
    let (local, zone) = text.strip_suffix("+00").map_or((text, ""), |local| (local, "Z"));
    Value::String(match local.split_once(' ') {
        Some((day, time)) if is_day(day) && is_time(time) => format!("{day}T{time}{zone}"),
        _ => text.to_owned(),
    })
}

fn is_day(text: &str) -> bool {
    follows(text.as_bytes(), b"dddd-dd-dd")
}

fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    follows(clock.as_bytes(), b"dd:dd:dd") && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn follows(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, wanted)| if *wanted == b'd' { byte.is_ascii_digit() } else { byte == wanted })
}

/// How many bytes a row takes as JSON, with its separator.
pub(super) fn encoded_size(row: &Row) -> u64 {
    json_size(row).saturating_add(1)
}

/// How many bytes something takes as JSON.
pub(super) fn json_size<T: Serialize>(value: &T) -> u64 {
    struct Counter(u64);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Writing values to a counter cannot fail; if it ever did, the row counts as endless and the byte limit stops the statement.
    serde_json::to_writer(&mut counter, value).map_or(u64::MAX, |()| counter.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_two_to_the_53_are_strings() {
        assert_eq!(integer(9_007_199_254_740_992), json!(9_007_199_254_740_992_i64));
        assert_eq!(integer(9_007_199_254_740_993), json!("9007199254740993"));
        assert_eq!(integer(i64::MIN), json!("-9223372036854775808"));
    }

    #[test]
    fn floats_that_json_cannot_say_are_strings() {
        assert_eq!(float(1.5), json!(1.5));
        assert_eq!(float(f64::NAN), json!("NaN"));
        assert_eq!(float(f64::NEG_INFINITY), json!("-Infinity"));
    }

    #[test]
    fn binary_is_cut_at_64_kib() {
        assert_eq!(binary(b"abc", false), json!({ "base64": "YWJj", "truncated": false }));
        assert_eq!(binary(&vec![0; LARGE + 1], false)["truncated"], json!(true));
        assert_eq!(binary(b"abc", true)["truncated"], json!(true));
    }

    #[test]
    fn documents_are_parsed_only_when_nothing_is_lost() {
        assert_eq!(document(r#"{"a": [1, 2.5, "1234567890123456789"]}"#), json!({ "a": [1, 2.5, "1234567890123456789"] }));
        let long = r#"{"a": 12345678901234567890.5}"#;
        assert_eq!(document(long), json!(long));
        let after_quote = r#"{"a\"": 1234567890123456789}"#;
        assert_eq!(document(after_quote), json!(after_quote));
        let huge = format!("\"{}\"", "x".repeat(LARGE));
        assert_eq!(document(&huge), json!(huge));
    }

    #[test]
    fn moments_become_rfc_3339_and_odd_ones_stay() {
        assert_eq!(moment("2024-03-05 10:20:30"), json!("2024-03-05T10:20:30"));
        assert_eq!(moment("2024-03-05 10:20:30.123456+00"), json!("2024-03-05T10:20:30.123456Z"));
        for own in ["infinity", "0044-03-15 10:00:00 BC", "12024-03-05 10:20:30", "2024-03-05 10:20:30+09", "2024-03-05", "서울 10:20:30"]
        {
            assert_eq!(moment(own), json!(own));
        }
    }

    #[test]
    fn the_size_of_a_row_is_its_json() {
        let row = vec![json!(1), json!("서울"), Value::Null];
        assert_eq!(encoded_size(&row), serde_json::to_string(&row).expect("a row serialises").len() as u64 + 1);
    }
}
