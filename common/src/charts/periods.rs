//! Time as results tell it: dates and moments, texts such as `2024-03` or `2024년 3월`, and numbers in columns named year, month, 시간대 …

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};

use crate::{model::language::Language, word_enum};

word_enum! {
    /// How finely a time axis is told.
    pub enum Grain {
        /// `2024`
        Year = "year",
        /// `2024-Q1`
        Quarter = "quarter",
        /// `2024-03`
        Month = "month",
        /// `2024-03-05`
        Day = "day",
        /// `2024-03-05 10:30`
        Moment = "moment",
        /// Periods counted within a longer one: months of any year, hours of any day.
        Number = "number",
    }
}

/// What the numbers of a column count, if its name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cycle {
    /// Years of the calendar.
    Year,
    /// `202403`.
    YearMonth,
    /// 1 to 12.
    Month,
    /// 1 to 4.
    Quarter,
    /// 0 to 53.
    Week,
    /// 1 to 31.
    Day,
    /// 0 to 23.
    Hour,
    /// 0 to 7: categories, as databases disagree about the first.
    Weekday,
}

/// A text as the start of the period it names, and how finely it names it. Offsets from UTC are ignored: the wall clock counts.
pub(super) fn parse(text: &str) -> Option<(Grain, NaiveDateTime)> {
    let text = text.trim();
    let (year, rest) = digits(text, 4..=4)?;
    let year = i32::try_from(year).ok()?;
    if rest.is_empty() {
        return if (1800..2200).contains(&year) { start(year, 1, 1, Grain::Year) } else { None };
    }
    if let Some(korean) = rest.strip_prefix('년') {
        return parse_korean(year, korean.trim_start());
    }
    let separated = rest.trim_start_matches(['-', '/', '.', ' ']);
    if let Some(quarter) = separated.strip_prefix(['Q', 'q']) {
        let (quarter, rest) = digits(quarter, 1..=1)?;
        return if rest.is_empty() { quarter_start(year, quarter) } else { None };
    }
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.'))?;
    let (month, rest) = digits(&rest[1..], 1..=2)?;
    if rest.is_empty() {
        return start(year, month, 1, Grain::Month);
    }
    let (day, rest) = digits(rest.strip_prefix(separator)?, 1..=2)?;
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    if rest.is_empty() {
        return Some((Grain::Day, date.and_hms_opt(0, 0, 0)?));
    }
    parse_clock(date, rest.strip_prefix(['T', 't', ' '])?)
}

// `3월`, `3월 5일`, `1분기` or nothing, after the year.
fn parse_korean(year: i32, rest: &str) -> Option<(Grain, NaiveDateTime)> {
    if rest.is_empty() {
        return start(year, 1, 1, Grain::Year);
    }
    let (number, rest) = digits(rest, 1..=2)?;
    if rest == "분기" {
        return quarter_start(year, number);
    }
    let rest = rest.strip_prefix('월')?.trim_start();
    if rest.is_empty() {
        return start(year, number, 1, Grain::Month);
    }
    let (day, rest) = digits(rest, 1..=2)?;
    if rest == "일" { start(year, number, day, Grain::Day) } else { None }
}

// `10:30`, `10:30:05`, `10:30:05.123+09:00`, `10:30:05Z`.
fn parse_clock(date: NaiveDate, text: &str) -> Option<(Grain, NaiveDateTime)> {
    let (hour, rest) = digits(text, 2..=2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2..=2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2..=2)?,
        None => (0, rest),
    };
    let tail = rest.bytes().all(|byte| byte.is_ascii_digit() || b".:+- Zz".contains(&byte));
    if !tail || rest.len() > 20 {
        return None;
    }
    Some((Grain::Moment, date.and_hms_opt(hour, minute, second.min(59))?))
}

fn quarter_start(year: i32, quarter: u32) -> Option<(Grain, NaiveDateTime)> {
    if (1..=4).contains(&quarter) { start(year, quarter * 3 - 2, 1, Grain::Quarter) } else { None }
}

fn start(year: i32, month: u32, day: u32, grain: Grain) -> Option<(Grain, NaiveDateTime)> {
    Some((grain, NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(0, 0, 0)?))
}

// As many leading ASCII digits as the range allows, and what follows them.
fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Option<(u32, &str)> {
    let found = text.bytes().take(*count.end()).take_while(u8::is_ascii_digit).count();
    if !count.contains(&found) {
        return None;
    }
    let (head, rest) = text.split_at(found);
    Some((head.parse().ok()?, rest))
}

/// The start of a year.
pub(super) fn year_start(year: u32) -> Option<NaiveDateTime> {
    start(i32::try_from(year).ok()?, 1, 1, Grain::Year).map(|(_, moment)| moment)
}

