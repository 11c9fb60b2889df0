//! Who reads what in this process: events are handed to those whose they are, and an end wakes those who wait for it.
//!
//! Nothing here is polled by a reader. One task tails the durable events of all ([`super::tail`]), one looks for ends that nobody told
//! of ([`super::looks`]), one checks who is still signed in ([`super::signed_in`]), and one listens to Redis ([`super::listen`]).

use std::{
    collections::{HashMap, HashSet},
    future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::{
    cache::Cache,
    events::Point,
    ids::{QuestionId, UserId},
    lifecycle,
    live_settings::LiveSettings,
    store::sessions::Lifetime,
};
use sqlx::PgPool;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    inbox::{Inbox, Signal, Told},
    listen, looks,
    registry::{Awaited, Place, Registry, Watch, Whose},
    signed_in::{self, SignedIn, SignedInWatch},
    tail,
    wait::LOOK,
};
use crate::{access::Caller, auth::lifetime_by};

/// A look at the database that takes longer is given up, and repeated.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Of more users than this everybody's events are read: naming them would cost more than passing some over.
const NAMED: usize = 500;

/// Hands live messages on. Clones share one state.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    settings: LiveSettings,
    registry: Mutex<Registry>,
    /// There may be a durable event, or somebody wants to join.
    tail: Notify,
    /// Somebody waits for an end.
    awaited: Notify,
    signed_in: SignedInWatch,
}

impl Hub {
    /// Starts listening, until `stop`.
    #[must_use]
    pub fn start(cache: &Cache, pool: &PgPool, settings: &LiveSettings, stop: &CancellationToken) -> Self {
        let shared = Shared {
            pool: pool.clone(),
            settings: settings.clone(),
            registry: Mutex::default(),
            tail: Notify::new(),
            awaited: Notify::new(),
            signed_in: SignedInWatch::default(),
        };
        let hub = Self { shared: Arc::new(shared) };
        lifecycle::spawn("live.listen", listen::run(hub.clone(), cache.clone(), stop.clone()));
        lifecycle::spawn("live.tail", tail::run(hub.clone(), stop.clone()));
        lifecycle::spawn("live.look", looks::run(hub.clone(), stop.clone()));
        lifecycle::spawn("live.signed_in", signed_in::run(hub.clone(), stop.clone()));
        hub
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.shared.pool
    }

    /// How long sessions last by the settings of now.
    pub(super) fn lifetime(&self) -> Lifetime {
        lifetime_by(&self.shared.settings)
    }

    pub(super) fn signed_in_watch(&self) -> &SignedInWatch {
        &self.shared.signed_in
    }

    /// Watches the session or key of one who opens a stream.
    pub(super) fn signed_in(&self, caller: &Caller) -> Arc<SignedIn> {
        self.shared.signed_in.watch(caller)
    }

    /// Waits until the session or key of a caller has ended, or may do less: for one whose request is held.
    pub async fn until_signed_out(&self, caller: &Caller) {
        self.signed_in(caller).ended().await;
    }

