//! How many questions of a user may be unanswered at a time: what is stored, what this process has let in since, and what is on its way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use datagenie_common::{
    ids::{ApiKeyId, UserId},
    store::limits,
};
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

/// A user, and where they are the questions that he asks by one of his keys, that.
type Whose = (UserId, Option<ApiKeyId>);

/// The counts of users and keys with such a limit.
#[derive(Clone, Default)]
pub struct Unanswered {
    users: Arc<Mutex<HashMap<Whose, Asking>>>,
}

/// Room for one question, until it is stored or refused. Who goes away in between leaves a question that may be stored: it counts until
/// the next count, unless it is said that there is none.
pub struct Room {
    unanswered: Unanswered,
    whose: Whose,
    is_free: bool,
}

impl Unanswered {
    /// Takes room for one more question of a user, or by a key; none where there is no limit.
    ///
    /// # Errors
    /// 429 where as many are unanswered as may be.
    pub async fn enter(&self, pool: &PgPool, whose: Whose, limit: u64) -> Result<Option<Room>> {
        if limit == 0 {
            return Ok(None);
        }
        if let Some(room) = self.try_enter(whose, limit, GOOD) {
            return Ok(Some(room));
        }
        if self.is_older(whose, FULL) {
            self.count(pool, whose, limit).await?;
        }
        self.try_enter(whose, limit, Duration::MAX).map(Some).ok_or_else(|| {
            let (name, which) =
                if whose.1.is_none() { ("unanswered", "of your questions") } else { ("key-unanswered", "questions by this API key") };
            let detail =
                format!("{limit} {which} are unanswered, which is the most (limits.concurrent_questions); ask when one is answered");
            ApiError::new(Code::TooManyRequests, detail).limit(name, limit).retry_after(Duration::from_secs(1))
        })
    }

    fn try_enter(&self, whose: Whose, limit: u64, good: Duration) -> Option<Room> {
        let mut users = self.users();
        let asking = users.get_mut(&whose)?;
        let count = asking.count.filter(|count| count.at.elapsed() < good)?;
        if count.stored + (asking.ever - count.ever) + asking.on_their_way >= limit {
            return None;
        }
        asking.on_their_way += 1;
        Some(Room { unanswered: self.clone(), whose, is_free: false })
    }

    fn is_older(&self, whose: Whose, age: Duration) -> bool {
        self.users().get(&whose).and_then(|asking| asking.count).is_none_or(|count| count.at.elapsed() >= age)
    }

    async fn count(&self, pool: &PgPool, whose: Whose, limit: u64) -> Result<()> {
        let ever = {
            let mut users = self.users();
            if users.len() >= KNOWN {
                users.retain(|_, asking| asking.on_their_way > 0);
            }
            users.entry(whose).or_default().ever
        };
        let at = Instant::now();
        let stored = limits::unanswered(pool, whose.0, whose.1, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        let mut users = self.users();
        let asking = users.entry(whose).or_default();
        // What was stored while it was counted may be in the count or not: once too often is safe.
        if asking.count.is_none_or(|count| count.at <= at) {
            asking.count = Some(Count { stored: u64::try_from(stored).unwrap_or_default(), ever: ever.min(asking.ever), at });
        }
        Ok(())
    }

    fn users(&self) -> MutexGuard<'_, HashMap<Whose, Asking>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// No question was stored: somebody else may have the room at once.
    pub fn free(mut self) {
        self.is_free = true;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(asking) = self.unanswered.users().get_mut(&self.whose) {
            asking.on_their_way = asking.on_their_way.saturating_sub(1);
            asking.ever += u64::from(!self.is_free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_takes_room_until_it_is_refused_or_stored() {
        let (unanswered, user) = (Unanswered::default(), (UserId::new(), None));
        let count = Some(Count { stored: 1, ever: 0, at: Instant::now() });
        unanswered.users().insert(user, Asking { count, ..Asking::default() });
        let enter = || unanswered.try_enter(user, 3, Duration::MAX);
        let (first, second) = (enter(), enter());
        assert!(enter().is_none(), "one is stored and two are on their way");
        first.expect("there was room").free();
        drop(second);
        let third = enter();
        assert!(third.is_some() && enter().is_none(), "what may be stored counts on");
    }
}