/// The start of a month of a year.
pub(super) fn month_start(year: u32, month: u32) -> Option<NaiveDateTime> {
    start(i32::try_from(year).ok()?, month, 1, Grain::Month).map(|(_, moment)| moment)
}

/// The coarsest grain that tells these moments apart: what `date_trunc` left of a timestamp. A single one is told by its column's name.
pub(super) fn coarsest(moments: &[NaiveDateTime], name: &str) -> Grain {
    let all = |test: fn(&NaiveDateTime) -> bool| moments.iter().all(test);
    if !all(|moment| moment.num_seconds_from_midnight() == 0) {
        return Grain::Moment;
    }
    let several = moments.iter().any(|moment| Some(moment) != moments.first());
    let lower = name.to_lowercase();
    let named = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if !all(|moment| moment.day() == 1) {
        return Grain::Day;
    }
    if all(|moment| moment.month() == 1) && (several || named(&["year", "연도", "년도"])) {
        return Grain::Year;
    }
    if all(|moment| moment.month() % 3 == 1) && named(&["quarter", "qtr", "분기"]) {
        return Grain::Quarter;
    }
    if several || named(&["month", "월"]) { Grain::Month } else { Grain::Day }
}

/// A moment as the axis tells it.
pub(super) fn label(moment: NaiveDateTime, grain: Grain) -> String {
    match grain {
        Grain::Year => moment.format("%Y").to_string(),
        Grain::Quarter => format!("{}-Q{}", moment.format("%Y"), moment.month0() / 3 + 1),
        Grain::Month => moment.format("%Y-%m").to_string(),
        Grain::Day | Grain::Number => moment.format("%Y-%m-%d").to_string(),
        Grain::Moment => moment.format("%Y-%m-%d %H:%M").to_string(),
    }
}

/// A moment's place on the axis: seconds since 1970 on its own wall clock.
pub(super) fn place(moment: NaiveDateTime) -> f64 {
    moment.and_utc().timestamp() as f64
}

/// A place on the axis as the axis tells it; none for what no calendar has.
pub(super) fn told(place: f64, grain: Grain) -> Option<String> {
    DateTime::from_timestamp(place as i64, 0).map(|moment| label(moment.naive_utc(), grain))
}

/// A place on the axis as ISO 8601 without an offset, which JavaScript reads as local time and shows unchanged.
pub(super) fn iso(place: f64) -> Option<String> {
    let moment = DateTime::from_timestamp(place as i64, 0)?;
    Some(moment.format("%Y-%m-%dT%H:%M:%S").to_string())
}

/// What a column of this name counts, if its numbers are periods and not a measure of them (`sales_per_month` is none).
pub(super) fn cycle(name: &str) -> Option<Cycle> {
    let lower = name.trim().to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let measured = ["per", "total", "sum", "avg", "average", "count", "num", "max", "min", "sales", "amount", "개월", "평균", "합계"];
    if words.iter().any(|word| measured.contains(word)) || lower.ends_with("개월") {
        return None;
    }
    let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    let last = words.last().copied()?;
    let years = any(&["year", "yr", "yyyy"]) || last.ends_with("연도") || last.ends_with("년도") || last == "년";
    let months = matches!(last, "month" | "mon" | "mm" | "월") || korean_month(last);
    match last {
        "yearmonth" | "yyyymm" | "연월" | "년월" => Some(Cycle::YearMonth),
        _ if years && months => Some(Cycle::YearMonth),
        _ if years => Some(Cycle::Year),
        _ if months => Some(Cycle::Month),
        "quarter" | "qtr" | "분기" => Some(Cycle::Quarter),
        "week" | "주차" => Some(Cycle::Week),
        "day" | "일" => Some(Cycle::Day),
        "hour" | "hh" | "시" | "시간대" => Some(Cycle::Hour),
        "weekday" | "dow" | "dayofweek" | "요일" => Some(Cycle::Weekday),
        _ => None,
    }
}

// `주문월`, but not the pivoted columns `1월`, `2월`.
fn korean_month(word: &str) -> bool {
    word.strip_suffix('월').is_some_and(|stem| stem.chars().last().is_some_and(|c| !c.is_ascii_digit()))
}

impl Cycle {
    /// Whether a number can be one of these periods.
    pub(super) fn holds(self, number: f64) -> bool {
        let range = match self {
            Self::Year => 1800.0..=2199.0,
            Self::YearMonth => 180_001.0..=219_912.0,
            Self::Month => 1.0..=12.0,
            Self::Quarter => 1.0..=4.0,
            Self::Week => 0.0..=53.0,
            Self::Day => 1.0..=31.0,
            Self::Hour => 0.0..=23.0,
            Self::Weekday => 0.0..=7.0,
        };
        let month = self != Self::YearMonth || (1.0..=12.0).contains(&(number % 100.0));
        number.fract() == 0.0 && range.contains(&number) && month
    }

