//! Days, moments and times of day as texts: ISO 8601 on the workbook's own wall clock, as answers and SQLite write them.

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970-01-01, in the Gregorian calendar of all years.
#[must_use]
pub fn civil(days: i64) -> (i64, i64, i64) {
    // Counted in eras of 400 years that begin on 1 March, so that the leap day is the last day of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day, counted from 1970-01-01, on which a month (1 to 12) begins.
#[must_use]
pub fn month_start(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    year.div_euclid(400) * 146_097 + day_of_era - 719_468
}

/// Adds a day: `2024-03-05`.
pub fn push_day(text: &mut String, days: i64) {
    let (year, month, day) = civil(days);
    if (0..=9_999).contains(&year) {
        two_digits(text, year / 100);
        two_digits(text, year % 100);
    } else {
        text.push_str(&format!("{year:+05}"));
    }
    text.push('-');
    two_digits(text, month);
    text.push('-');
    two_digits(text, day);
}

/// Adds a moment: `2024-03-05T10:00:00`, with a fraction only where there is one.
pub fn push_moment(text: &mut String, micros: i64, separator: char) {
    push_day(text, micros.div_euclid(MICROS_PER_DAY));
    text.push(separator);
    push_time(text, micros.rem_euclid(MICROS_PER_DAY));
}

/// Adds a time of day or a duration: `10:00:00`; hours go on after 24.
pub fn push_time(text: &mut String, micros: i64) {
    if micros < 0 {
        text.push('-');
    }
    let micros = i64::try_from(micros.unsigned_abs()).unwrap_or(i64::MAX);
    let (seconds, fraction) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
    let hours = seconds / 3_600;
    if hours < 100 {
        two_digits(text, hours);
    } else {
        text.push_str(&hours.to_string());
    }
    text.push(':');
    two_digits(text, seconds / 60 % 60);
    text.push(':');
    two_digits(text, seconds % 60);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        text.push('.');
        text.push_str(digits.strip_suffix("000").unwrap_or(&digits));
    }
}

/// A day as a text of its own.
#[must_use]
pub fn day(days: i64) -> String {
    let mut text = String::with_capacity(10);
    push_day(&mut text, days);
    text
}

/// A moment as a text of its own, in the form of JSON (`T`).
#[must_use]
pub fn moment(micros: i64) -> String {
    let mut text = String::with_capacity(26);
    push_moment(&mut text, micros, 'T');
    text
}

/// A time of day as a text of its own.
#[must_use]
pub fn time(micros: i64) -> String {
    let mut text = String::with_capacity(15);
    push_time(&mut text, micros);
    text
}

fn two_digits(text: &mut String, number: i64) {
    let digit = |digit: i64| char::from(b'0' + u8::try_from(digit % 10).unwrap_or_default());
    text.push(digit(number / 10));
    text.push(digit(number));
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let first = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");
        // Every 97th day from the year -400 to 10,400.
        for days in (-865_625..3_080_000).step_by(97) {
            let date = first + chrono::Duration::days(days);
            let (year, month, day) = civil(days);
            assert_eq!((year, month, day), (i64::from(date.year()), i64::from(date.month()), i64::from(date.day())));
            assert_eq!(month_start(year, month), days - day + 1, "{date}");
        }
    }

    #[test]
    fn texts_are_iso() {
        assert_eq!((day(0), day(19_787), day(-1)), ("1970-01-01".to_owned(), "2024-03-05".to_owned(), "1969-12-31".to_owned()));
        assert_eq!(day(month_start(12_345, 1)), "+12345-01-01");
        assert_eq!(day(month_start(-5, 1)), "-0005-01-01");
        assert_eq!(moment(19_787 * MICROS_PER_DAY + 36_000 * 1_000_000), "2024-03-05T10:00:00");
        assert_eq!(moment(-1), "1969-12-31T23:59:59.999999");
        assert_eq!(moment(1_500_000), "1970-01-01T00:00:01.500");
        assert_eq!(
            (time(0), time(-90_000_000), time(360_000_000_000)),
            ("00:00:00".to_owned(), "-00:01:30".to_owned(), "100:00:00".to_owned())
        );
    }
}
