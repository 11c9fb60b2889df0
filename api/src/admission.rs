//! Says no in time: when more jobs wait than the settings allow, of one user or in all, the next one is refused at once.
//!
//! Counting a long queue for every request would cost more than the request. A count is kept and what this process has let in since
//! is added, so that no number of requests at the same time gets past a limit here; it is counted anew ever sooner as the limit comes near, at the limit every tenth of a second, but never so often that counting
//! takes more than a twentieth of the time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

#[derive(Clone, Copy, Default)]
struct Count {
    /// As counted.
    waiting: u64,
    /// Taken in by this process, from its first count on: all that is known to be stored, or not.
    settled: u64,
    /// How many of these were settled when the count began: it has seen them.
    seen: u64,
    /// Let in, and not settled yet.
    open: u64,
    /// When it was counted; none: never.
    at: Option<Instant>,
    took: Duration,
    /// Since when somebody counts anew. He may have gone away in the middle.
    counting: Option<Instant>,
}

impl Count {
    /// What may wait now. What was settled while it was counted may be in the count or not: once too often is safe.
    fn waiting(&self) -> u64 {
        self.waiting.saturating_add(self.settled.saturating_sub(self.seen)).saturating_add(self.open)
    }

    fn fits(&self, jobs: u64, limit: u64) -> bool {
        self.waiting().saturating_add(jobs) <= limit
    }

    /// Whether it is to be counted anew before this is decided. One at a time, and most of the time none: a long queue takes long to count.
    fn is_old(&self, jobs: u64, limit: u64) -> bool {
        let Some(at) = self.at else { return true };
        let good_for = match (self.fits(jobs, limit), self.waiting().saturating_mul(2) < limit) {
            (true, true) => FAR,
            (true, false) => NEAR,
            (false, _) => AT,
        };
        self.counting.is_none_or(|since| since.elapsed() >= COUNTING) && at.elapsed() >= good_for.max(self.took * REST)
    }

    /// Takes up what was counted from `began` on, when so much was settled. An older count than the one that is known tells nothing new.
    fn counted(&mut self, waiting: u64, seen: u64, began: Instant) {
        self.counting = None;
        if seen >= self.seen {
            self.waiting = waiting;
            // Forgotten meanwhile and known again, it begins from nothing.
            self.seen = seen.min(self.settled);
            self.at = Some(Instant::now());
            self.took = began.elapsed();
        }
    }
}

type Counts = HashMap<Whose, Count>;

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The limits of what may wait.
pub struct Admission {
    pool: PgPool,
    per_user: u64,
    in_all: u64,
    counts: Arc<Mutex<Counts>>,
}

/// Room that was taken. It is dropped once its jobs are stored or are known not to be: until then no count can have seen them.
#[must_use]
pub struct Entered {
    counts: Arc<Mutex<Counts>>,
    user: UserId,
    jobs: u64,
    is_stored: bool,
}

impl Entered {
    /// Nothing was stored: somebody else may have the room at once.
    pub fn free(mut self) {
        self.is_stored = false;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        for whose in [Some(self.user), None] {
            // It may have been forgotten meanwhile.
            if let Some(count) = counts.get_mut(&whose) {
                count.open = count.open.saturating_sub(self.jobs);
                count.settled += if self.is_stored { self.jobs } else { 0 };
            }
        }
    }
}

impl Admission {
    /// By the settings.
    #[must_use]
    pub fn new(pool: &PgPool, settings: &Settings) -> Self {
        let (per_user, in_all) = (settings.limits.waiting_per_user, settings.limits.waiting);
        Self { pool: pool.clone(), per_user, in_all, counts: Arc::default() }
    }

    /// Takes room for so many more jobs of a user.
    ///
    /// # Errors
    /// 429 where too many of his wait, 503 where too many wait in all; both say when to try again.
    pub async fn enter(&self, user: UserId, jobs: u64) -> Result<Entered> {
        if !self.has_room(Some(user), self.per_user, jobs).await? {
            return Err(self.too_many_of_his());
        }
        if !self.has_room(None, self.in_all, jobs).await? {
            return Err(self.too_many_in_all());
        }
        self.take(user, jobs)
    }

