//! Texts that are days, moments, months and times of day.

use std::borrow::Cow;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::clocks::{self, zone};

/// A text read as a time of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A day, or a moment, and the minutes by which its clock is ahead of UTC if it says so.
    Moment(NaiveDateTime, Precision, Option<i16>),
    /// `3/4/2024`: two numbers of which one is the month, the year, and a time.
    Either(u8, u8, i16, Option<NaiveTime>),
    /// `24/03/05`: three numbers of two digits, in an order that only the column tells.
    Short(Short, Option<NaiveTime>),
    /// `2024-10`, `2024년 10월`: the month's first day. True: with a point between, so that it may be a number.
    Month(NaiveDate, bool),
    /// Eight digits: a day only where the whole column is, and its name says so.
    Compact(NaiveDate),
    /// A time of day, or a duration: microseconds.
    Time(i64),
}

/// Whether a time of day was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Day,
    Moment,
}

/// Three short numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    pub(super) parts: [u8; 3],
    /// Between hyphens, as codes have them, too.
    pub(super) hyphens: bool,
}

/// What the three numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ymd,
    Dmy,
    Mdy,
}

impl Order {
    pub(super) const ALL: [Self; 3] = [Self::Ymd, Self::Mdy, Self::Dmy];
}

impl Short {
    /// The day, if there is such a one.
    pub(super) fn day(self, order: Order) -> Option<NaiveDate> {
        let [a, b, c] = self.parts;
        let (year, month, day) = match order {
            Order::Ymd => (a, b, c),
            Order::Dmy => (c, b, a),
            Order::Mdy => (c, a, b),
        };
        NaiveDate::from_ymd_opt(century(i32::from(year)), month.into(), day.into())
    }
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Years that tables are about; four digits beyond are the end of a telephone number.
const YEARS: std::ops::RangeInclusive<i32> = 1_600..=2_400;

/// Reads a text as a time.
pub(super) fn parse(text: &str) -> Option<Told> {
    let text = text.trim();
    if text.len() > 64 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some(found) = plain(text.as_bytes()) {
        return Some(found);
    }
    if let Some(micros) = clocks::elapsed(text) {
        return Some(Told::Time(micros));
    }
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse().ok());
        let year = i32::try_from(number(0..4)?).ok()?;
        return NaiveDate::from_ymd_opt(year, number(4..6)?, number(6..8)?).filter(|_| (1900..2100).contains(&year)).map(Told::Compact);
    }
    if let Some(month) = month(text) {
        return Some(month);
    }
    let text = without_weekday(text);
    let (day, rest) = split(text.trim())?;
    let (rest, ahead) = zone(rest);
    let told = if rest.is_empty() { None } else { Some(clocks::time(rest)?) };
    match day {
        _ if told.is_none() && ahead.is_some() => None,
        Day::Sure(date) => Some(match told {
            Some(told) => Told::Moment(date.and_time(told), Precision::Moment, ahead),
            None => Told::Moment(date.and_time(NaiveTime::MIN), Precision::Day, None),
        }),
        Day::Either(first, second, year) => Some(Told::Either(first, second, year, told)),
        Day::Short(short) => Some(Told::Short(short, told)),
    }
}

/// `2024-03-05`, `2024-03-05 14:30` and `2024-03-05T14:30:00`, as programs write them, often a different one in every row.
fn plain(bytes: &[u8]) -> Option<Told> {
    let number = |from: usize, length: usize| {
        let digits = bytes.get(from..from + length)?;
        let digit = |number: u32, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'));
        digits.iter().try_fold(0, digit)
    };
    let is = |at: usize, expected: &[u8]| bytes.get(at).is_some_and(|byte| expected.contains(byte));
    if !matches!(bytes.len(), 10 | 16 | 19) || !is(4, b"-") || !is(7, b"-") {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 2)?, number(8, 2)?)?;
    if bytes.len() == 10 {
        return Some(Told::Moment(date.and_time(NaiveTime::MIN), Precision::Day, None));
    }
    let second = if bytes.len() == 19 { number(17, 2).filter(|_| is(16, b":"))? } else { 0 };
    let time = NaiveTime::from_hms_opt(number(11, 2)?, number(14, 2)?, second).filter(|_| is(10, b" T") && is(13, b":"))?;
    Some(Told::Moment(date.and_time(time), Precision::Moment, None))
}

enum Day {
    Sure(NaiveDate),
    Either(u8, u8, i16),
    Short(Short),
}

/// `2024년 3월 5일 (화)`, `2024-03-05 화요일`, `Tuesday, March 5, 2024`: the day of the week says nothing new.
fn without_weekday(text: &str) -> Cow<'_, str> {
    let mut rest = Cow::Borrowed(text);
    if text.contains(['요', '(']) {
        for day in ["월", "화", "수", "목", "금", "토", "일"] {
            for written in [format!("({day}요일)"), format!("({day})"), format!("{day}요일")] {
                if let Some((before, after)) = rest.split_once(&written) {
                    rest = Cow::Owned(format!("{} {}", before.trim_end(), after.trim_start()));
                }
            }
        }
    }
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let word = text.get(..letters).unwrap_or_default().to_ascii_lowercase();
    let named = WEEKDAYS.iter().any(|day| word.starts_with(day)) && (letters == 3 || word.ends_with("day"));
    if named { Cow::Borrowed(text.get(letters..).unwrap_or_default().trim_start_matches(['.', ',', ' '])) } else { rest }
}

