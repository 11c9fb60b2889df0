//! Steps of a time axis: seconds to years, as many as an axis has room for.

use crate::times::{self, MICROS_PER_DAY};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 1970-01-05 was a Monday.
const MONDAY: i64 = 4 * MICROS_PER_DAY;

const WITHIN_DAYS: &[i64] = &[
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
];
const YEARS: &[i64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Periods of so many microseconds, counted from midnight.
    Micros(i64),
    /// Weeks from Monday.
    Weeks,
    /// So many months, counted from January of the year 0.
    Months(i64),
}

impl Step {
    pub(super) const DAY: Self = Self::Micros(MICROS_PER_DAY);
    pub(super) const YEAR: Self = Self::Months(12);

    /// The shortest step of which the range needs at most so many.
    pub(super) fn within(min: i64, max: i64, are_days: bool, most: i64) -> Self {
        let parts = if are_days { &[] } else { WITHIN_DAYS };
        let parts = parts.iter().map(|micros| Self::Micros(*micros));
        let calendar = [Self::DAY, Self::Weeks, Self::Months(1), Self::Months(3)];
        let years = YEARS.iter().map(|years| Self::Months(years * 12));
        let mut steps = parts.chain(calendar).chain(years);
        // 292,000 years is the longest range there is.
        steps.find(|step| step.index(max) - step.index(min) < most).unwrap_or(Self::Months(50_000 * 12))
    }

    /// Which period a moment lies in.
    pub(super) fn index(self, micros: i64) -> i64 {
        match self {
            Self::Micros(length) => micros.div_euclid(length),
            Self::Weeks => micros.saturating_sub(MONDAY).div_euclid(7 * MICROS_PER_DAY),
            Self::Months(months) => {
                let (year, month, _) = times::civil(micros.div_euclid(MICROS_PER_DAY));
                (year * 12 + month - 1).div_euclid(months)
            }
        }
    }

    /// The first moment of a period.
    pub(super) fn start(self, index: i64) -> i64 {
        match self {
            Self::Micros(length) => index.saturating_mul(length),
            Self::Weeks => index.saturating_mul(7 * MICROS_PER_DAY).saturating_add(MONDAY),
            Self::Months(months) => {
                let month = index.saturating_mul(months);
                times::month_start(month.div_euclid(12), month.rem_euclid(12) + 1).saturating_mul(MICROS_PER_DAY)
            }
        }
    }

    /// A period as sentences and axes call it: `2024`, `2024-Q1`, `2024-03`, `2024-03-05`, `2024-03-05 10:30`.
    pub(super) fn label(self, index: i64) -> String {
        let start = self.start(index);
        let day = times::day(start.div_euclid(MICROS_PER_DAY));
        let part = |end: usize| day.get(..day.len().saturating_sub(end)).unwrap_or(&day).to_owned();
        match self {
            Self::Months(12) => part(6),
            Self::Months(3) => format!("{}-Q{}", part(6), index.rem_euclid(4) + 1),
            Self::Months(1) => part(3),
            Self::Months(_) | Self::Weeks => day,
            Self::Micros(length) if length % MICROS_PER_DAY == 0 => day,
            Self::Micros(_) => times::moment(start).replace('T', " "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64) -> i64 {
        (times::month_start(year, month) + day - 1) * MICROS_PER_DAY
    }

    #[test]
    fn the_span_chooses_the_step() {
        let from = at(2024, 1, 1);
        for (to, are_days, expected) in [
            (at(2024, 1, 20), true, Step::DAY),
            (at(2024, 1, 21), true, Step::Weeks),
            (at(2024, 5, 30), true, Step::Months(1)),
            (at(2025, 8, 31), true, Step::Months(1)),
            (at(2025, 9, 1), true, Step::Months(3)),
            (at(2028, 12, 31), true, Step::Months(3)),
            (at(2029, 1, 1), true, Step::YEAR),
            (at(2060, 1, 1), true, Step::Months(24)),
            (from + 5 * HOUR, false, Step::Micros(30 * MINUTE)),
            (from + 19 * HOUR, false, Step::Micros(HOUR)),
            (from + 3, false, Step::Micros(SECOND)),
        ] {
            assert_eq!(Step::within(from, to, are_days, 20), expected, "{to}");
        }
        assert_eq!(Step::within(i64::MIN, i64::MAX, false, 20), Step::Months(50_000 * 12));
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        for step in [Step::DAY, Step::Weeks, Step::Months(1), Step::Months(3), Step::YEAR, Step::Micros(HOUR)] {
            for day in (-20_000..40_000).step_by(13) {
                let moment = day * MICROS_PER_DAY + 5 * HOUR + 7;
                let index = step.index(moment);
                assert!(step.start(index) <= moment && moment < step.start(index + 1), "{step:?} {day}");
                assert_eq!(step.index(step.start(index)), index);
            }
        }
        let monday = Step::Weeks.start(Step::Weeks.index(at(2024, 3, 10)));
        assert_eq!(monday, at(2024, 3, 4));
    }

    #[test]
    fn periods_have_their_names() {
        let moment = at(2024, 5, 17) + 10 * HOUR + 40 * MINUTE;
        for (step, label) in [
            (Step::YEAR, "2024"),
            (Step::Months(3), "2024-Q2"),
            (Step::Months(1), "2024-05"),
            (Step::Weeks, "2024-05-13"),
            (Step::DAY, "2024-05-17"),
            (Step::Micros(30 * MINUTE), "2024-05-17 10:30:00"),
        ] {
            assert_eq!(step.label(step.index(moment)), label);
        }
    }
}
