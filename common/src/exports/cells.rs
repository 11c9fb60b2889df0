//! A value of a result as a cell of a spreadsheet: typed where the type holds it exactly, else its text.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde_json::{Number, Value};

use super::MAX_CELL_UNITS;
use crate::model::results::ColumnKind;

/// Spreadsheets count with so many digits; longer numbers would be shown wrong.
const DIGITS: usize = 15;

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Empty,
    Number(f64),
    Boolean(bool),
    Text(String),
    Day(NaiveDate),
    /// Whether it has a fraction of a second.
    Moment(NaiveDateTime, bool),
    Time(NaiveTime),
}

/// What of the values the cells do not hold, to be said beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Texts longer than a cell may be.
    pub(super) cut: u64,
    /// Texts with characters that the format has no place for.
    pub(super) replaced: u64,
    /// Moments finer than a millisecond.
    pub(super) rounded: u64,
    /// Moments with an offset, told in UTC.
    pub(super) in_utc: u64,
}

/// The cell of a value. `kind` is what its column holds: digits in a column of texts stay a text.
pub(super) fn cell(value: &Value, kind: ColumnKind, losses: &mut Losses) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::Bool(flag) => Cell::Boolean(*flag),
        Value::Number(number) => of_number(number),
        Value::String(text) => of_text(text, kind, losses).unwrap_or_else(|| Cell::Text(fitting(text, losses))),
        Value::Array(_) | Value::Object(_) => Cell::Text(fitting(&value.to_string(), losses)),
    }
}

fn of_number(number: &Number) -> Cell {
    // A float is what the source computes with: all of its digits are in the cell.
    let exact = number.is_f64() || significant(&number.to_string()).is_some_and(|digits| digits <= DIGITS);
    match number.as_f64().filter(|number| exact && number.is_finite()) {
        Some(number) => Cell::Number(number),
        None => Cell::Text(number.to_string()),
    }
}

fn of_text(text: &str, kind: ColumnKind, losses: &mut Losses) -> Option<Cell> {
    match kind {
        ColumnKind::Integer | ColumnKind::Number => {
            let exact = significant(text)? <= DIGITS;
            text.parse().ok().filter(|number: &f64| exact && number.is_finite()).map(Cell::Number)
        }
        ColumnKind::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| has_serial(*day)).map(Cell::Day),
        ColumnKind::Timestamp => of_moment(text, losses),
        ColumnKind::Time => NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok().map(Cell::Time),
        ColumnKind::Text | ColumnKind::Boolean | ColumnKind::Binary | ColumnKind::Other => None,
    }
}

// Before March of 1900 programs disagree about the days' numbers; after 9999 there are none.
fn has_serial(day: NaiveDate) -> bool {
    NaiveDate::from_ymd_opt(1900, 3, 1).is_some_and(|first| day >= first)
        && NaiveDate::from_ymd_opt(9999, 12, 31).is_some_and(|last| day <= last)
}

fn of_moment(text: &str, losses: &mut Losses) -> Option<Cell> {
    let plain = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"].iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let with_offset = || {
        let found = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
        found.ok().map(|moment| moment.naive_utc())
    };
    let (moment, in_utc) = match plain {
        Some(moment) => (moment, false),
        None => (with_offset()?, true),
    };
    if !has_serial(moment.date()) {
        return None;
    }
    losses.in_utc += u64::from(in_utc);
    losses.rounded += u64::from(moment.nanosecond() % 1_000_000 != 0);
    Some(Cell::Moment(moment, moment.nanosecond() >= 1_000_000))
}

// How many digits of a plain decimal number count; none: it is not one.
fn significant(text: &str) -> Option<usize> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if whole.is_empty() && fraction.is_empty() || !numeric(whole) || !numeric(fraction) || power.is_empty() || !numeric(power) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    // Zeros at the end of a whole number are digits that a cell keeps; those of a fraction say nothing.
    let told = if fraction.is_empty() { digits.as_str() } else { digits.trim_end_matches('0') };
    Some(told.trim_start_matches('0').len())
}

/// A text as a cell may hold it: no characters that XML cannot hold, no more than [`MAX_CELL_UNITS`].
pub(super) fn fitting(text: &str, losses: &mut Losses) -> String {
    let mut kept = String::with_capacity(text.len().min(MAX_CELL_UNITS * 3));
    let (mut units, mut replaced) = (0, false);
    let mut characters = text.chars().peekable();
    while let Some(mut c) = characters.next() {
        match c {
            // A line ends in one way only: XML readers turn the others into it.
            '\r' if characters.peek() == Some(&'\n') => continue,
            '\r' => c = '\n',
            '\t' | '\n' => {}
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {
                c = '\u{FFFD}';
                replaced = true;
            }
            _ => {}
        }
        units += c.len_utf16();
        kept.push(c);
        if units > MAX_CELL_UNITS {
            shorten(&mut kept, units);
            losses.cut += 1;
            break;
        }
    }
    losses.replaced += u64::from(replaced);
    kept
}

