//! What every handler may touch.

use std::sync::Arc;

use datagenie_common::{
    broker::Broker, cache::Cache, clock::Clock, crypto::Keyring, dispatch::Dispatch, files::Files, live::Live, settings::Settings,
    store::ledger::NewJob,
};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    access::{KeysInUse, SessionsInUse},
    admission::Admission,
    intake::Intake,
    live::Hub,
};

/// The api's environment, shared by all requests.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// All settings.
    pub settings: Settings,
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
    /// Seals connection configurations.
    pub keyring: Keyring,
    /// The clock.
    pub clock: Clock,
    /// Takes questions in.
    pub intake: Intake,
    /// What may wait.
    pub admission: Admission,
    /// Tells the fleet what happened here.
    pub live: Live,
    /// Wakes those who wait here.
    pub hub: Hub,
    /// Sessions seen within the last second.
    pub sessions: SessionsInUse,
    /// API keys seen within the last second.
    pub keys: KeysInUse,
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
