//! What every handler may touch.

use std::sync::Arc;

use datagenie_common::{
    broker::Broker, cache::Cache, clock::Clock, crypto::Keyring, files::Files, live::Live, settings::Settings, store::ledger::Ring,
};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{access::KeysInUse, intake::Intake, live::Hub};

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
    /// Bells to ring once their commit is done.
    pub bells: mpsc::Sender<Vec<Ring>>,
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
    /// Tells the fleet what happened here.
    pub live: Live,
    /// Wakes those who wait here.
    pub hub: Hub,
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

    /// Rings after a commit, without waiting: what can't be taken is left to the sweep.
    pub fn ring(&self, rings: Vec<Ring>) {
        if self.bells.try_send(rings).is_err() {
            metrics::counter!("datagenie_rings_total", "outcome" => "left_to_sweep").increment(1);
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