/// A month of a year.
fn month(text: &str) -> Option<Told> {
    let text = text.trim_end_matches('.').trim_end();
    let (year, rest) = text.split_at_checked(4)?;
    let rest = rest.trim_start();
    let (between, rest) = rest.split_at_checked(rest.chars().next()?.len_utf8())?;
    let rest = rest.trim_start();
    let digits = match between {
        "년" => rest.strip_suffix('월')?.trim_end(),
        "-" | "/" => rest,
        "." => rest.strip_suffix('월').unwrap_or(rest).trim_end(),
        _ => return None,
    };
    let digit = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // 2024.5 is a number to everybody, 2024.05 perhaps not.
    if !digit(year) || !digit(digits) || digits.len() > 2 || (between == "." && digits.len() != 2) {
        return None;
    }
    let year: i32 = year.parse().ok()?;
    let month = NaiveDate::from_ymd_opt(year, digits.parse().ok()?, 1).filter(|_| (1900..=2100).contains(&year))?;
    Some(Told::Month(month, between == "." && !text.ends_with('월')))
}

/// A day at the start of the text, and what follows it.
fn split(text: &str) -> Option<(Day, &str)> {
    if let Some(found) = worded(text) {
        return Some(found);
    }
    let mut numbers: Vec<(u32, usize)> = Vec::new();
    let mut separators: Vec<String> = Vec::new();
    let mut at = 0;
    while numbers.len() < 3 {
        let rest = text.get(at..)?;
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 || length > 4 {
            return None;
        }
        numbers.push((rest.get(..length)?.parse().ok()?, length));
        at += length;
        let rest = text.get(at..)?;
        let gap: usize = rest.chars().take_while(|c| matches!(c, '-' | '/' | '.' | ' ' | '년' | '월' | '일')).map(char::len_utf8).sum();
        separators.push(rest.get(..gap)?.to_owned());
        at += gap;
    }
    let rest = text.get(at..)?.trim_start_matches('T').trim();
    let [(a, a_long), (b, b_long), (c, c_long)] = numbers[..] else { return None };
    let clean: Vec<String> = separators.iter().map(|gap| gap.replace(' ', "")).collect();
    let korean = clean[0] == "년" && clean[1] == "월" && clean[2] == "일";
    let dotted = clean[0] == "." && clean[1] == "." && (clean[2].is_empty() || clean[2] == ".");
    let even = clean[0] == clean[1] && matches!(clean[0].as_str(), "-" | "/") && clean[2].is_empty();
    if !(korean || dotted || even) || b_long > 2 {
        return None;
    }
    if (a_long == 4 && c_long <= 2) || korean {
        let year = i32::try_from(a).ok()?;
        let year = if a_long == 4 { year } else { century(year) };
        return NaiveDate::from_ymd_opt(year, b, c).map(|date| (Day::Sure(date), rest));
    }
    if a_long > 2 || !matches!(c_long, 2 | 4) {
        return None;
    }
    if c_long == 4 {
        let year = i32::try_from(c).ok().filter(|year| YEARS.contains(year))?;
        if dotted {
            return NaiveDate::from_ymd_opt(year, b, a).map(|date| (Day::Sure(date), rest));
        }
        let exists = NaiveDate::from_ymd_opt(year, a, b).or_else(|| NaiveDate::from_ymd_opt(year, b, a)).is_some();
        return if exists {
            Some((Day::Either(u8::try_from(a).ok()?, u8::try_from(b).ok()?, i16::try_from(year).ok()?), rest))
        } else {
            None
        };
    }
    let parts = [u8::try_from(a).ok()?, u8::try_from(b).ok()?, u8::try_from(c).ok()?];
    let short = Short { parts, hyphens: clean[0] == "-" };
    Order::ALL.iter().any(|order| short.day(*order).is_some()).then_some((Day::Short(short), rest))
}

