//! Numbers as people read them: thousands separators, units, and no digit that is not known.

use rust_decimal::Decimal;
use serde_json::Value;

use super::{Point, Unit};
use crate::model::language::Language;

/// Whole numbers from here on are not exact in an f64.
const INEXACT: f64 = 9_007_199_254_740_992.0;

const KOREAN_SCALES: &[(f64, &str)] = &[(1e12, "조"), (1e8, "억"), (1e4, "만")];
const ENGLISH_SCALES: &[(f64, &str)] = &[(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")];

/// A count with separators.
pub(super) fn count(number: u64) -> String {
    group(&number.to_string())
}

/// A point's value with its unit; nothing for a gap.
pub(super) fn point(point: &Point, unit: Unit) -> Option<String> {
    let value = point.value.filter(|value| value.is_finite())?;
    match &point.exact {
        Some(digits) if unit != Unit::Fraction => Some(with_unit(&exact(digits), unit)),
        _ => Some(self::value(value, unit)),
    }
}

/// A value with its unit: at most two decimals, or four digits of a small one.
pub(super) fn value(value: f64, unit: Unit) -> String {
    let shown = if unit == Unit::Fraction { value * 100.0 } else { value };
    with_unit(&plain(shown), unit)
}

/// A source's digits, where an f64 would show wrong ones: more than 15 before the point, and not absurdly many.
pub(super) fn exact_digits(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let long = (16..=40).contains(&whole.trim_start_matches('0').len());
    (long && digits(whole) && digits(fraction) && text.len() <= 80).then_some(text)
}

/// The labels of an axis, all in one scale. Values are shortened (억, 만; K, M, B) only where that loses nothing.
pub(super) fn ticks(values: &[f64], step: f64, unit: Unit, language: Language) -> Vec<String> {
    let factor = if unit == Unit::Fraction { 100.0 } else { 1.0 };
    let step = step * factor;
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max((value * factor).abs()));
    let (divisor, suffix) = shortening(largest, step, language);
    let places = places(step / divisor);
    values
        .iter()
        .map(|value| {
            let shown = value * factor;
            if shown.abs() < step * 1e-6 {
                return with_unit("0", unit);
            }
            let number = match places {
                Some(places) if largest < INEXACT => group(&trim_zeros(&format!("{:.places$}", shown / divisor))),
                _ => scientific(shown),
            };
            with_unit(&format!("{number}{suffix}"), unit)
        })
        .collect()
}

// The largest scale in which neighbouring ticks differ by a number of at most one decimal.
fn shortening(largest: f64, step: f64, language: Language) -> (f64, &'static str) {
    let (least, scales) = match language {
        Language::Korean => (1e5, KOREAN_SCALES),
        Language::English => (1e4, ENGLISH_SCALES),
    };
    if largest < least || largest >= INEXACT {
        return (1.0, "");
    }
    let fits = |divisor: f64| largest >= divisor && places(step / divisor).is_some_and(|places| places <= 1);
    scales.iter().copied().find(|(divisor, _)| fits(*divisor)).unwrap_or((1.0, ""))
}

// How many decimals show multiples of the step exactly; none if more than nine.
fn places(step: f64) -> Option<usize> {
    let mut scaled = step;
    for places in 0..=9 {
        if scaled >= 0.5 && (scaled - scaled.round()).abs() <= 1e-6 * scaled {
            return Some(places);
        }
        scaled *= 10.0;
    }
    None
}

fn plain(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-6..INEXACT).contains(&size) {
        return scientific(value);
    }
    let places = if size >= 1.0 { 2 } else { (3.0 - size.log10().floor()).clamp(2.0, 9.0) as usize };
    group(&trim_zeros(&format!("{value:.places$}")))
}

fn scientific(value: f64) -> String {
    let text = format!("{value:.3e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim_zeros(mantissa)),
        None => text,
    }
}

