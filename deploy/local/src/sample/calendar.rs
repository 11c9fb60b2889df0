//! When the shop sells: three years of growth, busy months, weekends and evenings.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta};

use super::random::Random;

/// Days from 2023-01-01 to 2025-12-31.
pub const DAYS: u64 = 1096;

/// Sales of January to December against an average month, in percent.
const MONTHS: [u64; 12] = [90, 85, 95, 98, 105, 96, 92, 94, 108, 102, 125, 130];
/// Sales of Monday to Sunday, in percent.
const WEEKDAYS: [u64; 7] = [95, 92, 94, 98, 105, 125, 118];
/// Sales of each hour of a day.
const HOURS: [u64; 24] = [8, 4, 2, 1, 1, 2, 5, 10, 20, 35, 48, 52, 60, 50, 46, 45, 48, 50, 55, 68, 80, 85, 60, 25];

/// The first day of business.
fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default()
}

/// The date of a day, counted from the first day of business.
#[must_use]
pub fn date(day: u64) -> NaiveDate {
    first_day().checked_add_days(Days::new(day)).unwrap_or_default()
}

/// The date `days` days before the first day of business.
#[must_use]
pub fn date_before(days: u64) -> NaiveDate {
    first_day().checked_sub_days(Days::new(days)).unwrap_or_default()
}

/// The time of a second, counted from the first day of business.
#[must_use]
pub fn time(second: u64) -> NaiveDateTime {
    first_day().and_time(chrono::NaiveTime::MIN) + TimeDelta::seconds(second as i64)
}

/// The seconds of `count` sales, in order. Sales grow by a quarter a year.
#[must_use]
pub fn sales(random: &mut Random, count: usize) -> Vec<u64> {
    let mut until = Vec::with_capacity(DAYS as usize);
    let mut total = 0;
    for day in 0..DAYS {
        let date = date(day);
        let month = MONTHS[date.month0() as usize];
        let weekday = WEEKDAYS[date.weekday().num_days_from_monday() as usize];
        total += (1000 + day * 7 / 10) * month * weekday;
        until.push(total);
    }
    let mut seconds: Vec<u64> = (0..count)
        .map(|_| {
            let at = random.below(total);
            let day = until.partition_point(|end| *end <= at) as u64;
            let hour = random.weighted(&HOURS) as u64;
            day * 86_400 + hour * 3_600 + random.below(3_600)
        })
        .collect();
    seconds.sort_unstable();
    seconds
}
