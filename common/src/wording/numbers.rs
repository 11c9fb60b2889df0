//! Numbers of results and sentences: exact where a decimal holds them, shown with thousands separators, found again in a text.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde_json::{Number, Value};

/// Longer digits are shown as a power of ten.
const MAX_SHOWN_DIGITS: usize = 60;
/// The largest integer that every JSON reader keeps exactly.
const MAX_JSON_INTEGER: i64 = 1 << 53;

/// A number of a cell, or one computed from cells.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// Without any loss; no trailing zeros after the point.
    Exact(Decimal),
    /// Too long for a decimal: the nearest float, always finite.
    Approximate {
        /// The nearest float.
        value: f64,
        /// The number as the source wrote it; none for a computed one.
        digits: Option<String>,
    },
}

impl Amount {
    /// The number in a cell; none for NULL, NaN, infinities, numbers beyond a float, and everything that is no number.
    #[must_use]
    pub fn of(cell: &Value) -> Option<Self> {
        match cell {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text.trim()),
            _ => None,
        }
    }

    /// A number as JSON and databases write it, without separators.
    fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        if !text.bytes().all(allowed) {
            return None;
        }
        if let Some(exact) = exact(text) {
            return Some(Self::Exact(exact));
        }
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
        Some(Self::Approximate { value, digits: Some(text.to_owned()) })
    }

    /// A computed float; none if it is not finite.
    fn computed(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self::Approximate { value, digits: None })
    }

    /// The nearest float.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Exact(decimal) => decimal.to_f64().unwrap_or(0.0),
            Self::Approximate { value, .. } => *value,
        }
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.to_f64() < 0.0
    }

    /// Whether it is above zero.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.to_f64() > 0.0
    }

    /// Which of two is larger, exactly also where both are too long for a decimal.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a.cmp(b),
            // Rounding to a float keeps the order, it can only make different numbers look the same.
            _ => self.to_f64().total_cmp(&other.to_f64()).then_with(|| compare_digits(&self.digits(), &other.digits())),
        }
    }

    /// The sum, exact if all parts are exact and it fits; none of an empty list, or if it is beyond a float.
    #[must_use]
    pub fn sum<'a>(parts: impl Iterator<Item = &'a Self> + Clone) -> Option<Self> {
        parts.clone().next()?;
        match exact_sum(parts.clone()) {
            Some(sum) => Some(Self::Exact(sum)),
            None => Self::computed(parts.map(Self::to_f64).sum()),
        }
    }

    /// This minus another.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        let negated = match other {
            Self::Exact(decimal) => Self::Exact(-*decimal),
            Self::Approximate { value, .. } => Self::computed(-value)?,
        };
        Self::sum([self.clone(), negated].iter())
    }

    /// This divided by a count above zero, to 28 digits.
    #[must_use]
    pub fn divided_by(&self, count: usize) -> Option<Self> {
        match self {
            Self::Exact(decimal) => decimal.checked_div(Decimal::from(count)).map(|quotient| Self::Exact(quotient.normalize())),
            Self::Approximate { value, .. } => Self::computed(value / count as f64),
        }
    }

    /// This as a percentage of a whole above zero, rounded to one decimal.
    #[must_use]
    pub fn percent_of(&self, whole: &Self) -> Option<Decimal> {
        if !whole.is_positive() {
            return None;
        }
        let exact = match (self, whole) {
            (Self::Exact(part), Self::Exact(whole)) => part.checked_div(*whole).and_then(|ratio| ratio.checked_mul(Decimal::ONE_HUNDRED)),
            _ => None,
        };
        let percent = match exact {
            Some(percent) => percent,
            None => Decimal::try_from(self.to_f64() / whole.to_f64() * 100.0).ok()?,
        };
        let rounded = percent.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
        Some(if rounded.is_zero() { Decimal::ZERO } else { rounded })
    }

    /// The number for a sentence: thousands separators; beyond four decimals rounded to two (below one, to four digits).
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Exact(decimal) => grouped(&rounded(*decimal).to_string()),
            Self::Approximate { value, digits } => match digits {
                Some(digits) if digits.len() <= MAX_SHOWN_DIGITS && !digits.contains(['e', 'E']) => grouped(digits),
                _ => {
                    let short = shortened(*value);
                    if short.contains('e') { short } else { grouped(&short) }
                }
            },
        }
    }

    /// The number for `evidence`: unrounded, a JSON number where that is exact, else text; computed floats as the sentence has them.
    #[must_use]
    pub fn evidence(&self) -> Value {
        match self {
            Self::Exact(decimal) => decimal_evidence(*decimal),
            Self::Approximate { value, digits } => Value::String(digits.clone().unwrap_or_else(|| shortened(*value))),
        }
    }

    fn digits(&self) -> String {
        match self {
            Self::Exact(decimal) => decimal.to_string(),
            Self::Approximate { digits, .. } => digits.clone().unwrap_or_default(),
        }
    }
}

/// A percentage for a sentence, with its one decimal: `42.0%`.
#[must_use]
pub fn show_percent(percent: Decimal) -> String {
    format!("{}%", grouped(&format!("{percent:.1}")))
}