// Room for the sign that says that something is missing.
fn shorten(text: &mut String, mut units: usize) {
    while units >= MAX_CELL_UNITS {
        units -= text.pop().map_or(units, char::len_utf16);
    }
    text.push('…');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use ColumnKind::{Date, Integer, Number, Other, Text, Time, Timestamp};

    fn one(value: Value, kind: ColumnKind) -> Cell {
        cell(&value, kind, &mut Losses::default())
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn numbers_are_numbers_where_all_digits_fit() {
        for (value, kind, expected) in [
            (json!(7), Integer, Cell::Number(7.0)),
            (json!(-0.1), Number, Cell::Number(-0.1)),
            (json!(0.1 + 0.2), Number, Cell::Number(0.1 + 0.2)),
            (json!(123_456_789_012_345_i64), Integer, Cell::Number(123_456_789_012_345.0)),
            (json!(1_234_567_890_123_456_i64), Integer, text("1234567890123456")),
            (json!("9007199254740993"), Integer, text("9007199254740993")),
            (json!("-12.50"), Number, Cell::Number(-12.5)),
            (json!("0.000000000000000000012"), Number, Cell::Number(1.2e-20)),
            (json!("1234567890123.456"), Number, text("1234567890123.456")),
            (json!("1e5"), Number, Cell::Number(100_000.0)),
            (json!("1e999"), Number, text("1e999")),
            (json!("NaN"), Number, text("NaN")),
            (json!("Infinity"), Number, text("Infinity")),
            (json!("."), Number, text(".")),
            (json!("007"), Text, text("007")),
            (json!(7), Text, Cell::Number(7.0)),
            (json!(true), Integer, Cell::Boolean(true)),
            (json!(null), Integer, Cell::Empty),
            (json!({"base64": "AA=="}), Other, text("{\"base64\":\"AA==\"}")),
            (json!("=1+1"), Text, text("=1+1")),
        ] {
            assert_eq!(one(value.clone(), kind), expected, "{value}");
        }
    }

    #[test]
    fn days_moments_and_times_are_typed_where_there_are_such_days() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a day");
        let noon = day(2024, 3, 5).and_hms_opt(12, 0, 0).expect("a moment");
        let milli = day(2024, 3, 5).and_hms_milli_opt(12, 0, 0, 250).expect("a moment");
        for (value, kind, expected) in [
            ("2024-03-05", Date, Cell::Day(day(2024, 3, 5))),
            ("1900-02-28", Date, text("1900-02-28")),
            ("0044-03-15 BC", Date, text("0044-03-15 BC")),
            ("2024-03-05", Text, text("2024-03-05")),
            ("2024-03-05T12:00:00", Timestamp, Cell::Moment(noon, false)),
            ("2024-03-05 12:00:00.250", Timestamp, Cell::Moment(milli, true)),
            ("2024-03-05T12:00:00Z", Timestamp, Cell::Moment(noon, false)),
            ("2024-03-05T21:00:00+09:00", Timestamp, Cell::Moment(noon, false)),
            ("2024-03-05 12:00:00+00", Timestamp, Cell::Moment(noon, false)),
            ("infinity", Timestamp, text("infinity")),
            ("10:30:00", Time, Cell::Time(NaiveTime::from_hms_opt(10, 30, 0).expect("a time"))),
            ("3 days 10:30:00", Time, text("3 days 10:30:00")),
            ("838:59:59", Time, text("838:59:59")),
        ] {
            assert_eq!(one(json!(value), kind), expected, "{value}");
        }
        let mut losses = Losses::default();
        cell(&json!("2024-03-05T21:00:00.000001+09:00"), Timestamp, &mut losses);
        assert_eq!(losses, Losses { rounded: 1, in_utc: 1, ..Losses::default() });
    }

    #[test]
    fn texts_fit_a_cell_and_what_they_lose_is_counted() {
        let mut losses = Losses::default();
        let longest = "가".repeat(MAX_CELL_UNITS);
        assert_eq!(fitting(&longest, &mut losses), longest);
        assert_eq!(losses, Losses::default());
        let cut = fitting(&"🎉".repeat(20_000), &mut losses);
        assert_eq!((cut.encode_utf16().count(), cut.ends_with("🎉…")), (MAX_CELL_UNITS, true));
        assert_eq!(fitting("a\0b\u{8}\u{FFFF}\r\nc\rd\te", &mut losses), "a\u{FFFD}b\u{FFFD}\u{FFFD}\nc\nd\te");
        assert_eq!(losses, Losses { cut: 1, replaced: 1, ..Losses::default() });
    }
}
