//! The doorbell. A broker carries a job's id, kind and trace context, nothing else: a lost, doubled, late or reordered message
//! changes nothing but latency (invariant 1), because a worker claims the job in PostgreSQL before it does anything.
//!
//! Below apalis, so that one worker definition serves every broker: [`backend::LaneBackend`] is the one apalis backend, and the
//! broker behind it is chosen by the URL.

pub mod backend;
mod pulse;
pub mod rabbitmq;
pub mod redis;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub use self::pulse::Pulse;
use crate::{ids::JobId, jobs::JobKind, model::jobs::Lane, store::ledger::Ring};

/// The longest namespace, in bytes: with a lane's name behind it, it must fit into the 255 bytes of a queue's name.
const LONGEST_NAMESPACE: usize = 100;

/// Why the broker did not do what was asked. Its URL is not part of it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The scheme is none that we speak.
    #[error("broker.url begins with `{0}://`: redis://, rediss://, redis+unix://, amqp:// and amqps:// are known")]
    UnknownScheme(String),
    /// The URL can't be understood.
    #[error("broker.url is not a URL")]
    BadUrl,
    /// The namespace can't be part of the names of streams and queues.
    #[error(
        "broker.namespace must be 1 to 100 letters, digits, `-`, `_` and `.`, and not begin with `amq`, which RabbitMQ keeps for itself"
    )]
    BadNamespace,
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

/// What a listener owes the broker for one message: [`decided`](Self::decided) and then [`freed`](Self::freed), also where there was
/// nothing to claim, or [`put_back`](Self::put_back). None of them fails or takes longer than a second, and none does anything twice.
/// A message of which neither came is heard again: at the latest when its listener's connection is gone (RabbitMQ), or (Redis) when its
/// listener has left in order, else 10 s after it was read and as soon as a listener with a free slot looks, which each does every 3
/// to 5 s.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// The claim is decided: the message has done its work. Redis forgets it here.
    async fn decided(&mut self);
    /// The slot is about to be freed, last of all. RabbitMQ forgets the message here, and sends the next one.
    async fn freed(&mut self);
    /// The listener stops before the claim: somebody else may hear it.
    async fn put_back(&mut self);
}

/// A bell heard: the message, what is owed for it, and the slot that it occupies until its job is done. The slot is freed after the
/// receipt is gone: whoever takes a bell apart should keep that order.
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

    /// Hears a lane until `stop`, or until nobody takes bells any more: takes as many messages as there are slots, and reconnects by
    /// itself for ever. `pulse` beats while it works.
    async fn listen(&self, lane: Lane, slots: Arc<Semaphore>, bells: mpsc::Sender<Bell>, pulse: Arc<Pulse>, stop: CancellationToken);
}

/// Opens the broker of a URL, without connecting: a broker that is away delays, it does not stop anybody from starting. `namespace`
/// begins the names of its streams or queues; `instance` is this process' name.
///
/// # Errors
/// [`BrokerError::UnknownScheme`], [`BrokerError::BadUrl`] and [`BrokerError::BadNamespace`].
pub fn open(url: &str, namespace: &str, instance: &str) -> Result<Arc<dyn Broker>, BrokerError> {
    let (scheme, _) = url.split_once("://").ok_or(BrokerError::BadUrl)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if namespace.is_empty() || namespace.len() > LONGEST_NAMESPACE || namespace.starts_with("amq") || !namespace.bytes().all(plain) {
        return Err(BrokerError::BadNamespace);
    }
    match scheme {
        "redis" | "rediss" | "redis+unix" | "unix" => Ok(Arc::new(redis::RedisStreams::open(url, namespace, instance)?)),
        "amqp" | "amqps" => Ok(Arc::new(rabbitmq::RabbitMq::open(url, namespace, instance)?)),
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
