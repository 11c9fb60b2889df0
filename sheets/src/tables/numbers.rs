//! Texts that are numbers: thousands separators, decimal commas, currencies, percent, accounting negatives, Korean multipliers.

/// A text read as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parsed {
    /// The number; a percentage is already divided by 100.
    pub(super) value: f64,
    /// The number with a comma for the decimal point (`1,234` is 1.234); the same as `value` without separators. Not a number: it can't be
    /// read so.
    pub(super) comma: f64,
    /// Whether `value` has a point for the decimal point: `12,5` can only be read with a comma.
    pub(super) pointed: bool,
    pub(super) percent: bool,
    pub(super) currency: Option<Currency>,
    /// Written with 만 or 억: a number only where the whole column is.
    pub(super) multiplied: bool,
    /// What is counted, by its place in [`UNITS`] from 1: a number only where all texts of the column count the same. 0: nothing is said.
    pub(super) unit: u8,
    /// Not only one digit on each side of a comma, which may be a list of two choices.
    pub(super) long: bool,
}

/// What people write behind numbers.
pub(super) const UNITS: &[&str] = &[
    "개", "명", "건", "회", "권", "장", "병", "대", "마리", "박스", "세", "살", "점", "시간", "톤", "kg", "km", "cm", "mm", "ml", "㎡",
    "g", "m", "L",
];

/// Whose money it is. One bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Currency {
    Won = 1,
    Dollar = 2,
    Euro = 4,
    Pound = 8,
    /// Of Japan or of China: the sign is the same.
    Yen = 16,
}

impl Currency {
    const ALL: [(Self, &'static str); 5] =
        [(Self::Won, "KRW"), (Self::Dollar, "USD"), (Self::Euro, "EUR"), (Self::Pound, "GBP"), (Self::Yen, "JPY/CNY")];

    pub(super) fn bit(self) -> u8 {
        self as u8
    }

    /// The codes of those whose bits are set.
    pub(super) fn codes(bits: u8) -> String {
        let codes: Vec<&str> = Self::ALL.iter().filter(|(currency, _)| bits & currency.bit() != 0).map(|(_, code)| *code).collect();
        codes.join(", ")
    }
}

const SIGNS: &[(&str, Currency)] = &[
    ("₩", Currency::Won),
    ("￦", Currency::Won),
    ("\\", Currency::Won),
    ("KRW", Currency::Won),
    ("원", Currency::Won),
    ("US$", Currency::Dollar),
    ("$", Currency::Dollar),
    ("USD", Currency::Dollar),
    ("달러", Currency::Dollar),
    ("불", Currency::Dollar),
    ("€", Currency::Euro),
    ("EUR", Currency::Euro),
    ("유로", Currency::Euro),
    ("£", Currency::Pound),
    ("GBP", Currency::Pound),
    ("파운드", Currency::Pound),
    ("¥", Currency::Yen),
    ("￥", Currency::Yen),
    ("JPY", Currency::Yen),
    ("CNY", Currency::Yen),
    ("RMB", Currency::Yen),
    ("엔", Currency::Yen),
    ("위안", Currency::Yen),
];
const LARGE: &[(char, f64)] = &[('조', 1e12), ('억', 1e8), ('만', 1e4)];
const SMALL: &[(char, f64)] = &[('천', 1e3), ('백', 1e2), ('십', 1e1)];
/// An f64 holds so many digits of any whole number; more before the point are those of a card or an account.
const MOST_DIGITS: usize = 15;
/// Programs write a float with up to so many digits, and the decimals that are beyond its precision are no loss.
const MOST_DECIMALS: usize = 30;

/// Reads a text as a number; none for everything that a person might mean as a name, such as `007`.
pub(super) fn parse(text: &str) -> Option<Parsed> {
    // Most texts are words.
    if text.len() > 64 || !text.chars().any(|c| c.is_ascii_digit() || ('０'..='９').contains(&c)) {
        return None;
    }
    let narrow: String = text.chars().map(narrow).collect();
    let mut rest = narrow.trim();
    let mut found =
        Parsed { value: 0.0, comma: 0.0, pointed: true, percent: false, currency: None, multiplied: false, unit: 0, long: true };
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
    if let Some((inner, currency)) = SIGNS.iter().find_map(|(sign, currency)| Some((rest.strip_prefix(sign)?, *currency))) {
        (found.currency, rest) = (Some(currency), inner.trim_start());
        let again = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).or_else(|| rest.strip_prefix(['-', '−']));
        if let Some(inner) = again {
            if negative {
                return None;
            }
            (negative, rest) = (true, inner.trim());
        }
    }
    if let Some(inner) = rest.strip_suffix('%') {
        (found.percent, rest) = (true, inner.trim_end());
    } else if let Some((inner, currency)) = SIGNS.iter().find_map(|(sign, currency)| Some((rest.strip_suffix(sign)?, *currency))) {
        if found.currency.is_some_and(|other| other != currency) {
            return None;
        }
        (found.currency, rest) = (Some(currency), inner.trim_end());
    }
    let counted = (1..).zip(UNITS).find_map(|(number, unit)| Some((number, rest.strip_suffix(unit)?)));
    if let Some((unit, inner)) = counted.filter(|_| found.currency.is_none() && !found.percent) {
        (found.unit, rest) = (unit, inner.trim_end());
    }
    found.multiplied = rest.contains(['조', '억', '만', '천']);
    let point = if found.multiplied { compound(rest) } else { plain(rest, ',', '.').or_else(|| scientific(rest)) };
    let comma = plain(rest, '.', ',');
    let scaled = |number: f64| {
        let number = if negative { -number } else { number };
        if found.percent { divided(number) } else { number }
    };
    found.value = scaled(point.or(comma)?);
    found.comma = scaled(comma.unwrap_or(f64::NAN));
    found.pointed = point.is_some();
    found.long = rest.len() != 3 || found.currency.is_some() || found.percent;
    found.value.is_finite().then_some(found)
}

// Through its decimal digits, so that 12.5 % is 0.125 and not a neighbour of it.
fn divided(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / 100.0)
}

