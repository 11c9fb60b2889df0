//! How many uploads are taken in at once: each has a connection, some memory and a file, for as long as its client takes to send it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::{ids::UserId, settings::FileStore};

use crate::error::{ApiError, Code, Result};

/// When to try again: an upload of the usual size takes about so long.
const AGAIN: Duration = Duration::from_secs(5);

/// The uploads of this process. Clones share one count.
#[derive(Clone)]
pub struct Uploads(Arc<Shared>);

struct Shared {
    most: usize,
    per_user: usize,
    under_way: Mutex<HashMap<UserId, usize>>,
}

impl Uploads {
    /// By the settings.
    #[must_use]
    pub fn new(settings: &FileStore) -> Self {
        Self(Arc::new(Shared { most: settings.uploads, per_user: settings.uploads_per_user, under_way: Mutex::default() }))
    }

    /// A place for an upload of this user, which is given back when it is dropped.
    ///
    /// # Errors
    /// 429 where too many of his are under way, 503 where too many are in all; both say when to try again.
    pub fn enter(&self, user: UserId) -> Result<Place> {
        let Shared { most, per_user, .. } = *self.0;
        let mut under_way = self.lock();
        let of_user = under_way.get(&user).copied().unwrap_or_default();
        if of_user >= per_user {
            let detail = format!("{per_user} uploads of yours are under way, which is the most at once (files.uploads_per_user)");
            let quota = u64::try_from(per_user).unwrap_or(u64::MAX);
            return Err(ApiError::new(Code::TooManyRequests, detail).limit("uploads", quota).retry_after(AGAIN));
        }
        if under_way.values().sum::<usize>() >= most {
            let detail = format!("{most} uploads are under way, which is the most that are taken in at once (files.uploads)");
            return Err(ApiError::new(Code::Unavailable, detail).retry_after(AGAIN));
        }
        under_way.insert(user, of_user + 1);
        drop(under_way);
        Ok(Place { of: self.clone(), user })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one upload.
pub struct Place {
    of: Uploads,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.of.lock();
        match under_way.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                under_way.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_for_one_and_for_all_and_come_back() {
        let uploads = Uploads(Arc::new(Shared { most: 3, per_user: 2, under_way: Mutex::default() }));
        let (alice, bob) = (UserId::new(), UserId::new());
        let first = uploads.enter(alice).expect("there is room");
        let _second = uploads.enter(alice).expect("there is room");
        assert_eq!(uploads.enter(alice).map(drop).map_err(|error| error.code), Err(Code::TooManyRequests));
        let _third = uploads.enter(bob).expect("others have room");
        assert_eq!(uploads.enter(bob).map(drop).map_err(|error| error.code), Err(Code::Unavailable));
        drop(first);
        let _again = uploads.enter(bob).expect("there is room again");
    }
}
