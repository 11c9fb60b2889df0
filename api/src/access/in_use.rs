//! Sessions and API keys that were looked up within the last second: a program that sends many requests costs one look a second.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use datagenie_common::{
    cache::CacheKey,
    ids::{ApiKeyId, SessionId},
    store::{
        api_keys::{self, ActiveKey},
        sessions::{self, Session},
    },
};
use serde::{Deserialize, Serialize};

use crate::{app::App, auth::lifetime, error::Result};

/// Sessions seen by this process, each trusted no longer than as cached: a program that sends many requests looks none of them up
/// in Redis. Bounded.
#[derive(Default)]
pub struct SessionsInUse {
    held: Mutex<HashMap<SessionId, CachedSession>>,
}

const SESSIONS_HELD: usize = 10_000;

impl SessionsInUse {
    fn get(&self, id: SessionId) -> Option<CachedSession> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn keep(&self, id: SessionId, session: &CachedSession) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= SESSIONS_HELD {
            held.clear();
        }
        held.insert(id, session.clone());
    }

    /// Forgets a session that was ended here.
    pub fn forget(&self, id: SessionId) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// A session as cached: trusted for a second, then looked up again, so that a revocation holds everywhere within that.
#[derive(Clone, Serialize, Deserialize)]
struct CachedSession {
    session: Session,
    verified_at: DateTime<Utc>,
}

const TRUSTED: Duration = Duration::from_secs(1);

pub(super) async fn find_session(app: &App, id: SessionId, hash: &str) -> Result<Option<Session>> {
    let key = CacheKey::Session { session: id };
    let now = app.clock.now();
    let holds =
        |cached: &CachedSession| (now - cached.verified_at).to_std().is_ok_and(|age| age < TRUSTED) && cached.session.expires_at > now;
    if let Some(cached) = app.sessions.get(id).filter(holds) {
        return Ok(Some(cached.session));
    }
    if let Some(cached) = app.cache.get_json::<CachedSession>(&key).await.filter(holds) {
        app.sessions.keep(id, &cached);
        return Ok(Some(cached.session));
    }
    match sessions::find(&app.pool, id, hash, lifetime(app)).await? {
        Some(session) => {
            let cached = CachedSession { session, verified_at: now };
            app.cache.set_json(&key, &cached).await;
            app.sessions.keep(id, &cached);
            Ok(Some(cached.session))
        }
        None => {
            app.sessions.forget(id);
            app.cache.delete(&key).await;
            Ok(None)
        }
    }
}

/// API keys that were looked up within the last second: programs send many requests with one key. Bounded.
#[derive(Default)]
pub struct KeysInUse {
    held: Mutex<HashMap<String, (Instant, ActiveKey)>>,
}

const KEYS_HELD: usize = 10_000;

impl KeysInUse {
    pub(super) async fn find(&self, app: &App, prefix: &str, hash: &str) -> Result<Option<ActiveKey>> {
        if let Some((looked, key)) = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(prefix)
            && looked.elapsed() < TRUSTED
        {
            return Ok(Some(key.clone()));
        }
        // From before the look: a revocation that comes in between holds within a second of itself.
        let looked = Instant::now();
        let found = api_keys::find_active(&app.pool, prefix, hash).await?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KEYS_HELD {
            held.clear();
        }
        match &found {
            Some(key) => held.insert(prefix.to_owned(), (looked, key.clone())),
            None => held.remove(prefix),
        };
        Ok(found)
    }

    /// Forgets a key that was revoked here.
    pub fn forget(&self, id: ApiKeyId) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (_, key)| key.id != id);
    }
}