fn narrow(c: char) -> char {
    match c {
        '\u{a0}' | '\u{3000}' | '\u{202f}' | '\u{2009}' => ' ',
        '’' => '\'',
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    }
}

/// The number that is written in digits, with groups of three between separators. Blanks and apostrophes are separators everywhere.
fn plain(text: &str, separator: char, point: char) -> Option<f64> {
    let (whole, fraction) = text.split_once(point).map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    if !whole.chars().all(|c| c.is_ascii_digit() || c == separator || matches!(c, ' ' | '\'')) {
        return None;
    }
    if fraction.is_some_and(|fraction| fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let between = whole.chars().find(|c| !c.is_ascii_digit());
    if between.is_some_and(|between| !groups(whole, between)) {
        return None;
    }
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    let named = digits.len() > 1 && digits.starts_with('0');
    let decimals = fraction.map_or(0, str::len);
    if named || digits.len() > MOST_DIGITS || decimals > MOST_DECIMALS || (digits.is_empty() && fraction.is_none()) {
        return None;
    }
    format!("{digits}.{}", fraction.unwrap_or_default()).parse().ok()
}

fn groups(whole: &str, separator: char) -> bool {
    let mut parts = whole.split(separator);
    let first = parts.next().unwrap_or_default();
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len()) && !first.starts_with('0') && digits(first) && parts.all(|part| part.len() == 3 && digits(part))
}

/// `1억 2천만`, `5백만`, `1,200만`.
fn compound(text: &str) -> Option<f64> {
    let (mut sum, mut rest) = (0.0, text);
    for (word, times) in LARGE {
        if let Some((before, after)) = rest.split_once(*word) {
            sum += below_ten_thousand(before.trim())? * times;
            rest = after.trim();
        }
    }
    if rest.is_empty() { Some(sum) } else { Some(sum + below_ten_thousand(rest)?) }
}

