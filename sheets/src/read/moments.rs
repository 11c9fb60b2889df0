//! Numbers that are days and times: by the format they are shown in, in both date systems, and as ISO 8601 writes them.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::{
    grid::{Cell, Signs},
    times::MICROS_PER_DAY,
};

/// 1970-01-01 in the 1900 system.
const EPOCH: f64 = 25_569.0;
/// Days between the beginnings of the two systems.
const SYSTEMS: f64 = 1_462.0;
/// 1900-03-01: the 1900 system has a 29 February 1900 before it, which never was.
const AFTER_LEAP: f64 = 61.0;
/// 10000-01-01.
const END: f64 = 2_958_466.0;
const MILLIS_PER_DAY: f64 = 86_400_000.0;

/// What a number with a format is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Shown {
    /// A number.
    #[default]
    Number,
    /// A day, perhaps with a time.
    Day,
    /// A time of day.
    Time,
    /// Hours, minutes or seconds that go on after 24 hours.
    Elapsed,
}

/// What each style of a workbook shows its numbers as.
#[derive(Default)]
pub(super) struct Styles {
    codes: HashMap<u16, (Shown, Signs)>,
    styles: Vec<(Shown, Signs)>,
    /// Whether days are counted from 1904.
    pub(super) is_1904: bool,
}

impl Styles {
    /// No styles yet.
    pub(super) fn new(is_1904: bool) -> Self {
        Self { is_1904, ..Self::default() }
    }

    /// A format by its number.
    pub(super) fn add_format(&mut self, number: u16, code: &str) {
        self.codes.insert(number, (shown(code), signs(code)));
    }

    /// The next style, by the number of its format.
    pub(super) fn add_style(&mut self, format: u16) {
        let percent = if matches!(format, 9 | 10) { Signs::PERCENT } else { Signs::NONE };
        self.styles.push(self.codes.get(&format).copied().unwrap_or_else(|| (built_in(format), percent)));
    }

    /// How many styles there are.
    pub(super) fn len(&self) -> usize {
        self.styles.len()
    }

    /// A number as a cell of this style.
    pub(super) fn cell(&self, number: f64, style: usize) -> Cell {
        cell(number, self.styles.get(style).copied().unwrap_or_default().0, self.is_1904)
    }

    /// The signs that numbers of this style are shown with.
    pub(super) fn signs(&self, style: usize) -> Signs {
        self.styles.get(style).copied().unwrap_or_default().1
    }
}

/// A number that is shown in a way. What is no day or time in spite of its format stays a number; infinity is nothing.
fn cell(number: f64, shown: Shown, is_1904: bool) -> Cell {
    if !number.is_finite() {
        return Cell::Empty;
    }
    match shown {
        Shown::Number => Cell::Number(number),
        Shown::Elapsed if number.abs() < END => Cell::Duration(micros(number)),
        Shown::Time if (0.0..1.0).contains(&number) => Cell::Duration(micros(number)),
        // The 1900 system has no day 0: what is shown as a day there is a time without one.
        Shown::Day if !is_1904 && (0.0..1.0).contains(&number) => Cell::Duration(micros(number)),
        Shown::Day | Shown::Time if (0.0..END).contains(&number) => Cell::Moment(moment(number, is_1904)),
        Shown::Day | Shown::Time | Shown::Elapsed => Cell::Number(number),
    }
}

fn moment(number: f64, is_1904: bool) -> i64 {
    let days = if is_1904 {
        number + SYSTEMS
    } else if number < AFTER_LEAP - 1.0 {
        number + 1.0
    } else {
        number
    };
    micros(days - EPOCH)
}

// Programs store times to the millisecond; what is beyond is the noise of binary fractions.
fn micros(days: f64) -> i64 {
    // At most four million days: far within the range.
    (days * MILLIS_PER_DAY).round() as i64 * 1_000
}

/// A format that every program knows by its number, those of Korean, Japanese and Chinese included.
fn built_in(number: u16) -> Shown {
    match number {
        14..=17 | 22 | 27..=31 | 34..=36 | 50..=58 => Shown::Day,
        18..=21 | 32 | 33 | 45 | 47 => Shown::Time,
        46 => Shown::Elapsed,
        _ => Shown::Number,
    }
}

