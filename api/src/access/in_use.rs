//! Sessions and API keys that were looked up within the last second: a program that sends many requests costs one look a second.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use datagenie_common::{
    cache::CacheKey,
    crypto::{Keyring, tokens::same_hash},
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CachedSession {
    session: Session,
    verified_at: DateTime<Utc>,
}

const TRUSTED: Duration = Duration::from_secs(1);

/// As it lies in Redis: authenticated by the sealing key. Whoever can write there could otherwise make himself anybody's session.
#[derive(Serialize, Deserialize)]
struct SignedSession {
    #[serde(flatten)]
    cached: CachedSession,
    mac: String,
}

impl SignedSession {
    fn of(keyring: &Keyring, cached: &CachedSession) -> Option<Self> {
        let mac = macs(keyring, cached).into_iter().next()?;
        Some(Self { cached: cached.clone(), mac })
    }

    /// The session, if one of us has written it, of this id.
    fn opened(self, keyring: &Keyring, id: SessionId) -> Option<CachedSession> {
        let is_ours = macs(keyring, &self.cached).iter().any(|mac| same_hash(mac, &self.mac));
        (is_ours && self.cached.session.id == id).then_some(self.cached)
    }
}

fn macs(keyring: &Keyring, cached: &CachedSession) -> Vec<String> {
    // Nothing else that is authenticated begins so.
    let mut text = b"cached session ".to_vec();
    match serde_json::to_writer(&mut text, cached) {
        Ok(()) => keyring.macs(&text).iter().map(|mac| mac.iter().map(|byte| format!("{byte:02x}")).collect()).collect(),
        Err(_) => Vec::new(),
    }
}

pub(super) async fn find_session(app: &App, id: SessionId, hash: &str) -> Result<Option<Session>> {
    let key = CacheKey::Session { session: id };
    let now = app.clock.now();
    let holds =
        |cached: &CachedSession| (now - cached.verified_at).to_std().is_ok_and(|age| age < TRUSTED) && cached.session.expires_at > now;
    if let Some(cached) = app.sessions.get(id).filter(holds) {
        return Ok(Some(cached.session));
    }
    let entry = app.cache.get_json::<SignedSession>(&key).await;
    if let Some(cached) = entry.and_then(|entry| entry.opened(&app.keyring, id)).filter(holds) {
        app.sessions.keep(id, &cached);
        return Ok(Some(cached.session));
    }
    match sessions::find(&app.pool, id, hash, lifetime(app)).await? {
        Some(session) => {
            let cached = CachedSession { session, verified_at: now };
            if let Some(entry) = SignedSession::of(&app.keyring, &cached) {
                let rest = (cached.session.expires_at - now).to_std().unwrap_or_default();
                app.cache.set_json_within(&key, &entry, rest).await;
            }
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

#[cfg(test)]
mod tests {
    use datagenie_common::{crypto::sealing, ids::UserId, model::users::Role};

    use super::*;

    fn keyring() -> Keyring {
        Keyring::from_setting(&sealing::generate_key()).expect("a key")
    }

    #[test]
    fn only_what_one_of_us_has_written_is_believed() {
        let (ours, other) = (keyring(), keyring());
        let id = SessionId::new();
        let now = DateTime::from_timestamp(1_790_000_000, 123_456_789).expect("a time");
        let session = Session {
            id,
            user_id: UserId::new(),
            role: Role::User,
            token_hash: "ab".to_owned(),
            expires_at: now,
            must_change_password: false,
        };
        let cached = CachedSession { session, verified_at: now };
        let written = |keyring| serde_json::to_value(SignedSession::of(keyring, &cached).expect("it is signed")).expect("it is JSON");
        let opened =
            |entry: serde_json::Value, id| serde_json::from_value::<SignedSession>(entry).ok().and_then(|entry| entry.opened(&ours, id));
        assert_eq!(opened(written(&ours), id), Some(cached.clone()));
        assert_eq!(opened(written(&ours), SessionId::new()), None, "the entry of another session");
        assert_eq!(opened(written(&other), id), None, "somebody else's key");
        for (field, value) in [("role", serde_json::json!("admin")), ("token_hash", "cd".into()), ("must_change_password", true.into())] {
            let mut forged = written(&ours);
            forged["session"][field] = value;
            assert_eq!(opened(forged, id), None, "{field}");
        }
        let mut later = written(&ours);
        later["verified_at"] = serde_json::json!(now + chrono::TimeDelta::seconds(9));
        assert_eq!(opened(later, id), None, "it is not trusted for longer");
    }
}
