//! The connections that wait for the next statement, the same for every server. A slot bounds how many are at work, so no pool has to;
//! here they lie, the last used on top, without a round trip to take one or to give it back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::lifecycle;
use tokio::time::{Instant, sleep, timeout};

use crate::capacity::peak::Peak;

/// What is opened beyond the kept ones stays as long as as many are needed again within seconds.
const NEEDED_LATELY: Duration = Duration::from_secs(5);
/// A connection is closed after this long, whatever its state.
const RECYCLE: Duration = Duration::from_secs(3_600);
/// A connection nobody used this long is closed: the customer's server has other clients.
const UNUSED: Duration = Duration::from_secs(600);
/// How often that is looked after, while there are any.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Time for closing politely.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A connection that can lie here. Dropping it closes its socket.
pub(super) trait KeptConnection: Send + 'static {
    /// Says goodbye to the server.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A connection, since when it is open, and since when nobody has used it.
pub(super) struct Kept<C> {
    pub(super) connection: C,
    pub(super) opened: Instant,
    pub(super) since: Instant,
}

/// The connections of one source that nobody uses.
pub(super) struct Idle<C> {
    /// How many a process keeps ready.
    ready: u32,
    state: Mutex<State<C>>,
}

struct State<C> {
    kept: Vec<Kept<C>>,
    at_work: u32,
    peak: Peak,
    is_swept: bool,
    is_closed: bool,
}

impl<C: KeptConnection> Idle<C> {
    /// Nothing yet; so many are kept ready later.
    pub(super) fn new(ready: u32) -> Self {
        let state = State { kept: Vec::new(), at_work: 0, peak: Peak::new(NEEDED_LATELY), is_swept: false, is_closed: false };
        Self { ready, state: Mutex::new(state) }
    }

    /// The connection that was used last.
    pub(super) fn take(&self) -> Option<Kept<C>> {
        self.lock().kept.pop()
    }

    /// A session begins.
    pub(super) fn begun(&self) {
        let mut state = self.lock();
        state.at_work += 1;
        let at_work = state.at_work;
        state.peak.note(at_work, Instant::now());
    }

    /// A session is over.
    pub(super) fn ended(&self) {
        let mut state = self.lock();
        state.at_work = state.at_work.saturating_sub(1);
    }

    /// Keeps the connection of a session that is about to end, or gives it back to be closed: there are enough, or it is old.
    pub(super) fn put(self: &Arc<Self>, connection: C, opened: Instant) -> Option<C> {
        let now = Instant::now();
        let mut state = self.lock();
        let enough = state.peak.get(now).max(self.ready);
        let all = u32::try_from(state.kept.len()).unwrap_or(u32::MAX).saturating_add(state.at_work);
        if state.is_closed || all > enough || now.saturating_duration_since(opened) > RECYCLE {
            return Some(connection);
        }
        state.kept.push(Kept { connection, opened, since: now });
        if !state.is_swept {
            state.is_swept = true;
            let idle = Arc::downgrade(self);
            lifecycle::spawn("source.sweep", async move {
                loop {
                    sleep(SWEEP_EVERY).await;
                    let Some(idle) = idle.upgrade() else { return };
                    let (surplus, are_left) = idle.sweep(Instant::now());
                    close_all(surplus).await;
                    if !are_left {
                        return;
                    }
                }
            });
        }
        None
    }

    /// Closes what lies here, and keeps nothing any more.
    pub(super) async fn close(&self) {
        let kept = {
            let mut state = self.lock();
            state.is_closed = true;
            std::mem::take(&mut state.kept)
        };
        close_all(kept).await;
    }

    // What is too old or no longer needed, and whether something is left to sweep the next time.
    fn sweep(&self, now: Instant) -> (Vec<Kept<C>>, bool) {
        let mut state = self.lock();
        let enough = usize::try_from(state.peak.get(now).max(self.ready)).unwrap_or(usize::MAX);
        let all = std::mem::take(&mut state.kept);
        // The last used ones stay: they lie at the end.
        let beyond = all.len().saturating_sub(enough);
        let mut surplus = Vec::new();
        for (place, kept) in all.into_iter().enumerate() {
            let is_old = now.saturating_duration_since(kept.since) > UNUSED || now.saturating_duration_since(kept.opened) > RECYCLE;
            if is_old || place < beyond { surplus.push(kept) } else { state.kept.push(kept) }
        }
        state.is_swept = !state.kept.is_empty();
        (surplus, state.is_swept)
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says goodbye; a connection whose server does not listen is just closed.
pub(super) async fn close<C: KeptConnection>(connection: C) {
    let _gone = timeout(CLOSE_WAIT, connection.close()).await;
}

async fn close_all<C: KeptConnection>(kept: Vec<Kept<C>>) {
    futures::future::join_all(kept.into_iter().map(|kept| close(kept.connection))).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Counted(u32, Arc<AtomicU32>);

    impl KeptConnection for Counted {
        async fn close(self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn put(idle: &Arc<Idle<Counted>>, number: u32, closed: &Arc<AtomicU32>) -> bool {
        idle.begun();
        idle.ended();
        idle.put(Counted(number, closed.clone()), Instant::now()).is_none()
    }

    #[tokio::test]
    async fn the_last_used_one_is_taken_first_and_closing_closes_all() {
        let (idle, closed) = (Arc::new(Idle::new(2)), Arc::new(AtomicU32::new(0)));
        assert!(put(&idle, 1, &closed) && put(&idle, 2, &closed));
        assert_eq!(idle.take().map(|kept| kept.connection.0), Some(2));
        idle.close().await;
        assert_eq!(closed.load(Ordering::SeqCst), 1);
        assert!(!put(&idle, 3, &closed), "nothing is kept after that");
    }

    #[tokio::test]
    async fn what_was_needed_lately_is_kept_beyond_the_number_and_swept_later() {
        let (idle, closed) = (Arc::new(Idle::new(1)), Arc::new(AtomicU32::new(0)));
        for _ in 0..3 {
            idle.begun();
        }
        for number in 0..3 {
            assert!(idle.put(Counted(number, closed.clone()), Instant::now()).is_none(), "three are at work");
            idle.ended();
        }
        let (surplus, are_left) = idle.sweep(Instant::now() + SWEEP_EVERY);
        assert_eq!(surplus.iter().map(|kept| kept.connection.0).collect::<Vec<_>>(), [0, 1], "the last used one stays");
        assert!(are_left);
    }

    #[tokio::test]
    async fn what_nobody_uses_or_is_old_is_swept() {
        let (idle, closed) = (Arc::new(Idle::new(5)), Arc::new(AtomicU32::new(0)));
        assert!(put(&idle, 1, &closed));
        let (surplus, are_left) = idle.sweep(Instant::now() + UNUSED / 2);
        assert!(surplus.is_empty() && are_left);
        let (surplus, are_left) = idle.sweep(Instant::now() + UNUSED * 2);
        assert!(surplus.len() == 1 && !are_left);
    }
}
