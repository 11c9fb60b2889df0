//! Leaves Redis alone for a moment after a failure, and tells of failures at most once in ten seconds.

use std::{
    fmt::Display,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

const REST: Duration = Duration::from_millis(500);
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Times are microseconds since the breaker was made, 0 meaning never.
pub(super) struct Breaker {
    made: Instant,
    open_until: AtomicU64,
    silent_until: AtomicU64,
    untold: AtomicU64,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { made: Instant::now(), open_until: AtomicU64::new(0), silent_until: AtomicU64::new(0), untold: AtomicU64::new(0) }
    }

    /// Whether Redis is left alone now.
    pub(super) fn is_open(&self) -> bool {
        self.is_open_at(self.made.elapsed())
    }

    /// Notes a failure: opens the breaker and, if none was told lately, logs it.
    pub(super) fn trip(&self, error: &dyn Display) {
        if let Some(failures) = self.trip_at(self.made.elapsed()) {
            tracing::warn!(%error, failures, "Redis does not serve; caches are skipped until it does");
        }
    }

    fn is_open_at(&self, now: Duration) -> bool {
        microseconds(now) < self.open_until.load(Relaxed)
    }

    /// How many failures to tell of, if it is time to tell.
    fn trip_at(&self, now: Duration) -> Option<u64> {
        self.open_until.store(microseconds(now + REST), Relaxed);
        let failures = self.untold.fetch_add(1, Relaxed) + 1;
        let silent_until = self.silent_until.load(Relaxed);
        let turn = microseconds(now) >= silent_until
            && self.silent_until.compare_exchange(silent_until, microseconds(now + TELL_EVERY), Relaxed, Relaxed).is_ok();
        if turn {
            self.untold.store(0, Relaxed);
        }
        turn.then_some(failures)
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_half_a_second() {
        let breaker = Breaker::new();
        let at = Duration::from_millis;
        assert!(!breaker.is_open_at(at(0)));
        breaker.trip_at(at(1_000));
        assert!(breaker.is_open_at(at(1_499)));
        assert!(!breaker.is_open_at(at(1_500)));
    }

    #[test]
    fn it_tells_at_most_once_in_ten_seconds() {
        let breaker = Breaker::new();
        let at = Duration::from_secs;
        assert_eq!(breaker.trip_at(at(0)), Some(1));
        assert_eq!(breaker.trip_at(at(1)), None);
        assert_eq!(breaker.trip_at(at(9)), None);
        assert_eq!(breaker.trip_at(at(10)), Some(3));
        assert_eq!(breaker.trip_at(at(11)), None);
    }
}