    /// Decides at one moment: others may have taken the room since it was looked for.
    fn take(&self, user: UserId, jobs: u64) -> Result<Entered> {
        let mut counts = lock(&self.counts);
        let fits = |whose, limit| counts.get(&whose).is_none_or(|count| count.fits(jobs, limit));
        if !fits(Some(user), self.per_user) {
            return Err(self.too_many_of_his());
        }
        if !fits(None, self.in_all) {
            return Err(self.too_many_in_all());
        }
        for whose in [Some(user), None] {
            counts.entry(whose).or_default().open += jobs;
        }
        Ok(Entered { counts: self.counts.clone(), user, jobs, is_stored: true })
    }

    fn too_many_of_his(&self) -> ApiError {
        let limit = self.per_user;
        let detail =
            format!("{limit} jobs of one user wait already, which is the most (limits.waiting_per_user); try again when some are done");
        ApiError::new(Code::TooManyRequests, detail).limit("waiting", limit).retry_after(Duration::from_secs(1))
    }

    fn too_many_in_all(&self) -> ApiError {
        let detail = format!("{} jobs wait already, which is the most this service takes (limits.waiting)", self.in_all);
        ApiError::new(Code::Unavailable, detail).retry_after(Duration::from_secs(2))
    }

    /// Whether there is room, by a count that is good enough. Of those who come before anything is known each counts.
    async fn has_room(&self, whose: Whose, limit: u64, jobs: u64) -> Result<bool> {
        let seen = {
            let mut counts = lock(&self.counts);
            if let Some(count) = counts.get(&whose)
                && !count.is_old(jobs, limit)
            {
                return Ok(count.fits(jobs, limit));
            }
            if counts.len() >= USERS && !counts.contains_key(&whose) {
                counts.retain(|whose, count| whose.is_none() || count.open > 0);
            }
            let count = counts.entry(whose).or_default();
            count.counting = count.at.map(|_| Instant::now());
            count.settled
        };
        let began = Instant::now();
        let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let counted = admit::waiting(&self.pool, whose, most).await;
        let mut counts = lock(&self.counts);
        let count = counts.entry(whose).or_default();
        match counted {
            Ok(waiting) => {
                count.counted(u64::try_from(waiting).unwrap_or(0), seen, began);
                Ok(count.fits(jobs, limit))
            }
            Err(error) => {
                count.counting = None;
                Err(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::*;

    /// That has counted so many of everybody's, and none of anybody's own.
    fn admission(user: UserId, per_user: u64, in_all: u64, waiting: u64) -> Admission {
        let pool = PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new_without_pgpass());
        // Counted in an hour: good for as long as a test takes.
        let counted = |waiting| Count { waiting, at: Some(Instant::now() + Duration::from_secs(3_600)), ..Count::default() };
        let counts = HashMap::from([(Some(user), counted(0)), (None, counted(waiting))]);
        Admission { pool, per_user, in_all, counts: Arc::new(Mutex::new(counts)) }
    }

    #[tokio::test]
    async fn what_is_let_in_at_the_same_time_never_exceeds_a_limit() {
        let user = UserId::new();
        let admission = admission(user, 3, 10, 8);
        // All of them have looked before one of them decides.
        for _ in 0..5 {
            assert!(admission.has_room(Some(user), 3, 1).await.is_ok_and(|fits| fits));
            assert!(admission.has_room(None, 10, 1).await.is_ok_and(|fits| fits));
        }
        let let_in: Vec<Entered> = (0..5).filter_map(|_| admission.take(user, 1).ok()).collect();
        assert_eq!(let_in.len(), 2, "there is room for two in all");
        let first = let_in.into_iter().next().expect("there are two");
        first.free();
        assert!(admission.take(user, 1).is_ok(), "what is freed is had by the next");
    }

    #[test]
    fn a_count_has_not_seen_what_was_not_stored_when_it_began() {
        let began = Instant::now();
        // Three were let in: one is stored, and two are on their way.
        let mut count = Count { settled: 1, open: 2, at: Some(began), ..Count::default() };
        count.counted(1, 1, began);
        assert_eq!(count.waiting(), 3);
        // One of them is stored while it is counted again, too late for the count.
        let seen = count.settled;
        (count.settled, count.open) = (2, 1);
        count.counted(1, seen, began);
        assert_eq!(count.waiting(), 3);
        // An older count, which has taken longer, is worth nothing.
        count.counted(2, 2, began);
        count.counted(0, 1, began);
        assert_eq!(count.waiting(), 3);
    }
}
