//! Sizes written into a statement: arguments that say how large a value or how many rows must be small literals, because time limits
//! of a server do not interrupt the making of one huge value.

use datagenie_common::model::connections::DbType;
use sqlparser::ast::{CastKind, DataType, Expr, UnaryOperator, Value};

use super::refusal::{Checked, Refusal};

/// How long a value may be made by one function.
const MAX_SIZE: u64 = 10_000;
/// How long a literal may become by being repeated.
const MAX_REPEATED: u64 = 1_000_000;
/// How many rows a series may have.
const MAX_STEPS: f64 = 100_000.0;
/// How much nested functions may multiply the size of a value together.
pub(super) const MAX_GROWTH: u64 = 100_000;
/// What is assumed of a replacement text that is not a literal: a column's value, or something computed.
const GROWTH_OF_COLUMN: u64 = 16;
const GROWTH_OF_COMPUTED: u64 = 1_000;

/// Checks the arguments of a function that can make values large; tells how many times longer its result may be than an argument.
pub(super) fn check(db: DbType, name: &str, args: &[Option<&Expr>]) -> Checked<u64> {
    match (db, name) {
        (DbType::Postgresql | DbType::Mysql, "repeat") => repeated(args),
        (DbType::Postgresql | DbType::Mysql, "lpad" | "rpad") => size(name, args, 1),
        (DbType::Mysql, "space" | "random_bytes") | (DbType::Sqlite, "zeroblob" | "randomblob") => size(name, args, 0),
        (DbType::Postgresql, "to_char" | "array_to_string") => Ok(growth_of_text(args.get(1).copied().flatten())),
        (_, "replace") => replacement(args, 1, 2),
        (_, "regexp_replace") => Ok(growth_of_text(args.get(2).copied().flatten())),
        (DbType::Postgresql, "format") | (DbType::Sqlite, "format" | "printf") => format_widths(name, args),
        (_, "generate_series") => series(db, args).map(|()| 1),
        _ => Ok(1),
    }
}

fn size(name: &str, args: &[Option<&Expr>], index: usize) -> Checked<u64> {
    let limit = |argument: &Expr| match number(argument) {
        Some(size) if size <= MAX_SIZE as f64 => Ok(size.max(1.0) as u64),
        Some(_) => Err(Refusal::refused(format!("`{name}` would make a value longer than {MAX_SIZE}."))
            .hint(format!("Use a length of at most {MAX_SIZE}."))),
        None => Err(Refusal::refused(format!("The length given to `{name}` must be written as a number."))
            .hint(format!("Write a number of at most {MAX_SIZE} there."))),
    };
    args.get(index).copied().flatten().map_or_else(|| Err(Refusal::refused(format!("`{name}` needs a length as a number."))), limit)
}

fn repeated(args: &[Option<&Expr>]) -> Checked<u64> {
    let times = size("repeat", args, 1)?;
    let length = args.first().copied().flatten().and_then(text).map_or(1, |text| text.len() as u64);
    if times.saturating_mul(length) > MAX_REPEATED {
        return Err(Refusal::refused(format!("`repeat` would make a value longer than {MAX_REPEATED}.")).hint("Repeat it less often."));
    }
    Ok(times)
}

fn replacement(args: &[Option<&Expr>], from: usize, to: usize) -> Checked<u64> {
    let length = |index: usize| args.get(index).copied().flatten().and_then(text).map(|text| text.chars().count() as u64);
    match (length(from), length(to)) {
        (_, Some(0 | 1)) => Ok(1),
        (Some(from), Some(to)) => Ok(to.div_ceil(from.max(1))),
        (None, Some(to)) => Ok(to),
        (_, None) => Ok(growth_of_text(args.get(to).copied().flatten())),
    }
}

fn growth_of_text(argument: Option<&Expr>) -> u64 {
    match argument {
        None => 1,
        Some(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => GROWTH_OF_COLUMN,
        Some(other) => text(other).map_or(GROWTH_OF_COMPUTED, |text| text.chars().count() as u64).max(1),
    }
}

// Every width and precision of a format text must be small and stand in it.
fn format_widths(name: &str, args: &[Option<&Expr>]) -> Checked<u64> {
    let Some(format) = args.first().copied().flatten().and_then(text) else {
        return Err(Refusal::refused(format!("The first argument of `{name}` must be a text.")).hint("Write the format as a literal."));
    };
    let mut widest = 1_u64;
    for piece in format.split('%').skip(1) {
        let end = piece.find(|c: char| c.is_alphabetic()).unwrap_or(piece.len());
        let flags = &piece[..end];
        if flags.contains('*') {
            return Err(Refusal::refused(format!("A width of `*` is not allowed in `{name}`.")).hint("Write the width as a number."));
        }
        for digits in flags.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()) {
            let width = digits.parse::<u64>().unwrap_or(u64::MAX);
            if width > MAX_SIZE {
                return Err(Refusal::refused(format!("`{name}` would make a value longer than {MAX_SIZE}."))
                    .hint(format!("Use a width of at most {MAX_SIZE}.")));
            }
            widest = widest.max(width);
        }
    }
    Ok(widest)
}

