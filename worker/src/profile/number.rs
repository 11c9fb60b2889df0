//! Numbers of any length and scale, compared exactly as they are written: a `numeric` of forty digits fits no machine type.

use std::cmp::Ordering;

/// Exponents beyond this are no numbers of a database.
const MOST_EXPONENT: u64 = 1_000_000;

/// A number as `0.digits × 10^point`, without zeros at either end; no digits: zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    point: i64,
    digits: String,
}

impl Number {
    /// Reads `-12.50`, `1e+300` and their kin; none: it is no number (`NaN` and `Infinity` are none either).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) || exponent.unsigned_abs() > MOST_EXPONENT {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = all.len() - digits.len();
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { negative: false, point: 0, digits: String::new() });
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + exponent;
        Some(Self { negative, point, digits: digits.to_owned() })
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        // Digits without zeros at the end compare as text does: `12` stands before `123`, as 0.12 is less than 0.123.
        let magnitude = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        self.sign().cmp(&other.sign()).then_with(|| match self.sign() {
            0 => Ordering::Equal,
            1 => magnitude(),
            _ => magnitude().reverse(),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether the text is a whole number as a program writes one: `007` is a code, and no number.
pub(super) fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain && (digits.len() == 1 || !digits.starts_with('0'))
}

/// Whether the text is a number as a program writes one.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let padded = unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    !padded && Number::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn numbers_are_ordered_as_numbers_whatever_their_length() {
        let ordered = [
            "-123456789012345678901234567890123456789.6",
            "-123456789012345678901234567890123456789.5",
            "-10",
            "-9",
            "-0.002",
            "-0.0019",
            "0",
            "1e-300",
            "0.5",
            "9",
            "10",
            "10.01",
            "1e2",
            "123456789012345678901234567890123456789",
            "123456789012345678901234567890123456789.0001",
            "1e+300",
        ];
        for pair in ordered.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{} < {}", pair[0], pair[1]);
            assert!(number(pair[1]) > number(pair[0]), "{} > {}", pair[1], pair[0]);
        }
    }

    #[test]
    fn ways_of_writing_do_not_matter() {
        for (a, b) in [("1.50", "1.5"), ("+7", "007"), ("1e3", "1000"), ("-0", "0.00"), (".5", "0.5"), ("12E-1", "1.2"), ("5.", "5")] {
            assert_eq!(number(a).cmp(&number(b)), Ordering::Equal, "{a} = {b}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "NaN", "Infinity", "1,000", "1e", "e5", "0x10", "1 2", "1.2.3", "--1", "1e9999999999", "일"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(Number::parse("1e-9223372036854775808"), None, "the least of all exponents, whose opposite is none");
    }

    #[test]
    fn codes_with_zeros_before_them_are_no_numbers() {
        assert!(is_integer("0") && is_integer("-12") && is_integer("9007199254740993"));
        assert!(!is_integer("06236") && !is_integer("1.0") && !is_integer("") && !is_integer("-"));
        assert!(is_number("0.5") && is_number("-0.5") && is_number("1e-3") && is_number("12"));
        assert!(!is_number("06236") && !is_number("00") && !is_number("-012.5"));
    }
}
