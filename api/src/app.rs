//! What every handler may touch.

use std::sync::Arc;

use datagenie_common::{
    broker::Broker, cache::Cache, clock::Clock, crypto::Keyring, dispatch::Dispatch, files::Files, live::Live, live_settings::LiveSettings,
    settings::Settings, settling::Settling, store::ledger::NewJob,
};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    access::{EndedSessions, KeysInUse, KeysSeen, SessionsInUse},
    admission::Admission,
    auth::throttle::Attempts,
    files::Uploads,
    intake::Intake,
    limits::Limits,
    live::Hub,
    trail::Trail,
};

/// The api's environment, shared by all requests.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// The name of this process.
    pub instance: String,
    /// All settings, as they were at the start.
    pub settings: Settings,
    /// Those that may change while the service runs, as they are now: `app.live_settings.get()`.
    pub live_settings: LiveSettings,
    /// The system database.
    pub pool: PgPool,
    /// The doorbell.
    pub broker: Arc<dyn Broker>,
    /// Lets the next jobs in.
    pub dispatch: Dispatch,
    /// Redis.
    pub cache: Cache,
    /// Results and pictures.
    pub files: Files,
    /// The uploads that are taken in now.
    pub uploads: Uploads,
    /// Seals connection configurations.
    pub keyring: Keyring,
    /// The clock.
    pub clock: Clock,
    /// Takes questions in.
    pub intake: Intake,
    /// What may wait.
    pub admission: Admission,
    /// What one user may use up.
    pub limits: Limits,
    /// Tells the fleet what happened here.
    pub live: Live,
    /// Keeps batches going.
    pub settling: Settling,
    /// Wakes those who wait here.
    pub hub: Hub,
    /// Sessions seen within the last second.
    pub sessions: SessionsInUse,
    /// API keys seen within the last second.
    pub keys: KeysInUse,
    /// Where API keys have been used.
    pub keys_seen: KeysSeen,
    /// Sessions that have ended, until Redis knows.
    pub ended: EndedSessions,
    /// Attempts at passwords, while Redis is away.
    pub attempts: Attempts,
    /// Audit lines of what is read.
    pub trail: Trail,
    /// Rendered at `/metrics`.
    pub metrics: PrometheusHandle,
    /// Cancelled when the process stops: waiting requests and sockets end.
    pub stopping: CancellationToken,
}

impl App {
    /// An app of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Lets a job have its turn that was inserted in a commit that is done: it is rung soon, as its owner's window has room.
    pub fn let_in(&self, job: &NewJob) {
        self.dispatch.let_in(job.flow());
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
