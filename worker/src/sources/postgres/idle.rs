//! The connections that wait for the next statement. A slot bounds how many are at work, so no pool has to; here they lie, the last
//! used on top, without a round trip to take one or to give it back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::lifecycle;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use crate::capacity::peak::Peak;

/// Connections that a process keeps ready: the document's pool size. What is opened beyond them stays as long as as many are needed
/// again within seconds.
const KEPT: u32 = 5;
const NEEDED_LATELY: Duration = Duration::from_secs(5);
/// A connection is closed after this long, whatever its state.
const RECYCLE: Duration = Duration::from_secs(3_600);
/// A connection nobody used this long is closed: the customer's server has other clients.
const IDLE: Duration = Duration::from_secs(600);
/// How often that is looked after, while there are any.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Time for closing politely.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// A connection, since when it is open, and since when nobody has used it.
pub(super) struct Kept {
    pub(super) connection: PgConnection,
    pub(super) opened: Instant,
    pub(super) since: Instant,
}

/// The connections of one source that nobody uses.
pub(super) struct Idle {
    state: Mutex<State>,
}

struct State {
    kept: Vec<Kept>,
    at_work: u32,
    peak: Peak,
    is_swept: bool,
    is_closed: bool,
}

impl Idle {
    pub(super) fn new() -> Self {
        let state = State { kept: Vec::new(), at_work: 0, peak: Peak::new(NEEDED_LATELY), is_swept: false, is_closed: false };
        Self { state: Mutex::new(state) }
    }

    /// The connection that was used last.
    pub(super) fn take(&self) -> Option<Kept> {
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
    pub(super) fn put(self: &Arc<Self>, connection: PgConnection, opened: Instant) -> Option<PgConnection> {
        let now = Instant::now();
        let mut state = self.lock();
        let enough = state.peak.get(now).max(KEPT);
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
                    let (old, are_left) = idle.sweep(Instant::now());
                    close_all(old).await;
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

    // What is too old, and whether something is left to sweep the next time.
    fn sweep(&self, now: Instant) -> (Vec<Kept>, bool) {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.kept);
        let is_old = |kept: &Kept| now.saturating_duration_since(kept.since) > IDLE || now.saturating_duration_since(kept.opened) > RECYCLE;
        let (old, kept): (Vec<Kept>, Vec<Kept>) = all.into_iter().partition(is_old);
        state.is_swept = !kept.is_empty();
        state.kept = kept;
        (old, state.is_swept)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says goodbye; a connection whose server does not listen is just closed.
pub(super) async fn close(connection: PgConnection) {
    let _gone = timeout(CLOSE_WAIT, connection.close()).await;
}

async fn close_all(kept: Vec<Kept>) {
    futures::future::join_all(kept.into_iter().map(|kept| close(kept.connection))).await;
}