/// A decimal for `evidence`: a JSON number where that is exact, else text.
#[must_use]
pub fn decimal_evidence(decimal: Decimal) -> Value {
    let text = decimal.normalize().to_string();
    if decimal.is_integer() {
        let small = text.parse::<i64>().ok().filter(|integer| (-MAX_JSON_INTEGER..=MAX_JSON_INTEGER).contains(integer));
        return small.map_or(Value::String(text), Value::from);
    }
    let float = text.parse::<f64>().ok().filter(|float| float.to_string() == text).and_then(Number::from_f64);
    float.map_or(Value::String(text), Value::Number)
}

// Parsed by hand: the crate's own parser rounds what is too long, and takes underscores.
fn exact(text: &str) -> Option<Decimal> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let joined = format!("{whole}{fraction}");
    if (whole.is_empty() && fraction.is_empty()) || !joined.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut mantissa: i128 = joined.parse().ok()?;
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if scale < 0 {
        mantissa = mantissa.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?;
        scale = 0;
    }
    decimal_of(if negative { -mantissa } else { mantissa }, scale.unsigned_abs())
}

fn decimal_of(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

// In integers, because the crate's own addition rounds when digits run out.
fn exact_sum<'a>(parts: impl Iterator<Item = &'a Amount> + Clone) -> Option<Decimal> {
    let decimals = parts.map(|part| match part {
        Amount::Exact(decimal) => Some(*decimal),
        Amount::Approximate { .. } => None,
    });
    let mut scale = 0;
    for decimal in decimals.clone() {
        scale = scale.max(decimal?.scale());
    }
    let mut total: i128 = 0;
    for decimal in decimals {
        let decimal = decimal?;
        let factor = 10_i128.checked_pow(scale - decimal.scale())?;
        total = total.checked_add(decimal.mantissa().checked_mul(factor)?)?;
    }
    decimal_of(total, scale)
}

fn rounded(decimal: Decimal) -> Decimal {
    let decimal = decimal.normalize();
    if decimal.scale() <= 4 {
        return decimal;
    }
    let strategy = RoundingStrategy::MidpointAwayFromZero;
    let shorter = if decimal.abs() >= Decimal::ONE {
        decimal.round_dp_with_strategy(2, strategy)
    } else {
        decimal.round_sf_with_strategy(4, strategy).unwrap_or(decimal)
    };
    shorter.normalize()
}

/// A float of which not every digit is known to be right: two decimals, or six digits and a power of ten.
fn shortened(value: f64) -> String {
    if value.abs() < f64::MIN_POSITIVE {
        return "0".to_owned();
    }
    if (1e-2..1e15).contains(&value.abs()) {
        return format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let text = format!("{value:.5e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => {
            format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// A number written in digits, with commas between thousands.
#[must_use]
pub fn grouped(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::with_capacity(text.len() + whole.len() / 3);
    grouped.push_str(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped.push_str(fraction);
    grouped
}

// Plain decimal digits of numbers that are the same as floats; whatever is written otherwise counts as equal.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let plain = |text: &str| -> Option<(bool, String, String)> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        all_digits.then(|| (negative, whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned()))
    };
    let (Some((negative, whole_a, fraction_a)), Some((_, whole_b, fraction_b))) = (plain(a), plain(b)) else {
        return Ordering::Equal;
    };
    let order = whole_a.len().cmp(&whole_b.len()).then_with(|| whole_a.cmp(&whole_b)).then_with(|| fraction_a.cmp(&fraction_b));
    if negative { order.reverse() } else { order }
}

/// Every number in a text, without its thousands separators, as written otherwise: `-1234.5`, `05`, `1.5e38`. A minus sign counts where
/// it cannot be a dash, so `2024-05` is two numbers above zero.
#[must_use]
pub fn numbers_in(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !chars[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let sign = at > 0 && matches!(chars[at - 1], '-' | '\u{2212}') && (at == 1 || !chars[at - 2].is_alphanumeric());
        let end = number_end(&chars, at);
        let digits: String = chars[at..end].iter().filter(|c| **c != ',').collect();
        found.push(if sign { format!("-{digits}") } else { digits });
        at = end;
    }
    found
}

fn number_end(chars: &[char], start: usize) -> usize {
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let digits_from = |mut at: usize| {
        while digit(at) {
            at += 1;
        }
        at
    };
    let mut end = digits_from(start);
    if end - start <= 3 {
        while chars.get(end) == Some(&',') && digits_from(end + 1) == end + 4 {
            end += 4;
        }
    }
    if chars.get(end) == Some(&'.') && digit(end + 1) {
        end = digits_from(end + 1);
    }
    if matches!(chars.get(end), Some('e' | 'E')) {
        let signed = matches!(chars.get(end + 1), Some('+' | '-'));
        let exponent = end + 1 + usize::from(signed);
        let after = digits_from(exponent);
        if after > exponent && chars.get(after).is_none_or(|c| !c.is_ascii_alphabetic()) {
            end = after;
        }
    }
    end
}
