//! The one clock of a process, which tests can shift. Times that decide between processes are PostgreSQL's (`dg_now()`), not these.

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time. Monotonic durations are `std::time::Instant`'s business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    offset: TimeDelta,
}

impl Clock {
    /// A clock that is ahead of the machine's by so many seconds (behind, if negative). An offset beyond all time counts as none.
    #[must_use]
    pub fn new(offset_seconds: i64) -> Self {
        Self { offset: TimeDelta::try_seconds(offset_seconds).unwrap_or_default() }
    }

    /// The time now, in UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock everything else asks")]
    pub fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        now.checked_add_signed(self.offset).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_added() {
        let plain = Clock::default().now();
        let shifted = Clock::new(-3_600).now();
        let behind = plain - shifted;
        assert!(behind > TimeDelta::minutes(59) && behind < TimeDelta::minutes(61), "{behind}");
    }

    #[test]
    fn an_absurd_offset_is_no_panic() {
        let before = Clock::default().now();
        for offset in [i64::MIN, i64::MAX, i64::MAX / 1_000] {
            assert!(Clock::new(offset).now() >= before);
        }
    }
}
