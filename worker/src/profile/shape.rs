//! What the values of a column look like, whatever its type says: telephone numbers in a text column, dates written as text.

#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use datagenie_common::model::schemas::Shape;
use serde::de::IgnoredAny;

use super::{
    CHARS,
    names_of_people::look_like_names,
    number::{is_integer, is_number},
    phones::is_phone,
};

/// Fewer values than this show nothing.
const LEAST: u64 = 5;
/// As many of a hundred must look alike; the others are slips of the pen.
const ALIKE: u64 = 95;

/// A shape, and whether a value has it.
type Test = (Shape, fn(&str) -> bool);

/// In the order in which they are tried: what is more particular comes first.
const TESTS: [Test; 11] = [
    (Shape::Uuid, is_uuid),
    (Shape::Email, is_email),
    (Shape::Url, is_url),
    (Shape::Json, is_json),
    (Shape::Timestamp, is_timestamp),
    (Shape::Date, is_date),
    (Shape::CardNumber, is_card_number),
    (Shape::Phone, is_phone),
    (Shape::Boolean, is_boolean),
    (Shape::Integer, is_integer),
    (Shape::Number, is_number),
];

/// The shape that nearly all of these different values have, each given with how often it occurs; none: they don't look alike, or there
/// are too few of them.
pub(super) fn of(values: &[(&str, u64)]) -> Option<Shape> {
    let total: u64 = values.iter().map(|(_, count)| count).sum();
    if total < LEAST {
        return None;
    }
    let slips = total - (total * ALIKE).div_ceil(100);
    let nearly_all = |test: fn(&str) -> bool| {
        let mut others = 0;
        values.iter().all(|(value, count)| {
            others += if test(value.trim()) { 0 } else { *count };
            others <= slips
        })
    };
    let found = TESTS.iter().find(|(_, test)| nearly_all(*test)).map(|(shape, _)| *shape);
    found.or_else(|| look_like_names(values, total - slips).then_some(Shape::PersonName))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// One `@` between a plain local part and a domain with a dot in it.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let (_, top) = domain.rsplit_once('.').unwrap_or_default();
    let named = (1..=64).contains(&local.len()) && local.chars().all(plain);
    named && top.chars().count() >= 2 && !top.chars().all(|c| c.is_ascii_digit()) && domain.split('.').all(label)
}

fn is_url(text: &str) -> bool {
    let rest = ["http://", "https://", "ftp://"].iter().find_map(|scheme| {
        let begins = text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
        begins.then(|| &text[scheme.len()..])
    });
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '[') && !rest.contains(char::is_whitespace))
}

/// An object or a list. One that was cut off by the sample is believed by its beginning.
fn is_json(text: &str) -> bool {
    let Some(inner) = text.strip_prefix(['{', '[']) else { return false };
    if text.chars().count() >= CHARS - 1 {
        return inner.trim_start().starts_with(['"', '{', '[', '-']) || inner.trim_start().starts_with(|c: char| c.is_ascii_digit());
    }
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// `2024-03-05`, `2024/3/5`, `2024.03.05`, `05/03/2024`, `20240305`.
fn is_date(text: &str) -> bool {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Eight digits are a number as well: only days that a business speaks of.
        return (text.starts_with("19") || text.starts_with("20")) && is_day(&text[..4], &text[4..6], &text[6..]);
    }
    let parts: Vec<&str> = text.trim_end_matches('.').split(['-', '/', '.']).map(str::trim).collect();
    match parts[..] {
        [year, month, day] if year.len() == 4 => is_day(year, month, day),
        [a, b, year] if year.len() == 4 => is_day(year, a, b) || is_day(year, b, a),
        _ => false,
    }
}

fn is_day(year: &str, month: &str, day: &str) -> bool {
    let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return false;
    }
    let (Ok(year), Ok(month), Ok(day)) = (year.parse(), month.parse(), day.parse()) else { return false };
    NaiveDate::from_ymd_opt(year, month, day).is_some()
}

/// A day, and a time of it: `2024-03-05 10:20`, `2024-03-05T10:20:30.5Z`, `2024-03-05 10:20:30+09`.
fn is_timestamp(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', ' ']) else { return false };
    let time = time.trim_start();
    let end = time.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(time.len());
    let (clock, zone) = time.split_at(end);
    is_date(day) && is_clock(clock) && is_zone(zone.trim_start())
}

fn is_clock(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    let within = |(part, most): (&&str, u8)| part.len() <= 2 && part.parse::<u8>().is_ok_and(|number| number <= most);
    (2..=3).contains(&parts.len())
        && parts.iter().zip([24, 59, 60]).all(within)
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_zone(text: &str) -> bool {
    if ["", "z", "utc", "gmt", "kst", "am", "pm"].iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return true;
    }
    let Some(hours) = text.strip_prefix(['+', '-']) else { return false };
    let digits = hours.replace(':', "");
    (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// 13 to 19 digits, perhaps in groups, that pass Luhn's check. Numbers of things begin with anything, those of cards with 2 to 6 or 9.
pub(super) fn is_card_number(text: &str) -> bool {
    if !text.chars().all(|c| c.is_ascii_digit() || c == ' ' || c == '-') {
        return false;
    }
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let issued = digits.first().is_some_and(|first| matches!(first, 2..=6 | 9));
    let varied = digits.iter().any(|digit| Some(digit) != digits.first());
    (13..=19).contains(&digits.len()) && issued && varied && luhn(&digits)
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits.iter().rev().enumerate().map(|(at, &digit)| if at % 2 == 1 { doubled(digit) } else { digit }).sum();
    sum.is_multiple_of(10)
}

/// 0 and 1 are numbers, whatever they stand for.
fn is_boolean(text: &str) -> bool {
    ["true", "false", "yes", "no", "y", "n", "on", "off", "예", "아니오", "아니요"].iter().any(|word| text.eq_ignore_ascii_case(word))
}
