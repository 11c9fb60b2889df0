//! Texts that are days, moments and times of day.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// A text read as a time of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A day, or a moment.
    Moment(NaiveDateTime, Precision),
    /// `3/4/2024`: two numbers of which one is the month, the year, and a time.
    Either(u32, u32, i32, Option<NaiveTime>),
    /// Eight digits: a day only where the whole column is, and its name says so.
    Compact(NaiveDate),
    /// A time of day.
    Time(NaiveTime),
}

/// Whether a time of day was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Day,
    Moment,
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads a text as a time.
pub(super) fn parse(text: &str) -> Option<Told> {
    let text = text.trim();
    if text.len() > 48 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some(time) = time(text) {
        return Some(Told::Time(time));
    }
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse().ok());
        let year = i32::try_from(number(0..4)?).ok()?;
        return NaiveDate::from_ymd_opt(year, number(4..6)?, number(6..8)?).filter(|_| (1900..2100).contains(&year)).map(Told::Compact);
    }
    let (day, rest) = split(text)?;
    let told = if rest.is_empty() { None } else { Some(time(rest)?) };
    match day {
        Day::Sure(date) => Some(match told {
            Some(told) => Told::Moment(date.and_time(told), Precision::Moment),
            None => Told::Moment(date.and_time(NaiveTime::MIN), Precision::Day),
        }),
        Day::Either(first, second, year) => Some(Told::Either(first, second, year, told)),
    }
}

enum Day {
    Sure(NaiveDate),
    Either(u32, u32, i32),
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
    let [(a, a_long), (b, _), (c, c_long)] = numbers[..] else { return None };
    let clean: Vec<String> = separators.iter().map(|gap| gap.replace(' ', "")).collect();
    let korean = clean[0] == "년" && clean[1] == "월" && clean[2] == "일";
    let dotted = clean[0] == "." && clean[1] == "." && (clean[2].is_empty() || clean[2] == ".");
    let even = clean[0] == clean[1] && matches!(clean[0].as_str(), "-" | "/") && clean[2].is_empty();
    if !(korean || dotted || even) {
        return None;
    }
    if a_long == 4 || korean {
        let year = i32::try_from(a).ok()?;
        let year = if a_long == 4 { year } else { century(year) };
        return NaiveDate::from_ymd_opt(year, b, c).map(|date| (Day::Sure(date), rest));
    }
    let year = i32::try_from(c).ok()?;
    // Two digits before a dot are a year in Korean, `24.03.05`.
    if dotted && c_long <= 2 && a_long != 2 {
        return None;
    }
    if dotted && c_long <= 2 {
        let year = century(i32::try_from(a).ok()?);
        return NaiveDate::from_ymd_opt(year, b, c).map(|date| (Day::Sure(date), rest));
    }
    let year = if c_long == 4 { year } else { century(year) };
    if dotted {
        return NaiveDate::from_ymd_opt(year, b, a).map(|date| (Day::Sure(date), rest));
    }
    let exists = NaiveDate::from_ymd_opt(year, a, b).or_else(|| NaiveDate::from_ymd_opt(year, b, a)).is_some();
    exists.then_some((Day::Either(a, b, year), rest))
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

/// A time of day: `14:30`, `2:30 PM`, `오후 2:30`, `14시 30분`.
fn time(text: &str) -> Option<NaiveTime> {
    let mut rest = text.trim().trim_end_matches('Z');
    let mut half = None;
    for (word, afternoon) in [("오전", false), ("오후", true), ("AM", false), ("PM", true), ("am", false), ("pm", true)] {
        if let Some(inner) = rest.strip_prefix(word).or_else(|| rest.strip_suffix(word)) {
            (half, rest) = (Some(afternoon), inner.trim());
            break;
        }
    }
    let korean = rest.replace("시 ", ":").replace('시', ":").replace("분 ", ":").replace(['분', '초'], "");
    let rest = if rest.contains('시') { korean.trim_end_matches(':') } else { rest };
    let rest = if half.is_some() && rest.bytes().all(|byte| byte.is_ascii_digit()) { format!("{rest}:00") } else { rest.to_owned() };
    let (clock, fraction) = rest.split_once('.').map_or((rest.as_str(), ""), |(clock, fraction)| (clock, fraction));
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len())
        || parts.iter().any(|part| !(1..=2).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    let number = |place: usize| parts.get(place).map_or(Some(0), |part| part.parse::<u32>().ok());
    let (mut hour, minute, second) = (number(0)?, number(1)?, number(2)?);
    if let Some(afternoon) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let micros: u32 = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").get(..6)?.parse().ok()? };
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
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
            "2024. 3. 5.",
            "2024년 3월 5일",
            "24.03.05",
            "March 5, 2024",
            "5-Mar-24",
            "5 March 2024",
            "05.03.2024",
            "24년 3월 5일",
        ] {
            assert_eq!(parse(text), Some(Told::Moment(day(2024, 3, 5).and_time(NaiveTime::MIN), Precision::Day)), "{text}");
        }
        assert_eq!(parse("20240305"), Some(Told::Compact(day(2024, 3, 5))));
        assert_eq!(parse("3/5/2024"), Some(Told::Either(3, 5, 2024, None)));
    }

    #[test]
    fn moments_and_times() {
        let at = |hour, minute, second| NaiveTime::from_hms_opt(hour, minute, second).expect("a time");
        for (text, time) in [("14:30", at(14, 30, 0)), ("오후 2:30", at(14, 30, 0)), ("2:30 PM", at(14, 30, 0)), ("12:00 AM", at(0, 0, 0))]
        {
            assert_eq!(parse(text), Some(Told::Time(time)), "{text}");
        }
        for text in ["2024-03-05 14:30", "2024-03-05T14:30:00", "2024. 3. 5. 오후 2:30", "2024년 3월 5일 14시 30분"] {
            assert_eq!(parse(text), Some(Told::Moment(day(2024, 3, 5).and_time(at(14, 30, 0)), Precision::Moment)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "3월 5일",
            "010-1234-5678",
            "1.2.3.4",
            "2024-13-01",
            "12345678901",
            "v1.2.3",
            "1.2.3",
            "31/02/2024",
            "99/99/2024",
            "2024",
            "A/B/2024",
            "25:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
