//! The doorbell over RabbitMQ: a durable quorum queue a lane, the default exchange, no plugin.
//!
//! Messages are persistent, published as mandatory and confirmed; prefetch is the number of slots, and a message is acknowledged when
//! its slot is freed (docs/adr/0007-rabbitmq-as-it-is.md). Nothing is delayed, retried or counted here: that is the ledger's.

mod link;
mod listen;
mod message;
mod publish;
mod receipt;

use std::sync::Arc;

use async_trait::async_trait;
use lapin::uri::AMQPUri;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

pub use self::link::AmqpError;
use self::{listen::Ear, publish::Publisher};
use super::{Bell, Broker, BrokerError, Pulse};
use crate::{model::jobs::Lane, store::ledger::Ring};

/// Seconds between signs of life. A broker silent for twice as long is given up, and it gives up a process as silent as that.
const HEARTBEAT: u16 = 5;
/// In bytes. A bell has a few hundred, and lapin keeps room for 64 frames a connection; no version of RabbitMQ wants less.
const LARGEST_FRAME: u32 = 8192;

/// RabbitMQ as a broker.
pub struct RabbitMq {
    uri: AMQPUri,
    namespace: String,
    instance: String,
    publisher: Publisher,
}

fn queue(namespace: &str, lane: Lane) -> String {
    format!("{namespace}.lane.{lane}")
}

fn unavailable(error: AmqpError) -> BrokerError {
    BrokerError::Unavailable(Box::new(error))
}

/// The URL's path is the virtual host, percent-encoded; without one it is `/`, RabbitMQ's own. `heartbeat` (seconds) and `frame_max`
/// may be among the URL's parameters.
fn parse(url: &str) -> Option<AMQPUri> {
    let mut uri: AMQPUri = url.parse().ok()?;
    // An IPv6 address is none that lapin's parser knows: it would take `localhost` for it.
    if let Some(Host::Ipv6(address)) = Url::parse(url).ok()?.host() {
        uri.authority.host = address.to_string();
    }
    if uri.vhost.is_empty() {
        "/".clone_into(&mut uri.vhost);
    }
    // Without any heartbeat a broker that hangs would never be found out.
    uri.query.heartbeat = uri.query.heartbeat.filter(|&seconds| seconds > 0).or(Some(HEARTBEAT));
    uri.query.frame_max = uri.query.frame_max.or(Some(LARGEST_FRAME));
    Some(uri)
}

impl RabbitMq {
    /// Opens without connecting.
    ///
    /// # Errors
    /// [`BrokerError::BadUrl`].
    pub fn open(url: &str, namespace: &str, instance: &str) -> Result<Self, BrokerError> {
        let uri = parse(url).ok_or(BrokerError::BadUrl)?;
        let publisher = Publisher::new(uri.clone(), format!("{instance} rings"), namespace.to_owned());
        Ok(Self { uri, namespace: namespace.to_owned(), instance: instance.to_owned(), publisher })
    }
}

#[async_trait]
impl Broker for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    async fn ring(&self, rings: &[Ring]) -> Result<(), BrokerError> {
        if rings.is_empty() {
            return Ok(());
        }
        self.publisher.ring(rings).await.map_err(unavailable)
    }

    async fn depth(&self, lane: Lane) -> Result<u64, BrokerError> {
        self.publisher.depth(lane).await.map_err(unavailable)
    }

    async fn listen(&self, lane: Lane, slots: Arc<Semaphore>, bells: mpsc::Sender<Bell>, pulse: Arc<Pulse>, stop: CancellationToken) {
        let (uri, name) = (self.uri.clone(), format!("{} hears {lane}", self.instance));
        let ear = Ear { uri, name, lane, queue: queue(&self.namespace, lane), slots, bells, pulse };
        ear.listen(&stop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_with_its_defaults() {
        let uri = parse("amqp://someone:p%40ss@broker.example/a%2Fb").expect("it is one of RabbitMQ");
        assert_eq!(
            (uri.authority.userinfo.password.as_str(), uri.authority.host.as_str(), uri.authority.port),
            ("p@ss", "broker.example", 5672)
        );
        assert_eq!((uri.vhost.as_str(), uri.query.heartbeat, uri.query.frame_max), ("a/b", Some(HEARTBEAT), Some(LARGEST_FRAME)));
        for url in ["amqp://127.0.0.1", "amqp://127.0.0.1/", "amqp://127.0.0.1/%2f?heartbeat=0"] {
            let uri = parse(url).expect("it is one of RabbitMQ");
            assert_eq!(
                (uri.vhost.as_str(), uri.authority.host.as_str(), uri.query.heartbeat),
                ("/", "127.0.0.1", Some(HEARTBEAT)),
                "{url}"
            );
        }
        let uri = parse("amqps://[::1]:5671/x?heartbeat=20").expect("it is one of RabbitMQ");
        assert_eq!((uri.authority.host.as_str(), uri.authority.port, uri.query.heartbeat), ("::1", 5671, Some(20)));
        for url in ["amqp:nonsense", "amqp://host:port", "http://127.0.0.1"] {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