fn exact(digits: &str) -> String {
    let rounded = digits.parse::<Decimal>().map(|number| number.round_dp(2).to_string());
    let text = rounded.unwrap_or_else(|_| digits.split('.').next().unwrap_or_default().to_owned());
    group(&trim_zeros(&text))
}

fn with_unit(number: &str, unit: Unit) -> String {
    let before = |sign: char| match number.strip_prefix('-') {
        Some(size) => format!("-{sign}{size}"),
        None => format!("{sign}{number}"),
    };
    match unit {
        Unit::None => number.to_owned(),
        Unit::Won => before('₩'),
        Unit::Dollar => before('$'),
        Unit::Percent | Unit::Fraction => format!("{number}%"),
    }
}

fn trim_zeros(number: &str) -> String {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.').to_owned() } else { number.to_owned() }
}

// Separators into the whole part of a plain decimal number.
fn group(number: &str) -> String {
    let (sign, unsigned) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut grouped = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_separators_and_units() {
        for (number, unit, expected) in [
            (0.0, Unit::None, "0"),
            (-0.0, Unit::Won, "₩0"),
            (999.0, Unit::None, "999"),
            (1_234_567.0, Unit::None, "1,234,567"),
            (-1_234_567.5, Unit::Won, "-₩1,234,567.5"),
            (1234.5678, Unit::Dollar, "$1,234.57"),
            (12.5, Unit::Percent, "12.5%"),
            (0.07, Unit::Fraction, "7%"),
            (0.001_234_56, Unit::None, "0.001235"),
            (1e300, Unit::None, "1e300"),
            (-2.5e-9, Unit::None, "-2.5e-9"),
        ] {
            assert_eq!(value(number, unit), expected);
        }
        assert_eq!(count(1_234), "1,234");
    }

    #[test]
    fn long_numbers_keep_their_own_digits() {
        let of = |cell: Value| Point { value: crate::model::results::number(&cell), exact: exact_digits(&cell), ..Point::default() };
        assert_eq!(point(&of(json!("12345678901234567890.125")), Unit::Won).as_deref(), Some("₩12,345,678,901,234,567,890.12"));
        assert_eq!(
            point(&of(json!("123456789012345678901234567890123456789")), Unit::None).as_deref(),
            Some("123,456,789,012,345,678,901,234,567,890,123,456,789")
        );
        assert_eq!(point(&of(json!(1.5)), Unit::None).as_deref(), Some("1.5"));
        assert_eq!(point(&of(json!("NaN")), Unit::None), None);
        assert_eq!(exact_digits(&json!("1e20")), None);
    }

    #[test]
    fn ticks_are_shortened_only_when_exact() {
        let korean = |values: &[f64], step| ticks(values, step, Unit::None, Language::Korean);
        let english = |values: &[f64], step| ticks(values, step, Unit::None, Language::English);
        assert_eq!(korean(&[0.0, 50_000_000.0, 150_000_000.0], 50_000_000.0), ["0", "0.5억", "1.5억"]);
        assert_eq!(korean(&[0.0, 200_000.0], 50_000.0), ["0", "20만"]);
        assert_eq!(korean(&[0.0, 100_250.0], 250.0), ["0", "100,250"]);
        assert_eq!(english(&[0.0, 2_500_000.0], 500_000.0), ["0", "2.5M"]);
        assert_eq!(english(&[0.0, 5_000.0], 1_000.0), ["0", "5,000"]);
        assert_eq!(english(&[-0.2, 0.0, 0.2], 0.2), ["-0.2", "0", "0.2"]);
        assert_eq!(english(&[0.0, 1e300], 5e299), ["0", "1e300"]);
        assert_eq!(ticks(&[0.0, 0.25], 0.25, Unit::Fraction, Language::English), ["0%", "25%"]);
        assert_eq!(ticks(&[200_000_000.0], 1e8, Unit::Won, Language::Korean), ["₩2억"]);
    }
}
