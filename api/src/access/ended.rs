//! Sessions that were ended here: gone from this process and from Redis at once, and again until Redis has confirmed it, so that no entry
//! outlives its row. One that does, while Redis is away, is trusted by nobody: entries are, for a second.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use datagenie_common::{
    cache::{Cache, CacheKey},
    ids::SessionId,
    lifecycle,
};
use tokio::time::{Instant, interval};

use super::SessionsInUse;

/// A look at the row that was under way when it went may put its entry back: after this none is.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(250);
/// More are left to their time to live.
const MOST: usize = 100_000;

/// Sees to it that entries of ended sessions go.
pub struct EndedSessions {
    cache: Cache,
    waiting: Arc<Mutex<VecDeque<(Instant, SessionId)>>>,
}

impl EndedSessions {
    /// Starts the task that asks again; it ends with this.
    #[must_use]
    pub fn start(cache: &Cache) -> Self {
        let waiting: Arc<Mutex<VecDeque<(Instant, SessionId)>>> = Arc::default();
        let (cache_again, held) = (cache.clone(), Arc::downgrade(&waiting));
        lifecycle::spawn("sessions.ended", async move {
            let mut turns = interval(EVERY);
            loop {
                turns.tick().await;
                let Some(waiting) = held.upgrade() else { return };
                again(&cache_again, &waiting).await;
            }
        });
        Self { cache: cache.clone(), waiting }
    }

    /// Forgets sessions whose end is committed.
    pub async fn end(&self, here: &SessionsInUse, ids: impl IntoIterator<Item = SessionId>) {
        let ids: Vec<SessionId> = ids.into_iter().collect();
        // Before anything is waited for: a caller who goes away now must not keep the entries alive.
        for session in &ids {
            here.forget(*session);
            self.later(*session);
        }
        for session in ids {
            self.cache.delete(&CacheKey::Session { session }).await;
        }
    }

    fn later(&self, session: SessionId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back((Instant::now(), session));
    }
}

async fn again(cache: &Cache, waiting: &Mutex<VecDeque<(Instant, SessionId)>>) {
    loop {
        let due = {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            match waiting.front() {
                Some((since, _)) if since.elapsed() >= AGAIN_AFTER => waiting.pop_front(),
                _ => None,
            }
        };
        let Some((since, session)) = due else { return };
        if !cache.delete(&CacheKey::Session { session }).await {
            // Redis is away: the next turn tries again.
            waiting.lock().unwrap_or_else(PoisonError::into_inner).push_front((since, session));
            return;
        }
    }
}