fn series(db: DbType, args: &[Option<&Expr>]) -> Checked<()> {
    let args: Vec<&Expr> = args.iter().copied().flatten().collect();
    let (start, stop, step) = match args.as_slice() {
        [start, stop] => (*start, *stop, None),
        [start, stop, step] => (*start, *stop, Some(*step)),
        _ => return Err(Refusal::refused("`generate_series` needs a start, a stop and perhaps a step.")),
    };
    // Only PostgreSQL has series of times; to SQLite an interval is a text, which counts as the number it begins with.
    let interval = step.filter(|_| db == DbType::Postgresql).and_then(interval_seconds);
    let steps = match interval {
        Some(seconds) => match (date_days(start), date_days(stop)) {
            (Some(from), Some(to)) => (to - from).abs() * 86_400.0 / seconds,
            _ if is_endless(start) || is_endless(stop) => f64::INFINITY,
            // Unknown ends, such as the first and last day of a table: an hour is fine enough.
            _ if seconds >= 3_600.0 => 0.0,
            _ => f64::INFINITY,
        },
        None => match (number(start), number(stop), step.map_or(Some(1.0), number)) {
            (Some(from), Some(to), Some(step)) if step != 0.0 => ((to - from) / step).abs(),
            _ => {
                return Err(Refusal::refused("The ends and the step of `generate_series` must be written as literals.")
                    .hint("Write numbers, or dates with a step such as INTERVAL '1 day'."));
            }
        },
    };
    if steps <= MAX_STEPS {
        return Ok(());
    }
    Err(Refusal::refused("`generate_series` would make too many rows.").hint(format!("Use at most {MAX_STEPS} steps, or a larger step.")))
}

// The value of a number written out, perhaps with a sign, in parentheses or cast.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.replace('_', "").parse().ok(),
            Value::SingleQuotedString(digits) => digits.trim().parse().ok(),
            Value::Null => Some(0.0),
            _ => None,
        },
        Expr::Nested(inner) => number(inner),
        // Without a sign, MySQL's -1 is the largest number there is.
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: inner, data_type, .. } => {
            let signed = !matches!(data_type, DataType::Unsigned | DataType::UnsignedInteger);
            number(inner).filter(|number| signed || *number >= 0.0)
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr).map(|number| -number),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => number(expr),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => literal(&value.value),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::Prefixed { value: inner, .. } => text(inner),
        Expr::TypedString(typed) => literal(&typed.value.value),
        _ => None,
    }
}

fn literal(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text)
        | Value::DoubleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text)
        | Value::NationalStringLiteral(text) => Some(text),
        Value::DollarQuotedString(text) => Some(&text.value),
        Value::Null => Some(""),
        _ => None,
    }
}

// The day number of a date written out; only differences count.
fn date_days(expr: &Expr) -> Option<f64> {
    let date = text(expr)?.get(..10)?;
    chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").ok().map(|date| f64::from(chrono::Datelike::num_days_from_ce(&date)))
}

// `infinity` is a time too.
fn is_endless(expr: &Expr) -> bool {
    text(expr).is_some_and(|text| text.to_ascii_lowercase().contains("inf"))
}

// The length of an interval written out, in seconds; none if it is no interval, or shorter than it looks (`1 month -30 days`).
fn interval_seconds(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Nested(inner) => interval_seconds(inner),
        Expr::Value(_) => span_seconds(text(expr)?),
        Expr::Interval(interval) => {
            let written = text(&interval.value).map(str::to_owned).or_else(|| number(&interval.value).map(|number| number.to_string()))?;
            match &interval.leading_field {
                Some(field) => span_seconds(&format!("{written} {field}")),
                None => span_seconds(&written),
            }
        }
        Expr::Cast { expr: inner, data_type, .. } if is_interval(data_type) => span_seconds(text(inner)?),
        Expr::TypedString(typed) if is_interval(&typed.data_type) => span_seconds(literal(&typed.value.value)?),
        _ => None,
    }
}

fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval { .. })
}

// `1 day`, `2 hours`, `1 month 2 days`: pairs of a positive number and a unit.
fn span_seconds(text: &str) -> Option<f64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    let mut seconds = 0.0;
    for pair in words.chunks(2) {
        let count: f64 = pair[0].parse().ok().filter(|count: &f64| *count > 0.0)?;
        let unit = pair[1].to_ascii_lowercase();
        seconds += count
            * match unit.trim_end_matches('s') {
                "microsecond" => 0.000_001,
                "millisecond" | "msec" => 0.001,
                "second" | "sec" => 1.0,
                "minute" | "min" => 60.0,
                "hour" | "hr" | "h" => 3_600.0,
                "day" | "d" => 86_400.0,
                "week" | "w" => 604_800.0,
                "month" | "mon" => 2_592_000.0,
                "quarter" => 7_776_000.0,
                "year" | "yr" | "y" => 31_536_000.0,
                "decade" => 315_360_000.0,
                _ => return None,
            };
    }
    Some(seconds)
}
