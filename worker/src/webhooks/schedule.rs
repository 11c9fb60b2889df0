//! When a delivery that failed is tried again.

use std::time::Duration;

/// Seconds between one attempt and the next: 5 s, 5 min, 30 min, then 2, 5, 10, 14, 20 and 24 h.
const WAITS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// The wait after so many attempts, from 1; with `jitter` (0 to 1) up to a tenth more, never less.
#[must_use]
pub fn wait(attempts: usize, jitter: f64) -> Duration {
    let at = attempts.saturating_sub(1).min(WAITS.len() - 1);
    Duration::from_secs(WAITS[at]).mul_f64(1.0 + 0.1 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_in_three_days_are_spaced_as_documented_and_never_closer() {
        let waits: Vec<u64> = (1..10).map(|attempts| wait(attempts, 0.0).as_secs()).collect();
        assert_eq!(waits, WAITS);
        assert_eq!(usize::try_from(datagenie_common::store::webhooks::MAX_ATTEMPTS), Ok(WAITS.len() + 1));
        assert_eq!(wait(2, 1.0), Duration::from_secs(330));
        assert_eq!(wait(usize::MAX, 0.0), Duration::from_secs(86_400));
    }
}
