//! When a schedule fires: cron in the wall clock time of a zone, where hours are skipped and doubled.
//!
//! Wall clock times are gone through one after the other, each once, and only then looked up in the zone. So a time in a skipped hour
//! fires once, when the clock has jumped; several of them fire together, as one. A time in a doubled hour fires once, the first time.

use std::str::FromStr;

use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// The longest time that clocks are known to have skipped at once is a day (Samoa, 2011).
const LONGEST_GAP_MINUTES: i64 = 26 * 60;
/// More than clocks go back at once.
const LONGEST_OVERLAP_HOURS: i64 = 3;

/// Why a cron text or a zone can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// Not five fields, or a field that can't be read.
    #[error("`{text}` is no cron expression of five fields (minute, hour, day of month, month, day of week): {why}")]
    Cron {
        /// As given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// It never comes.
    #[error("`{0}` never comes")]
    Never(String),
    /// No such zone.
    #[error("`{0}` is no time zone of the IANA database, such as Europe/Berlin or UTC")]
    Zone(String),
}

/// A cron expression in a zone.
#[derive(Clone, Debug)]
pub struct Timing {
    cron: Cron,
    zone: Tz,
}

impl Timing {
    /// Reads both.
    ///
    /// # Errors
    /// [`TimingError`].
    pub fn parse(cron: &str, zone: &str) -> Result<Self, TimingError> {
        let wrong = |why: String| TimingError::Cron { text: cron.to_owned(), why };
        let fields = cron.split_whitespace().count();
        if fields != 5 {
            return Err(wrong(format!("it has {fields} fields")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let read = parser.parse(cron).map_err(|error| wrong(error.to_string()))?;
        let zone = Tz::from_str(zone).map_err(|_| TimingError::Zone(zone.to_owned()))?;
        let timing = Self { cron: read, zone };
        match timing.after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(timing),
            None => Err(TimingError::Never(cron.to_owned())),
        }
    }

    /// The first time after this one; none: there is none.
    #[must_use]
    pub fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = time.with_timezone(&self.zone).naive_local();
        loop {
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            let fires = self.instant(wall)?;
            // Within the second half of a doubled hour the wall clock shows times that have fired in the first.
            if fires > time {
                return Some(fires);
            }
        }
    }

    /// The newest times up to this one, newest first: at most so many, and none before `since`.
    #[must_use]
    pub fn newest(&self, upto: DateTime<Utc>, since: DateTime<Utc>, most: usize) -> Vec<DateTime<Utc>> {
        let mut found: Vec<DateTime<Utc>> = Vec::new();
        // From later on: in the second half of a doubled hour, wall clock times ahead have fired already.
        let mut wall = upto.with_timezone(&self.zone).naive_local() + Duration::hours(LONGEST_OVERLAP_HOURS);
        while found.len() < most {
            let Ok(earlier) = self.cron.find_previous_occurrence(&wall, false) else { break };
            wall = earlier;
            let Some(fires) = self.instant(wall) else { break };
            if fires < since {
                break;
            }
            if fires <= upto && found.last() != Some(&fires) {
                found.push(fires);
            }
        }
        found
    }

    /// When the wall clock shows this time for the first time, or has jumped over it.
    fn instant(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        (0..LONGEST_GAP_MINUTES).find_map(|minutes| match self.zone.from_local_datetime(&(wall + Duration::minutes(minutes))) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.with_timezone(&Utc)),
            LocalResult::None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let timing = Timing::parse(cron, zone).expect("it can be read");
        let mut time = utc(after);
        (0..count)
            .map(|_| {
                time = timing.after(time).expect("it comes again");
                time.format("%m-%dT%H:%M").to_string()
            })
            .collect()
    }

    #[test]
    fn a_skipped_hour_fires_once_when_the_clock_has_jumped() {
        // Berlin jumps from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC; New York on 2026-03-08 at 07:00 UTC.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3), ["03-28T01:30", "03-29T01:00", "03-30T00:30"]);
        assert_eq!(next("30 2 * * *", "America/New_York", "2026-03-07T00:00:00Z", 3), ["03-07T07:30", "03-08T07:00", "03-09T06:30"]);
        // Four times within the skipped hour, and the one at its end, are one.
        assert_eq!(next("*/15 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", 3), ["03-29T00:45", "03-29T01:00", "03-29T01:15"]);
    }

    #[test]
    fn a_doubled_hour_fires_once() {
        // Berlin goes back from 03:00 to 02:00 on 2026-10-25 at 01:00 UTC; New York on 2026-11-01 at 06:00 UTC.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["10-25T00:30", "10-26T01:30"]);
        assert_eq!(next("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2), ["11-01T05:30", "11-02T06:30"]);
        // Asked in the middle of the second half, it does not fire again.
        assert_eq!(next("30,45 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1), ["10-26T01:30"]);
        assert_eq!(next("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3), ["10-25T00:00", "10-25T02:00", "10-25T03:00"]);
    }

    #[test]
    fn a_zone_without_summer_time_has_neither() {
        assert_eq!(next("30 2 * * *", "Asia/Seoul", "2026-03-28T00:00:00Z", 2), ["03-28T17:30", "03-29T17:30"]);
        assert_eq!(next("0 9 * * MON-FRI", "Asia/Seoul", "2026-11-27T00:00:00Z", 2), ["11-30T00:00", "12-01T00:00"]);
    }

    #[test]
    fn leap_days_and_the_days_of_both_fields_come_when_they_come() {
        let years = |cron: &str, after: &str, count: usize| {
            let timing = Timing::parse(cron, "Asia/Seoul").expect("it can be read");
            let times = std::iter::successors(timing.after(utc(after)), |&time| timing.after(time));
            times.take(count).map(|time| time.with_timezone(&Tz::Asia__Seoul).format("%Y-%m-%d").to_string()).collect::<Vec<_>>()
        };
        assert_eq!(years("0 0 29 2 *", "2026-01-01T00:00:00Z", 2), ["2028-02-29", "2032-02-29"]);
        // 2100 is no leap year.
        assert_eq!(years("0 0 29 2 *", "2097-01-01T00:00:00Z", 1), ["2104-02-29"]);
        assert_eq!(years("0 0 31 * *", "2026-03-31T00:00:00Z", 2), ["2026-05-31", "2026-07-31"]);
        assert_eq!(years("0 0 L FEB *", "2027-01-01T00:00:00Z", 2), ["2027-02-28", "2028-02-29"]);
        // Where both days are named, either is enough.
        assert_eq!(years("0 0 13 * FRI", "2026-03-02T00:00:00Z", 3), ["2026-03-06", "2026-03-13", "2026-03-20"]);
        assert_eq!(years("0 0 * * 7", "2026-03-02T00:00:00Z", 1), ["2026-03-08"], "Sunday is 0 and 7");
    }

    #[test]
    fn clocks_that_skip_half_an_hour_or_a_day_skip_no_time() {
        // Lord Howe jumps from 02:00 to 02:30 on 2026-10-04, at 15:30 UTC of the day before; Samoa had no 2011-12-30.
        assert_eq!(next("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z", 2), ["10-03T15:30", "10-04T15:15"]);
        assert_eq!(next("0 12 * * *", "Pacific/Apia", "2011-12-28T23:00:00Z", 3), ["12-29T22:00", "12-30T10:00", "12-30T22:00"]);
    }

    #[test]
    fn the_newest_times_are_the_ones_that_going_forward_finds() {
        for (zone, from, to) in [
            ("Europe/Berlin", "2026-03-28T22:00:00Z", "2026-03-29T04:10:00Z"),
            ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T01:20:00Z"),
            ("America/New_York", "2026-11-01T03:00:00Z", "2026-11-01T06:40:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T10:00:00Z", "2026-04-04T15:10:00Z"),
            ("Asia/Seoul", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z"),
        ] {
            for cron in ["*/10 * * * *", "0 * * * *", "15,45 1-3 * * *"] {
                let timing = Timing::parse(cron, zone).expect("it can be read");
                let (from, to) = (utc(from), utc(to));
                let mut forward: Vec<_> =
                    std::iter::successors(timing.after(from), |&time| timing.after(time)).take_while(|&t| t <= to).collect();
                forward.reverse();
                let back = timing.newest(to, from + Duration::seconds(1), usize::MAX);
                assert_eq!(back, forward, "{cron} {zone}");
                assert_eq!(timing.newest(to, from + Duration::seconds(1), 2), forward[..2.min(forward.len())]);
            }
        }
    }

    #[test]
    fn what_can_not_be_read_or_never_comes_is_said() {
        for cron in ["", "* * * *", "* * * * * *", "61 * * * *", "@daily", "a b c d e"] {
            assert!(matches!(Timing::parse(cron, "UTC"), Err(TimingError::Cron { .. })), "{cron}");
        }
        assert_eq!(Timing::parse("0 0 30 2 *", "UTC").err(), Some(TimingError::Never("0 0 30 2 *".to_owned())));
        assert_eq!(Timing::parse("0 0 * * *", "Mars/Olympus").err(), Some(TimingError::Zone("Mars/Olympus".to_owned())));
    }
}