fn below_ten_thousand(text: &str) -> Option<f64> {
    let (mut sum, mut rest, mut worded) = (0.0, text, false);
    for (word, times) in SMALL {
        if let Some((before, after)) = rest.split_once(*word) {
            let before = before.trim();
            sum += if before.is_empty() { 1.0 } else { plain(before, ',', '.')? } * times;
            (rest, worded) = (after.trim(), true);
        }
    }
    if rest.is_empty() && worded { Some(sum) } else { Some(sum + plain(rest, ',', '.')?) }
}

/// `1.5e-05`, as programs write what is very small or large; not `1E5`, which may be the name of a room.
fn scientific(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let signed = exponent.starts_with(['+', '-']);
    let power = exponent.trim_start_matches(['+', '-']);
    let plain_power = (1..=3).contains(&power.len()) && power.bytes().all(|byte| byte.is_ascii_digit());
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let plain_mantissa = mantissa.starts_with(|c: char| c.is_ascii_digit())
        && mantissa.ends_with(|c: char| c.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && mantissa.matches('.').count() <= 1;
    (plain_power && plain_mantissa && digits <= MOST_DECIMALS && (signed || mantissa.contains('.'))).then(|| text.parse().ok())?
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
            ("₩(1,200)", -1_200.0),
            ("(₩1,200)", -1_200.0),
            ("△1,200", -1_200.0),
            ("1,200-", -1_200.0),
            ("１２３", 123.0),
            ("3억", 300_000_000.0),
            ("1,200만", 12_000_000.0),
            ("5백만원", 5_000_000.0),
            ("1억 2천만원", 120_000_000.0),
            ("2천5백만", 25_000_000.0),
            ("5천원", 5_000.0),
            ("1조 2,345억", 1_234_500_000_000.0),
            ("1.234,56", 1_234.56),
            ("12,5", 12.5),
            ("1 234,56", 1_234.56),
            ("1\u{a0}234\u{a0}567", 1_234_567.0),
            ("1'234.50", 1_234.5),
            ("-$3.50", -3.5),
            (".5", 0.5),
            ("0.30000000000000004", 0.300_000_000_000_000_04),
            ("1e-05", 1e-5),
            ("1.5E+10", 1.5e10),
            ("2.5e3", 2_500.0),
            ("1,200개", 1_200.0),
            ("10 kg", 10.0),
        ] {
            assert_eq!(parse(text).map(|parsed| parsed.value), Some(value), "{text}");
        }
    }

    #[test]
    fn a_comma_may_be_a_decimal_point() {
        let read = |text| parse(text).map(|parsed| (parsed.pointed, parsed.value, parsed.comma));
        assert_eq!(read("1,234"), Some((true, 1_234.0, 1.234)));
        assert_eq!(read("1.234"), Some((true, 1.234, 1_234.0)));
        assert_eq!(read("12,5"), Some((false, 12.5, 12.5)));
        assert_eq!(read("7"), Some((true, 7.0, 7.0)));
        assert!(read("1,234.5").is_some_and(|(pointed, value, comma)| pointed && value == 1_234.5 && comma.is_nan()));
    }

    #[test]
    fn money_says_whose_it_is() {
        let bits = ["₩1", "$1", "1달러", "€1", "1 원"].map(|text| parse(text).and_then(|parsed| parsed.currency).map(Currency::bit));
        assert_eq!(bits, [Some(1), Some(2), Some(2), Some(4), Some(1)]);
        assert_eq!((Currency::codes(3), parse("$5원")), ("KRW, USD".to_owned(), None));
    }

    #[test]
    fn names_and_codes_are_no_numbers() {
        for text in [
            "007",
            "010-1234-5678",
            "1234567890123456",
            "A12",
            "12,34,567",
            "",
            "-",
            "1.2.3",
            "%",
            "5개월",
            "개",
            "3층",
            "1e5",
            "1E5",
            "e-5",
            "1,2,3",
            "010 123 456",
            "0 123",
            "1 23",
            "1,",
            ",",
            "..",
            "1'2",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
