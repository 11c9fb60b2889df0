//! The most of something within the last seconds, in two numbers: what is kept ready follows it, so that short pauses give nothing away
//! and long ones do.

use std::time::Duration;

use tokio::time::Instant;

/// The highest number noted within the last one to two periods.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    period: Duration,
    since: Instant,
    now: u32,
    before: u32,
}

impl Peak {
    /// Nothing noted yet.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        Self { period, since: Instant::now(), now: 0, before: 0 }
    }

    /// Notes a number.
    pub fn note(&mut self, number: u32, at: Instant) {
        self.turn(at);
        self.now = self.now.max(number);
    }

    /// The highest number that still counts.
    pub fn get(&mut self, at: Instant) -> u32 {
        self.turn(at);
        self.now.max(self.before)
    }

    fn turn(&mut self, at: Instant) {
        let passed = at.saturating_duration_since(self.since);
        if passed < self.period {
            return;
        }
        self.before = if passed < 2 * self.period { self.now } else { 0 };
        self.now = 0;
        self.since = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_forgotten_after_one_to_two_periods() {
        let mut peak = Peak::new(Duration::from_secs(5));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        peak.note(7, at(1));
        peak.note(2, at(2));
        assert_eq!(peak.get(at(4)), 7);
        peak.note(3, at(6));
        assert_eq!(peak.get(at(10)), 7);
        assert_eq!(peak.get(at(12)), 3);
        assert_eq!(peak.get(at(40)), 0);
    }
}