/// What a format shows, by the first of its sections: letters of days and times outside of quotes, escapes and brackets.
fn shown(code: &str) -> Shown {
    let mut letters = Letters::default();
    let mut characters = code.chars();
    while let Some(found) = characters.next() {
        match found {
            ';' => break,
            // The next character stands for itself, for its width, or fills the cell.
            '\\' | '_' | '*' => {
                characters.next();
            }
            '"' => {
                characters.by_ref().find(|found| *found == '"');
            }
            '[' => {
                let inside: String = characters.by_ref().take_while(|found| *found != ']').collect();
                let first = inside.chars().next().map(|first| first.to_ascii_lowercase());
                let same = inside.chars().all(|found| Some(found.to_ascii_lowercase()) == first);
                letters.elapsed |= same && matches!(first, Some('h' | 'm' | 's'));
            }
            _ => letters.see(found),
        }
    }
    letters.shown(code)
}

/// The signs of currencies and of percentages in a format, by the first of its sections.
fn signs(code: &str) -> Signs {
    let first = code.split(';').next().unwrap_or_default();
    let mut found = Signs::NONE;
    let mut rest = first;
    // Without the numbers of languages: `[$-412]`, `[$$-409]`.
    while let Some((before, after)) = rest.split_once("[$") {
        found = found.and(Signs::of(before));
        let (sign, after) = after.split_once(']').unwrap_or((after, ""));
        found = found.and(Signs::of(sign.split('-').next().unwrap_or_default()));
        rest = after;
    }
    found.and(Signs::of(rest))
}

#[derive(Default)]
struct Letters {
    day: bool,
    time: bool,
    /// Months or minutes: it depends on what else there is.
    month: bool,
    elapsed: bool,
}

impl Letters {
    fn see(&mut self, found: char) {
        match found.to_ascii_lowercase() {
            'y' | 'd' => self.day = true,
            'h' | 's' => self.time = true,
            'm' => self.month = true,
            _ => {}
        }
    }

    fn shown(&self, code: &str) -> Shown {
        let code = code.trim_start().to_ascii_lowercase();
        if code.starts_with("general") || code.starts_with("standard") {
            return Shown::Number;
        }
        match (self.elapsed, self.day, self.time, self.month) {
            (true, ..) => Shown::Elapsed,
            (_, true, ..) | (_, _, false, true) => Shown::Day,
            (_, _, true, _) => Shown::Time,
            (false, false, false, false) => Shown::Number,
        }
    }
}

/// A day, a moment or a time of day in ISO 8601; none if it is something else.
pub(super) fn iso(text: &str) -> Option<Cell> {
    let text = text.trim().trim_end_matches('Z');
    let day = |day: NaiveDate| day.and_time(NaiveTime::MIN);
    if let Some(found) = text.parse::<NaiveDateTime>().ok().or_else(|| text.parse().ok().map(day)) {
        return Some(Cell::Moment(found.and_utc().timestamp_micros()));
    }
    let time: NaiveTime = text.parse().ok()?;
    Some(Cell::Duration(i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000)))
}