/// `March 5, 2024`, `5 March 2024`, `5-Mar-24`.
fn worded(text: &str) -> Option<(Day, &str)> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find(|c: char| c.is_ascii_alphabetic())?;
    let word: String = lower.get(start..)?.chars().take_while(char::is_ascii_alphabetic).collect();
    let month = MONTHS.iter().position(|month| word.starts_with(month) && (word.len() == 3 || word.len() > 3 && long(month, &word)))?;
    let month = u32::try_from(month).ok()? + 1;
    let before = text.get(..start)?.trim_matches([' ', '-', '/', '.']);
    let after = text.get(start + word.len()..)?.trim_start_matches([' ', '-', '/', '.', ',']);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (day, year_text) = if before.is_empty() {
        let length = digits(after);
        (after.get(..length)?, after.get(length..)?.trim_start_matches(['s', 't', 'n', 'd', 'r', 'h']).trim_start_matches([' ', ',', '-']))
    } else {
        (before, after)
    };
    let length = digits(year_text);
    let year: i32 = year_text.get(..length)?.parse().ok()?;
    let year = match length {
        4 => year,
        2 => century(year),
        _ => return None,
    };
    let rest = year_text.get(length..)?.trim_start_matches([',', ' ']);
    NaiveDate::from_ymd_opt(year, month, day.parse().ok()?).map(|date| (Day::Sure(date), rest))
}

fn long(month: &str, word: &str) -> bool {
    const LONG: &[&str] =
        &["january", "february", "march", "april", "may", "june", "july", "august", "september", "sept", "october", "november", "december"];
    LONG.contains(&word) && word.starts_with(month)
}

// Excel's own rule for two digits.
fn century(year: i32) -> i32 {
    match year {
        0..=29 => 2000 + year,
        30..=99 => 1900 + year,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).expect("a day")
    }

    #[test]
    fn days_are_written_in_many_ways() {
        for text in [
            "2024-03-05",
            "2024/3/5",
            "2024.3.5",
            "2024.3.5.",
            "2024. 3. 5.",
            "2024년 3월 5일",
            "2024년3월5일",
            "2024년 3월 5일 화요일",
            "2024-03-05(화)",
            "2024. 3. 5. (화요일)",
            "Tuesday, March 5, 2024",
            "Tue 5 Mar 2024",
            "March 5, 2024",
            "5-Mar-24",
            "5 March 2024",
            "05.03.2024",
            "24년 3월 5일",
        ] {
            assert_eq!(parse(text), Some(Told::Moment(day(2024, 3, 5).and_time(NaiveTime::MIN), Precision::Day, None)), "{text}");
        }
        assert_eq!(parse("20240305"), Some(Told::Compact(day(2024, 3, 5))));
        assert_eq!(parse("3/5/2024"), Some(Told::Either(3, 5, 2024, None)));
    }

    #[test]
    fn two_digits_of_a_year_may_stand_first_or_last() {
        let Some(Told::Short(short, None)) = parse("24/03/05") else { panic!("three short numbers") };
        assert_eq!((short.day(Order::Ymd), short.hyphens), (Some(day(2024, 3, 5)), false));
        assert_eq!((short.day(Order::Mdy), short.day(Order::Dmy)), (None, Some(day(2005, 3, 24))));
        assert!(matches!(parse("24.03.05"), Some(Told::Short(..))) && matches!(parse("24-3-05"), Some(Told::Short(..))));
    }

    #[test]
    fn months_are_their_first_day() {
        for (text, dotted) in
            [("2024-10", false), ("2024/10", false), ("2024년 10월", false), ("2024.10", true), ("2024.10월", false), ("2024. 10.", true)]
        {
            assert_eq!(parse(text), Some(Told::Month(day(2024, 10, 1), dotted)), "{text}");
        }
        for text in ["2024.1", "2024-13", "1234-10", "2024-100", "2024."] {
            assert!(!matches!(parse(text), Some(Told::Month(..))), "{text}");
        }
    }

    #[test]
    fn moments_have_a_time_and_perhaps_a_zone() {
        let at = |hour, minute, second| NaiveTime::from_hms_opt(hour, minute, second).expect("a time");
        for text in [
            "2024-03-05 14:30",
            "2024-03-05T14:30:00",
            "2024. 3. 5. 오후 2:30",
            "2024년 3월 5일 14시 30분",
            "2024-03-05 (화) 오후 2:30",
            "March 5, 2024 2:30 PM",
        ] {
            assert_eq!(parse(text), Some(Told::Moment(day(2024, 3, 5).and_time(at(14, 30, 0)), Precision::Moment, None)), "{text}");
        }
        for (text, ahead) in [
            ("2024-03-05T14:30:00Z", 0),
            ("2024-03-05T14:30:00.000Z", 0),
            ("2024-03-05 14:30:00 UTC", 0),
            ("2024-03-05T14:30:00+09:00", 540),
            ("2024-03-05 14:30:00+09", 540),
            ("2024-03-05 14:30:00 -0530", -330),
            ("2024-03-05 14:30:00 KST", 540),
        ] {
            assert_eq!(parse(text), Some(Told::Moment(day(2024, 3, 5).and_time(at(14, 30, 0)), Precision::Moment, Some(ahead))), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "3월 5일",
            "010-1234-5678",
            "02-12-2945",
            "1.2.3.4",
            "2024-13-01",
            "12345678901",
            "v1.2.3",
            "1.2.3",
            "1-2-3",
            "1-1-101",
            "31/02/2024",
            "99/99/2024",
            "2024",
            "A/B/2024",
            "2024-03-05 25:00",
            "2024-03-05+09:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
