//! The doorbell. A broker carries a job's id, kind and trace context, nothing else: a lost, doubled, late or reordered message
//! changes nothing but latency (invariant 1), because a worker claims the job in PostgreSQL before it does anything.
//!
//! Below apalis, so that one worker definition serves every broker: [`backend::LaneBackend`] is the one apalis backend, and the
//! broker behind it is chosen by the URL.

pub mod backend;
pub mod redis;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{ids::JobId, jobs::JobKind, model::jobs::Lane, store::ledger::Ring};

/// Why the broker did not do what was asked. Its URL is not part of it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The scheme is none that we speak.
    #[error("broker.url begins with `{0}://`: redis:// is known (amqp:// comes with the RabbitMQ broker)")]
    UnknownScheme(String),
    /// The URL can't be understood.
    #[error("broker.url is not a URL")]
    BadUrl,
    /// The broker did not take it. The sweep rings later.
    #[error("the broker does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which job.
    pub job_id: JobId,
    /// Of which kind.
    pub kind: JobKind,
    /// The trace that it continues.
    pub traceparent: Option<String>,
}

/// What a listener owes the broker for one message.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// The claim is decided: the message has done its work.
    async fn decided(&mut self);
    /// The listener stops before the claim: somebody else may hear it.
    async fn put_back(&mut self);
}

/// A bell heard: the message, what is owed for it, and the slot that it occupies until its job is done.
pub struct Bell {
    /// What it says.
    pub message: Message,
    /// What is owed for it.
    pub receipt: Box<dyn Receipt>,
    /// Freed with the bell.
    pub slot: OwnedSemaphorePermit,
}

/// A broker.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Its name, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Rings bells, pipelined; bounded in time, and tried once: what is not taken is rung by the sweep.
    async fn ring(&self, rings: &[Ring]) -> Result<(), BrokerError>;

    /// Messages in a lane that nobody has heard yet.
    async fn depth(&self, lane: Lane) -> Result<u64, BrokerError>;

    /// Hears a lane until `stop`: takes as many messages as there are slots, and reconnects by itself for ever.
    async fn listen(&self, lane: Lane, slots: Arc<Semaphore>, bells: mpsc::Sender<Bell>, stop: CancellationToken);
}

/// Opens the broker of a URL, without connecting: a broker that is away delays, it does not stop anybody from starting.
///
/// # Errors
/// [`BrokerError::UnknownScheme`] and [`BrokerError::BadUrl`].
pub fn open(url: &str, instance: &str) -> Result<Arc<dyn Broker>, BrokerError> {
    let (scheme, _) = url.split_once("://").ok_or(BrokerError::BadUrl)?;
    match scheme {
        "redis" | "rediss" | "redis+unix" | "unix" => Ok(Arc::new(redis::RedisStreams::open(url, instance)?)),
        other => Err(BrokerError::UnknownScheme(other.to_owned())),
    }
}

/// Rings after a commit, without keeping the caller: a failure is counted and left to the sweep.
pub async fn ring_or_leave(broker: &dyn Broker, rings: &[Ring]) {
    if rings.is_empty() {
        return;
    }
    let count = u64::try_from(rings.len()).unwrap_or(u64::MAX);
    match broker.ring(rings).await {
        Ok(()) => metrics::counter!("datagenie_rings_total", "outcome" => "rung").increment(count),
        Err(error) => {
            metrics::counter!("datagenie_rings_total", "outcome" => "left_to_sweep").increment(count);
            tracing::warn!(broker = broker.name(), rings = count, error = %error, "bells not rung; the sweep will");
        }
    }
}
