//! Whether a listener still fetches: idle and fully busy are well, cut off is not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};

/// The signs of life of a lane's listener. Times are monotonic.
pub struct Pulse {
    slots: Arc<Semaphore>,
    born: Instant,
    // Microseconds after `born`.
    last: AtomicU64,
}

impl Pulse {
    /// Of a listener that fetches into these slots. Coming into being counts as a beat.
    #[must_use]
    pub fn new(slots: Arc<Semaphore>) -> Self {
        Self { slots, born: Instant::now(), last: AtomicU64::new(0) }
    }

    /// The broker has answered, or the connection to it was seen to stand.
    pub fn beat(&self) {
        self.last.store(u64::try_from(self.born.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether the listener has nothing to fetch for (no slot is free), or has lived `within` that time.
    #[must_use]
    pub fn is_fetching(&self, within: Duration) -> bool {
        let last = Duration::from_micros(self.last.load(Ordering::Relaxed));
        self.slots.available_permits() == 0 || self.born.elapsed().saturating_sub(last) <= within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_well_while_it_beats_and_while_no_slot_is_free() {
        let slots = Arc::new(Semaphore::new(1));
        let pulse = Pulse::new(slots.clone());
        assert!(pulse.is_fetching(Duration::from_secs(60)), "the beginning is a beat");
        let silence = Duration::from_millis(5);
        std::thread::sleep(silence * 2);
        assert!(!pulse.is_fetching(silence), "silent for too long");
        let slot = slots.try_acquire().expect("a slot is free");
        assert!(pulse.is_fetching(silence), "there is nothing to fetch for");
        drop(slot);
        assert!(!pulse.is_fetching(silence));
        pulse.beat();
        assert!(pulse.is_fetching(Duration::from_secs(60)));
    }
}