    /// A period as the axis tells it.
    pub(super) fn label(self, number: u32, language: Language) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        match (self, language) {
            (Self::Month, Language::Korean) => format!("{number}월"),
            (Self::Quarter, Language::Korean) => format!("{number}분기"),
            (Self::Week, Language::Korean) => format!("{number}주"),
            (Self::Day, Language::Korean) => format!("{number}일"),
            (Self::Hour, Language::Korean) => format!("{number}시"),
            (Self::Month, Language::English) => {
                let name = number.checked_sub(1).and_then(|index| MONTHS.get(index as usize));
                name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
            }
            (Self::Quarter, Language::English) => format!("Q{number}"),
            (Self::Week, Language::English) => format!("W{number}"),
            (Self::Hour, Language::English) => format!("{number}:00"),
            (Self::Day, Language::English) | (Self::Year | Self::YearMonth | Self::Weekday, _) => number.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        parse(text).map(|(grain, moment)| format!("{grain} {}", moment.format("%Y-%m-%dT%H:%M:%S")))
    }

    #[test]
    fn texts_name_periods() {
        for (text, expected) in [
            ("2024", "year 2024-01-01T00:00:00"),
            ("2024-03", "month 2024-03-01T00:00:00"),
            ("2024.3", "month 2024-03-01T00:00:00"),
            ("2024-Q2", "quarter 2024-04-01T00:00:00"),
            ("2024 Q4", "quarter 2024-10-01T00:00:00"),
            ("2024년", "year 2024-01-01T00:00:00"),
            ("2024년 3월", "month 2024-03-01T00:00:00"),
            ("2024년 3월 5일", "day 2024-03-05T00:00:00"),
            ("2024년 1분기", "quarter 2024-01-01T00:00:00"),
            ("2024-03-05", "day 2024-03-05T00:00:00"),
            ("2024/03/05", "day 2024-03-05T00:00:00"),
            ("2024-03-05T10:30:05.123+09:00", "moment 2024-03-05T10:30:05"),
            ("2024-03-05 10:30", "moment 2024-03-05T10:30:00"),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "서울", "1234", "20240305", "2024-13", "2024-02-30", "2024-Q5", "0044-03-15 BC", "infinity", "2024-03-05Tx"] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn names_tell_cycles() {
        for (name, expected) in [
            ("year", Some(Cycle::Year)),
            ("order_year", Some(Cycle::Year)),
            ("주문연도", Some(Cycle::Year)),
            ("month", Some(Cycle::Month)),
            ("월", Some(Cycle::Month)),
            ("주문월", Some(Cycle::Month)),
            ("year_month", Some(Cycle::YearMonth)),
            ("시간대", Some(Cycle::Hour)),
            ("dow", Some(Cycle::Weekday)),
            ("1월", None),
            ("개월", None),
            ("sales_per_month", None),
            ("total", None),
            ("", None),
        ] {
            assert_eq!(cycle(name), expected, "{name}");
        }
        assert!(Cycle::Month.holds(12.0) && !Cycle::Month.holds(13.0) && !Cycle::Month.holds(1.5));
        assert!(Cycle::YearMonth.holds(202_403.0) && !Cycle::YearMonth.holds(202_413.0));
    }

    #[test]
    fn truncated_moments_are_told_coarsely() {
        let at = |text: &str| parse(text).map(|(_, moment)| moment).expect("a period");
        assert_eq!(coarsest(&[at("2024-01-01"), at("2024-02-01")], "m"), Grain::Month);
        assert_eq!(coarsest(&[at("2024-01-01"), at("2025-01-01")], "y"), Grain::Year);
        assert_eq!(coarsest(&[at("2024-01-01"), at("2024-01-02")], "d"), Grain::Day);
        assert_eq!(coarsest(&[at("2024-01-01")], "d"), Grain::Day);
        assert_eq!(coarsest(&[at("2024-01-01"), at("2024-04-01")], "quarter"), Grain::Quarter);
        assert_eq!(coarsest(&[at("2024-01-01 10:00")], "t"), Grain::Moment);
        assert_eq!(label(at("2024-04-01"), Grain::Quarter), "2024-Q2");
        assert_eq!(place(at("1970-01-02")), 86_400.0);
        assert_eq!(iso(86_400.0).as_deref(), Some("1970-01-02T00:00:00"));
        assert_eq!(iso(f64::MAX), None);
    }
}
