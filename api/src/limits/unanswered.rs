//! How many questions of a user may be unanswered at a time: what is stored, what this process has let in since, and what is on its way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use datagenie_common::{ids::UserId, store::limits};
use sqlx::PgPool;

use crate::error::{ApiError, Code, Result};

/// How long a count is good while there is room.
const GOOD: Duration = Duration::from_secs(1);
/// How long one is good that leaves no room: somebody may have got his answer meanwhile.
const FULL: Duration = Duration::from_millis(100);
/// Users whose counts are known.
const KNOWN: usize = 10_000;

#[derive(Clone, Copy)]
struct Count {
    stored: u64,
    /// [`Asking::ever`] as it was before.
    ever: u64,
    at: Instant,
}

#[derive(Default)]
struct Asking {
    count: Option<Count>,
    /// Stored by this process since it knows the user.
    ever: u64,
    /// Not yet known to be stored.
    on_their_way: u64,
}

/// The counts of users with such a limit.
#[derive(Clone, Default)]
pub struct Unanswered {
    users: Arc<Mutex<HashMap<UserId, Asking>>>,
}

/// Room for one question, until it is stored or refused.
pub struct Room {
    unanswered: Unanswered,
    user: UserId,
    is_stored: bool,
}

impl Unanswered {
    /// Takes room for one more question of a user; none where there is no limit.
    ///
    /// # Errors
    /// 429 where as many are unanswered as may be.
    pub async fn enter(&self, pool: &PgPool, user: UserId, limit: u64) -> Result<Option<Room>> {
        if limit == 0 {
            return Ok(None);
        }
        if let Some(room) = self.try_enter(user, limit, GOOD) {
            return Ok(Some(room));
        }
        if self.is_older(user, FULL) {
            self.count(pool, user, limit).await?;
        }
        self.try_enter(user, limit, Duration::MAX).map(Some).ok_or_else(|| {
            let detail = format!(
                "{limit} of your questions are unanswered, which is the most (limits.concurrent_questions); ask when one is answered"
            );
            ApiError::new(Code::TooManyRequests, detail).limit("unanswered", limit).retry_after(Duration::from_secs(1))
        })
    }

    fn try_enter(&self, user: UserId, limit: u64, good: Duration) -> Option<Room> {
        let mut users = self.users();
        let asking = users.get_mut(&user)?;
        let count = asking.count.filter(|count| count.at.elapsed() < good)?;
        if count.stored + (asking.ever - count.ever) + asking.on_their_way >= limit {
            return None;
        }
        asking.on_their_way += 1;
        Some(Room { unanswered: self.clone(), user, is_stored: false })
    }

    fn is_older(&self, user: UserId, age: Duration) -> bool {
        self.users().get(&user).and_then(|asking| asking.count).is_none_or(|count| count.at.elapsed() >= age)
    }

    async fn count(&self, pool: &PgPool, user: UserId, limit: u64) -> Result<()> {
        let ever = {
            let mut users = self.users();
            if users.len() >= KNOWN {
                users.retain(|_, asking| asking.on_their_way > 0);
            }
            users.entry(user).or_default().ever
        };
        let at = Instant::now();
        let stored = limits::unanswered(pool, user, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        let mut users = self.users();
        let asking = users.entry(user).or_default();
        // What was stored while it was counted may be in the count or not: once too often is safe.
        if asking.count.is_none_or(|count| count.at <= at) {
            asking.count = Some(Count { stored: u64::try_from(stored).unwrap_or_default(), ever: ever.min(asking.ever), at });
        }
        Ok(())
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Asking>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// The question is stored: it counts until the next count finds it, or its answer.
    pub fn stored(mut self) {
        self.is_stored = true;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(asking) = self.unanswered.users().get_mut(&self.user) {
            asking.on_their_way = asking.on_their_way.saturating_sub(1);
            asking.ever += u64::from(self.is_stored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_takes_room_until_it_is_refused_or_stored() {
        let (unanswered, user) = (Unanswered::default(), UserId::new());
        let count = Some(Count { stored: 1, ever: 0, at: Instant::now() });
        unanswered.users().insert(user, Asking { count, ..Asking::default() });
        let enter = || unanswered.try_enter(user, 3, Duration::MAX);
        let (first, second) = (enter(), enter());
        assert!(enter().is_none(), "one is stored and two are on their way");
        drop(first);
        second.expect("there was room").stored();
        let third = enter();
        assert!(third.is_some() && enter().is_none(), "what is stored counts on");
    }
}