/// A duration in ISO 8601 (`PT10H30M00.5S`); none if it is something else, months and years among it.
pub(super) fn iso_duration(text: &str) -> Option<Cell> {
    let text = text.trim();
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let (mut seconds, mut number, mut in_time) = (0.0, String::new(), false);
    for found in text.strip_prefix('P')?.chars() {
        let unit = match (found, in_time) {
            ('T', false) => {
                in_time = true;
                continue;
            }
            ('0'..='9' | '.', _) => {
                number.push(found);
                continue;
            }
            ('D', false) => 86_400.0,
            ('H', true) => 3_600.0,
            ('M', true) => 60.0,
            ('S', true) => 1.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        number.clear();
    }
    let days = sign * seconds / 86_400.0;
    (number.is_empty() && days.abs() < END).then(|| Cell::Duration((days * MICROS_PER_DAY as f64).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times;

    #[test]
    fn formats_say_what_numbers_are() {
        use Shown::{Day, Elapsed, Number, Time};
        for (code, expected) in [
            ("yyyy-mm-dd", Day),
            ("yyyy\"년\" m\"월\" d\"일\"", Day),
            ("[$-412]yyyy\"년\" mmm", Day),
            ("m/d/yy h:mm", Day),
            ("mmm", Day),
            ("h:mm AM/PM", Time),
            ("[$-F400]h:mm:ss\\ AM/PM", Time),
            ("mm:ss.0", Time),
            ("[h]:mm:ss", Elapsed),
            ("[Blue][mm]:ss", Elapsed),
            ("General", Number),
            ("0.00", Number),
            ("#,##0\" 원\"", Number),
            ("0.00E+00", Number),
            ("[Red]#,##0", Number),
            ("@", Number),
            ("\\d0", Number),
            ("0_m", Number),
            ("0;yyyy", Number),
            ("#,##0 \"days\"", Number),
            ("[$₩-412]#,##0", Number),
            ("Standard", Number),
        ] {
            assert_eq!(shown(code), expected, "{code}");
        }
    }

    #[test]
    fn formats_have_signs() {
        for (code, expected) in [
            ("#,##0", Signs::NONE),
            ("[$-412]yyyy", Signs::NONE),
            ("0.0%", Signs::PERCENT),
            ("[$₩-412]#,##0", Signs::of("₩")),
            ("[$$-409]#,##0.00;[Red]-[$€-2]#", Signs::of("$")),
            ("#,##0\"원\"", Signs::of("원")),
            ("\\$#,##0", Signs::of("$")),
        ] {
            assert_eq!(signs(code), expected, "{code}");
        }
        assert_eq!((Signs::of("₩").and(Signs::of("$")).currencies(), Signs::of("%").currencies()), (3, 0));
    }

    #[test]
    fn days_are_right_in_both_systems() {
        let text = |number, is_1904| match cell(number, Shown::Day, is_1904) {
            Cell::Moment(micros) => times::moment(micros),
            other => format!("{other:?}"),
        };
        assert_eq!(text(45_356.0, false), "2024-03-05T00:00:00");
        assert_eq!(text(43_894.0, true), "2024-03-05T00:00:00");
        assert_eq!(text(45_356.75, false), "2024-03-05T18:00:00");
        assert_eq!((text(1.0, false), text(59.0, false)), ("1900-01-01T00:00:00".to_owned(), "1900-02-28T00:00:00".to_owned()));
        assert_eq!((text(61.0, false), text(0.0, true)), ("1900-03-01T00:00:00".to_owned(), "1904-01-01T00:00:00".to_owned()));
        assert_eq!(text(45_356.999_988_425_92, false), "2024-03-05T23:59:59");
        assert_eq!((text(-1.0, false), text(1e300, false)), ("Number(-1.0)".to_owned(), "Number(1e300)".to_owned()));
    }

    #[test]
    fn times_and_durations_have_no_day() {
        assert_eq!(cell(0.5, Shown::Time, false), Cell::Duration(MICROS_PER_DAY / 2));
        assert_eq!(cell(1.5, Shown::Elapsed, true), Cell::Duration(MICROS_PER_DAY / 2 * 3));
        assert_eq!(iso_duration("PT36H00M00S"), Some(Cell::Duration(MICROS_PER_DAY / 2 * 3)));
        assert_eq!((iso_duration("-PT0.5S"), iso_duration("P1Y"), iso_duration("12")), (Some(Cell::Duration(-500_000)), None, None));
    }

    #[test]
    fn iso_texts_are_read() {
        let moment = |text| match iso(text) {
            Some(Cell::Moment(micros)) => times::moment(micros),
            other => format!("{other:?}"),
        };
        assert_eq!(
            (moment("2024-03-05"), moment("2024-03-05T18:30:00.250Z")),
            ("2024-03-05T00:00:00".into(), "2024-03-05T18:30:00.250".into())
        );
        assert_eq!(iso("10:00:00"), Some(Cell::Duration(36_000_000_000)));
        assert_eq!(iso("soon"), None);
    }
}
