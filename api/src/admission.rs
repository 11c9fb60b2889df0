//! Says no in time: when more jobs wait than the settings allow, of one user or in all, the next one is refused at once.
//!
//! Counting a long queue for every request would cost more than the request. A count is kept and what this process has taken in since
//! is added; it is counted anew ever sooner as the limit comes near, at the limit every tenth of a second, but never so often that counting
//! takes more than a twentieth of the time.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::{ids::UserId, settings::Settings, store::ledger::admit};
use sqlx::PgPool;
use tokio::time::Instant;

use crate::error::{ApiError, Code, Result};

/// How long a count far below the limit is good.
const FAR: Duration = Duration::from_secs(10);
/// How long one past half of the limit is good.
const NEAR: Duration = Duration::from_secs(1);
/// How long one at the limit is good.
const AT: Duration = Duration::from_millis(100);
/// A count is good for so many times as long as it took.
const REST: u32 = 20;
/// How long a count may take before another one begins.
const COUNTING: Duration = Duration::from_secs(5);
/// Users whose counts are kept.
const USERS: usize = 10_000;

/// Whose jobs are counted; none: everybody's.
type Whose = Option<UserId>;

#[derive(Clone, Copy)]
struct Count {
    /// As counted.
    waiting: u64,
    /// Taken in by this process since.
    since: u64,
    at: Instant,
    took: Duration,
    /// Since when somebody counts anew. He may have gone away in the middle.
    counting: Option<Instant>,
}

/// The limits of what may wait.
pub struct Admission {
    pool: PgPool,
    per_user: u64,
    in_all: u64,
    counts: Mutex<HashMap<Whose, Count>>,
}

impl Admission {
    /// By the settings.
    #[must_use]
    pub fn new(pool: &PgPool, settings: &Settings) -> Self {
        let (per_user, in_all) = (settings.limits.waiting_per_user, settings.limits.waiting);
        Self { pool: pool.clone(), per_user, in_all, counts: Mutex::default() }
    }

    /// Takes room for so many more jobs of a user.
    ///
    /// # Errors
    /// 429 where too many of his wait, 503 where too many wait in all; both say when to try again.
    pub async fn enter(&self, user: UserId, jobs: u64) -> Result<()> {
        if !self.has_room(Some(user), self.per_user, jobs).await? {
            let limit = self.per_user;
            let detail =
                format!("{limit} jobs of one user wait already, which is the most (limits.waiting_per_user); try again when some are done");
            return Err(ApiError::new(Code::TooManyRequests, detail).limit("waiting", limit).retry_after(Duration::from_secs(1)));
        }
        if !self.has_room(None, self.in_all, jobs).await? {
            let detail = format!("{} jobs wait already, which is the most this service takes (limits.waiting)", self.in_all);
            return Err(ApiError::new(Code::Unavailable, detail).retry_after(Duration::from_secs(2)));
        }
        let mut counts = self.lock();
        for whose in [Some(user), None] {
            if let Some(count) = counts.get_mut(&whose) {
                count.since += jobs;
            }
        }
        Ok(())
    }

    async fn has_room(&self, whose: Whose, limit: u64, jobs: u64) -> Result<bool> {
        let known = self.lock().get(&whose).copied();
        if let Some(count) = known {
            let waiting = count.waiting + count.since;
            let fits = waiting.saturating_add(jobs) <= limit;
            let good_for = match (fits, waiting.saturating_mul(2) < limit) {
                (true, true) => FAR,
                (true, false) => NEAR,
                (false, _) => AT,
            };
            // One count at a time, and most of the time none: a long queue takes long to count.
            if count.counting.is_some_and(|since| since.elapsed() < COUNTING) || count.at.elapsed() < good_for.max(count.took * REST) {
                return Ok(fits);
            }
        }
        let before = known.unwrap_or(Count { waiting: 0, since: 0, at: Instant::now(), took: Duration::ZERO, counting: None });
        self.keep(whose, Count { counting: known.map(|_| Instant::now()), ..before });
        let began = Instant::now();
        let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let counted = admit::waiting(&self.pool, whose, most).await;
        let mut counts = self.lock();
        let Some(count) = counts.get_mut(&whose) else { return Ok(true) };
        count.counting = None;
        match counted {
            Ok(waiting) => {
                // What was taken in while it was counted may be in the count or not: once too often is safe.
                count.since = count.since.saturating_sub(before.since);
                count.waiting = u64::try_from(waiting).unwrap_or(0);
                count.at = Instant::now();
                count.took = began.elapsed();
                Ok(count.waiting.saturating_add(count.since).saturating_add(jobs) <= limit)
            }
            Err(error) => {
                if known.is_none() {
                    counts.remove(&whose);
                }
                Err(error.into())
            }
        }
    }

    fn keep(&self, whose: Whose, count: Count) {
        let mut counts = self.lock();
        if counts.len() >= USERS {
            counts.clear();
        }
        counts.insert(whose, count);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Whose, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
