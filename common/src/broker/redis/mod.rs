//! The doorbell over Redis Streams: one stream a lane, one consumer group, a consumer a process.
//!
//! A message is acknowledged and deleted as soon as its claim is decided, so a stream holds only what nobody has heard yet, and
//! the pending list only the few messages between read and claim. Nothing is delayed, retried or counted here: that is the ledger's.

mod listen;
mod receipt;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{
    sync::{OnceCell, Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    listen::Ear,
    receipt::{Acknowledger, Held},
};
use super::{Bell, Broker, BrokerError, Pulse};
use crate::{model::jobs::Lane, store::ledger::Ring};

const GROUP: &str = "workers";
/// How long a ring may take before it is left to the sweep.
const RING_TIMEOUT: Duration = Duration::from_millis(1000);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Redis as a broker.
pub struct RedisStreams {
    connections: Arc<Connections>,
    namespace: String,
    consumer: String,
}

/// The ways to the server.
struct Connections {
    client: Client,
    // For everything but blocking reads, which have connections of their own.
    shared: OnceCell<ConnectionManager>,
}

impl Connections {
    async fn shared(&self) -> Result<ConnectionManager, RedisError> {
        let connect = || async {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(RING_TIMEOUT))
                .set_response_timeout(Some(RING_TIMEOUT))
                .set_number_of_retries(1);
            self.client.get_connection_manager_with_config(config).await
        };
        self.shared.get_or_try_init(connect).await.cloned()
    }
}

fn unavailable(error: RedisError) -> BrokerError {
    BrokerError::Unavailable(Box::new(error))
}

impl RedisStreams {
    /// Opens without connecting.
    ///
    /// # Errors
    /// [`BrokerError::BadUrl`].
    pub fn open(url: &str, namespace: &str, instance: &str) -> Result<Self, BrokerError> {
        let client = Client::open(url).map_err(|_| BrokerError::BadUrl)?;
        // Named anew at each boot: a consumer of the same name would inherit the pending messages of its dead predecessor.
        let consumer = format!("{instance}-{}", uuid::Uuid::new_v4().simple());
        Ok(Self { connections: Arc::new(Connections { client, shared: OnceCell::new() }), namespace: namespace.to_owned(), consumer })
    }

    fn stream(&self, lane: Lane) -> String {
        format!("{}:lane:{lane}", self.namespace)
    }

    async fn connection(&self) -> Result<ConnectionManager, BrokerError> {
        self.connections.shared().await.map_err(unavailable)
    }

    async fn bounded<T>(&self, call: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
        timeout(RING_TIMEOUT, call).await.unwrap_or_else(|elapsed| Err(BrokerError::Unavailable(Box::new(elapsed))))
    }
}

#[async_trait]
impl Broker for RedisStreams {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn ring(&self, rings: &[Ring]) -> Result<(), BrokerError> {
        let mut pipe = redis::pipe();
        for ring in rings {
            let command = pipe.cmd("XADD").arg(self.stream(ring.lane)).arg("*").arg("j").arg(ring.job_id.to_string());
            command.arg("k").arg(ring.kind.as_str());
            if let Some(traceparent) = &ring.traceparent {
                command.arg("t").arg(traceparent);
            }
            command.ignore();
        }
        self.bounded(async {
            let mut connection = self.connection().await?;
            pipe.query_async::<()>(&mut connection).await.map_err(unavailable)
        })
        .await
    }

    async fn depth(&self, lane: Lane) -> Result<u64, BrokerError> {
        self.bounded(async {
            let mut connection = self.connection().await?;
            redis::cmd("XLEN").arg(self.stream(lane)).query_async(&mut connection).await.map_err(unavailable)
        })
        .await
    }

    async fn listen(&self, lane: Lane, slots: Arc<Semaphore>, bells: mpsc::Sender<Bell>, pulse: Arc<Pulse>, stop: CancellationToken) {
        let stream = self.stream(lane);
        let acknowledger = Acknowledger::start(self.connections.clone(), stream.clone());
        let (connections, consumer) = (self.connections.clone(), self.consumer.clone());
        let ear = Ear { connections, consumer, stream, slots, bells, pulse, acknowledger, held: Held::default() };
        let hear = async {
            let mut backoff = Duration::from_millis(50);
            loop {
                let began = Instant::now();
                match ear.hear().await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(lane = %lane, error = %error, "lost the lane's stream; connecting again"),
                }
                if began.elapsed() > Duration::from_secs(10) {
                    backoff = Duration::from_millis(50);
                }
                sleep(backoff).await;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
            }
        };
        tokio::select! {
            () = hear => {}
            () = ear.bells.closed() => {}
            () = stop.cancelled() => {}
        }
        ear.leave().await;
    }
}
