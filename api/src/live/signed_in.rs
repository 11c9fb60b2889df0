//! Who of those with an open stream is still signed in: one look twice a second for all of them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use datagenie_common::{
    ids::{ApiKeyId, QuestionId, SessionId, UserId},
    model::users::Role,
    store::{StoreError, api_keys, sessions, shares},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hub::{Hub, PATIENCE};
use crate::access::{Caller, Via};

/// Between two looks: a stream must end within a second of its session.
const EVERY: Duration = Duration::from_millis(500);

/// What one signed in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Credential {
    Session(SessionId),
    /// With its version: one whose scopes or connections have changed is another one.
    Key(ApiKeyId, i64),
    /// That this question is shared with this user.
    Share(QuestionId, UserId),
}

/// A session or key in the role in which streams were opened with it. Shared by those streams.
pub(super) struct SignedIn {
    over: CancellationToken,
}

impl SignedIn {
    /// Waits until the session or key has ended, its user is not active any more, his role is another one, or the key may do less.
    pub(super) async fn ended(&self) {
        self.over.cancelled().await;
    }
}

/// The sessions and keys of open streams.
#[derive(Default)]
pub(super) struct SignedInWatch {
    held: Mutex<HashMap<(Credential, Role), Weak<SignedIn>>>,
    added: Notify,
}

impl SignedInWatch {
    /// Watches the caller's session or key for as long as what is returned is held.
    pub(super) fn watch(&self, caller: &Caller) -> Arc<SignedIn> {
        let credential = match &caller.via {
            Via::Session(id) => Credential::Session(*id),
            Via::ApiKey { id, version, .. } => Credential::Key(*id, *version),
        };
        self.watched_by(credential, caller.role)
    }

    /// Watches that a question is shared with the caller, likewise.
    pub(super) fn watch_share(&self, question: QuestionId, caller: &Caller) -> Arc<SignedIn> {
        self.watched_by(Credential::Share(question, caller.user_id), caller.role)
    }

    fn watched_by(&self, credential: Credential, role: Role) -> Arc<SignedIn> {
        let mut held = self.held();
        let entry = held.entry((credential, role)).or_default();
        if let Some(signed_in) = entry.upgrade() {
            return signed_in;
        }
        let signed_in = Arc::new(SignedIn { over: CancellationToken::new() });
        *entry = Arc::downgrade(&signed_in);
        drop(held);
        self.added.notify_one();
        signed_in
    }

    /// All that are watched, once there are any.
    async fn watched(&self) -> Vec<(Credential, Role)> {
        loop {
            let watched: Vec<_> = {
                let mut held = self.held();
                held.retain(|_, signed_in| signed_in.strong_count() > 0);
                held.keys().copied().collect()
            };
            if !watched.is_empty() {
                return watched;
            }
            self.added.notified().await;
        }
    }

    fn end(&self, ended: &(Credential, Role)) {
        let signed_in = self.held().remove(ended).and_then(|signed_in| signed_in.upgrade());
        if let Some(signed_in) = signed_in {
            signed_in.over.cancel();
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(Credential, Role), Weak<SignedIn>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks while a stream is open, until `stop`.
pub(super) async fn run(hub: Hub, stop: CancellationToken) {
    loop {
        let watched = tokio::select! {
            watched = hub.signed_in_watch().watched() => watched,
            () = stop.cancelled() => return,
        };
        look(&hub, &watched).await;
        tokio::select! {
            () = sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(hub: &Hub, watched: &[(Credential, Role)]) {
    // A database that is away is no reason to end a session.
    match timeout(PATIENCE, still_signed_in(hub, watched)).await {
        Ok(Ok(still)) => {
            for ended in watched.iter().filter(|one| !still.contains(*one)) {
                hub.signed_in_watch().end(ended);
            }
        }
        Ok(Err(error)) => tracing::warn!(error = %error, "no look at who is still signed in"),
        Err(_) => tracing::warn!("no look at who is still signed in: the database does not answer"),
    }
}

async fn still_signed_in(hub: &Hub, watched: &[(Credential, Role)]) -> Result<HashSet<(Credential, Role)>, StoreError> {
    let (mut sessions, mut keys, mut shared) = (Vec::<Uuid>::new(), Vec::<Uuid>::new(), Vec::<(Uuid, Uuid)>::new());
    for (credential, _) in watched {
        match credential {
            Credential::Session(id) => sessions.push(id.0),
            Credential::Key(id, _) => keys.push(id.0),
            Credential::Share(question, reader) => shared.push((question.0, reader.0)),
        }
    }
    let pool = hub.pool();
    let mut still = HashSet::new();
    still.extend(
        sessions::active_among(pool, &sessions, hub.lifetime()).await?.into_iter().map(|(id, role)| (Credential::Session(id), role)),
    );
    still.extend(api_keys::active_among(pool, &keys).await?.into_iter().map(|(id, version, role)| (Credential::Key(id, version), role)));
    let (questions, readers): (Vec<Uuid>, Vec<Uuid>) = shared.into_iter().unzip();
    let shared: HashSet<(Uuid, Uuid)> = shares::among(pool, &questions, &readers).await?.into_iter().collect();
    // The role is watched with the session or the key.
    let is_shared =
        |one: &&(Credential, Role)| matches!(one.0, Credential::Share(question, reader) if shared.contains(&(question.0, reader.0)));
    still.extend(watched.iter().filter(is_shared).copied());
    Ok(still)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn streams_of_one_session_share_a_watch_that_goes_with_the_last_of_them() {
        let watch = SignedInWatch::default();
        let session = SessionId::new();
        let caller = |role| Caller { user_id: UserId::new(), role, via: Via::Session(session), must_change_password: false };
        let (first, second) = (watch.watch(&caller(Role::User)), watch.watch(&caller(Role::User)));
        let promoted = watch.watch(&caller(Role::Admin));
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &promoted));
        assert_eq!(watch.watched().now_or_never().map(|watched| watched.len()), Some(2));
        watch.end(&(Credential::Session(session), Role::User));
        assert!(second.ended().now_or_never().is_some() && promoted.ended().now_or_never().is_none());
        drop(promoted);
        assert!(watch.watched().now_or_never().is_none(), "nobody is left to be watched");
    }
}
