//! Limits that are stored of users and keys, as they were within the last second: a program that sends many requests costs one look a
//! second, and nobody waits for one who looks again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use datagenie_common::{
    ids::{ApiKeyId, UserId},
    store::limits::{self, StoredLimits},
};
use sqlx::PgPool;
use tokio::time::timeout;

/// How long what was read is good.
const GOOD: Duration = Duration::from_secs(1);
/// A look that takes longer is given up: what was read before holds, or what the settings say.
const PATIENCE: Duration = Duration::from_secs(2);
/// Users and keys that are known.
const KNOWN: usize = 10_000;

type Who = (UserId, Option<ApiKeyId>);

struct Known {
    limits: StoredLimits,
    at: Instant,
    /// Since when somebody looks again. He may have gone away in the middle.
    looking: Option<Instant>,
}

/// What is stored, as far as it was asked for.
#[derive(Default)]
pub struct Stored {
    known: Mutex<HashMap<Who, Known>>,
}

impl Stored {
    /// Of a user and the key that he comes by. A database that does not answer is no reason to refuse anybody.
    pub async fn of(&self, pool: &PgPool, user: UserId, key: Option<ApiKeyId>) -> StoredLimits {
        let who = (user, key);
        if let Some(known) = self.known().get_mut(&who) {
            let is_looked_for = known.looking.is_some_and(|since| since.elapsed() < PATIENCE);
            if known.at.elapsed() < GOOD || is_looked_for {
                return known.limits;
            }
            known.looking = Some(Instant::now());
        }
        let found = timeout(PATIENCE, limits::find(pool, user, key)).await;
        let mut known = self.known();
        let limits = match found {
            Ok(Ok(limits)) => limits.unwrap_or_default(),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("what is stored of a user's limits can't be read; what held before holds on");
                known.get(&who).map(|known| known.limits).unwrap_or_default()
            }
        };
        if known.len() >= KNOWN && !known.contains_key(&who) {
            known.clear();
        }
        known.insert(who, Known { limits, at: Instant::now(), looking: None });
        limits
    }

    /// Forgets what is known of a user, whose limits were changed here.
    pub fn forget(&self, user: UserId) {
        self.known().retain(|who, _| who.0 != user);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Who, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