    /// Watches that a question is shared with one who opens a stream of it.
    pub(super) fn shared_with(&self, question: QuestionId, caller: &Caller) -> Arc<SignedIn> {
        self.shared.signed_in.watch_share(question, caller)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.shared.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Progress from now on, and durable events from the point that is told by [`Signal::Joined`].
    pub(super) fn subscribe(&self, whose: Whose) -> Subscription {
        let inbox = Arc::new(Inbox::default());
        let mut registry = self.registry();
        let id = registry.next_id();
        match whose {
            Whose::Everybody => registry.everybody.insert(id, Arc::clone(&inbox)),
            Whose::User(user) => registry.users.entry(user).or_default().insert(id, Arc::clone(&inbox)),
        };
        registry.joining.insert(id, Arc::clone(&inbox));
        drop(registry);
        self.shared.tail.notify_one();
        Subscription { hub: self.clone(), id, place: Place::Events(whose), inbox }
    }

    /// [`Signal::Look`] whenever this resource may have ended, and its progress if that is asked for. What is awaited is also looked for
    /// each second; without it, that is left to the caller.
    pub(super) fn watch(&self, subject: &str, awaited: Option<Awaited>, progress: bool) -> Subscription {
        let inbox = Arc::new(Inbox::default());
        let subject: Arc<str> = Arc::from(subject);
        let mut registry = self.registry();
        let id = registry.next_id();
        let watch = Watch { inbox: Arc::clone(&inbox), awaited, progress };
        registry.subjects.entry(Arc::clone(&subject)).or_default().insert(id, watch);
        drop(registry);
        if awaited.is_some() {
            self.shared.awaited.notify_one();
        }
        Subscription { hub: self.clone(), id, place: Place::Subject(subject), inbox }
    }

    /// Whether nobody would hear anything.
    pub(super) fn is_idle(&self) -> bool {
        let registry = self.registry();
        !registry.has_listeners() && registry.subjects.is_empty()
    }

    /// Whether somebody reads durable events.
    pub(super) fn has_listeners(&self) -> bool {
        self.registry().has_listeners()
    }

    /// Waits until there may be a durable event, or somebody wants to join.
    pub(super) async fn woken(&self) {
        self.shared.tail.notified().await;
    }

    /// There may be durable events, whoever's.
    pub(super) fn wake_tail(&self) {
        self.shared.tail.notify_one();
    }

    /// Lets those in who wait to join, at this point; the users whose durable events are read (none: everybody's).
    pub(super) fn let_join(&self, at: Point) -> Option<Vec<Uuid>> {
        let mut registry = self.registry();
        for inbox in std::mem::take(&mut registry.joining).into_values() {
            inbox.join(at);
        }
        let few = registry.everybody.is_empty() && registry.users.len() <= NAMED;
        few.then(|| registry.users.keys().map(|id| id.0).collect())
    }

    /// Hands durable events to those whose they are.
    pub(super) fn tell_durable(&self, events: Vec<(UserId, Told)>) {
        let registry = self.registry();
        for (user, told) in events {
            registry.tell(user, &Arc::new(told));
        }
    }

    /// Whether somebody reads this user's events, or this resource's progress.
    pub(super) fn wants_progress(&self, user: UserId, subject: &str) -> bool {
        let registry = self.registry();
        registry.wants(user) || registry.subjects.get(subject).is_some_and(|watches| watches.values().any(|watch| watch.progress))
    }

    /// Hands progress to those whose it is, and to those who watch its resource.
    pub(super) fn tell_progress(&self, user: UserId, subject: &str, told: Told) {
        let told = Arc::new(told);
        let registry = self.registry();
        registry.tell(user, &told);
        for watch in registry.subjects.get(subject).into_iter().flat_map(HashMap::values) {
            if watch.progress {
                watch.inbox.tell(&told);
            }
        }
    }

    /// A durable event of this user's about this resource was written.
    pub(super) fn ended(&self, user: UserId, subject: &str) {
        let registry = self.registry();
        for watch in registry.subjects.get(subject).into_iter().flat_map(HashMap::values) {
            watch.inbox.look();
        }
        let read = registry.wants(user);
        drop(registry);
        if read {
            self.wake_tail();
        }
    }

    /// The questions and jobs whose ends are waited for, once there are any.
    pub(super) async fn awaited(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        loop {
            let (mut questions, mut jobs) = (HashSet::new(), HashSet::new());
            for watch in self.registry().subjects.values().flat_map(HashMap::values) {
                match watch.awaited {
                    Some(Awaited::Question(id)) => questions.insert(id.0),
                    Some(Awaited::Job(id)) => jobs.insert(id.0),
                    None => continue,
                };
            }
            if !questions.is_empty() || !jobs.is_empty() {
                return (questions.into_iter().collect(), jobs.into_iter().collect());
            }
            self.shared.awaited.notified().await;
        }
    }

    /// Wakes those who wait for one of these.
    pub(super) fn wake(&self, ended: &HashSet<Uuid>) {
        for watch in self.registry().subjects.values().flat_map(HashMap::values) {
            if watch.awaited.is_some_and(|awaited| ended.contains(&awaited.id())) {
                watch.inbox.look();
            }
        }
    }
}

/// A reader's place in the hub; dropping it gives it up.
pub(super) struct Subscription {
    hub: Hub,
    id: u64,
    place: Place,
    inbox: Arc<Inbox>,
}

impl Subscription {
    /// The next signal. Nothing is lost when the wait is given up.
    pub(super) async fn next(&self) -> Signal {
        self.inbox.next().await
    }

    /// The next signal, if there is one.
    pub(super) fn take(&self) -> Option<Signal> {
        self.inbox.take()
    }

    /// When to look at the database again after a look that failed: in a second or two, each reader at a time of its own.
    pub(super) fn next_look(&self) -> Instant {
        // Neighbouring ids come far apart.
        Instant::now() + LOOK + Duration::from_millis(self.id.wrapping_mul(619) % 1_000)
    }

    /// Asks for durable events again after [`Signal::Lost`].
    pub(super) fn join_again(&self) {
        self.hub.registry().joining.insert(self.id, Arc::clone(&self.inbox));
        self.hub.wake_tail();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.registry().remove(self.id, &self.place);
    }
}

/// Waits until then; none: for ever.
pub(super) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}
