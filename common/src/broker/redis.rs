//! The doorbell over Redis Streams: one stream a lane, one consumer group, a consumer a process.
//!
//! A message is acknowledged and deleted as soon as its claim is decided, so a stream holds only what nobody has heard yet, and
//! the pending list only the few messages between read and claim. Nothing is delayed, retried or counted here: that is the ledger's.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use redis::{
    AsyncConnectionConfig, Client, RedisError, Value,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    streams::StreamReadReply,
};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Bell, Broker, BrokerError, Message, Receipt};
use crate::{ids::JobId, model::jobs::Lane, store::ledger::Ring};

const GROUP: &str = "workers";
/// How long a ring may take before it is left to the sweep.
const RING_TIMEOUT: Duration = Duration::from_millis(1000);
/// How long a read waits for a message before it looks for orphans.
const BLOCK: Duration = Duration::from_secs(2);
/// A message read and not decided for so long belongs to a process that died between reading and claiming.
const ORPHANED: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// More messages a read than this would only wait in our memory.
const LARGEST_READ: usize = 128;

/// Redis as a broker.
pub struct RedisStreams {
    client: Client,
    consumer: String,
    // For everything but blocking reads, which have connections of their own.
    shared: OnceCell<ConnectionManager>,
}

fn stream(lane: Lane) -> String {
    format!("datagenie:lane:{lane}")
}

fn unavailable(error: RedisError) -> BrokerError {
    BrokerError::Unavailable(Box::new(error))
}

impl RedisStreams {
    /// Opens without connecting.
    ///
    /// # Errors
    /// [`BrokerError::BadUrl`].
    pub fn open(url: &str, instance: &str) -> Result<Self, BrokerError> {
        let client = Client::open(url).map_err(|_| BrokerError::BadUrl)?;
        // Named anew at each boot: a consumer of the same name would inherit the pending messages of its dead predecessor.
        let consumer = format!("{instance}-{}", uuid::Uuid::new_v4().simple());
        Ok(Self { client, consumer, shared: OnceCell::new() })
    }

    async fn connection(&self) -> Result<ConnectionManager, BrokerError> {
        let connect = || async {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(RING_TIMEOUT))
                .set_response_timeout(Some(RING_TIMEOUT))
                .set_number_of_retries(1);
            self.client.get_connection_manager_with_config(config).await.map_err(unavailable)
        };
        self.shared.get_or_try_init(connect).await.cloned()
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
            let command = pipe.cmd("XADD").arg(stream(ring.lane)).arg("*").arg("j").arg(ring.job_id.to_string());
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
            redis::cmd("XLEN").arg(stream(lane)).query_async(&mut connection).await.map_err(unavailable)
        })
        .await
    }

    async fn listen(&self, lane: Lane, slots: Arc<Semaphore>, bells: mpsc::Sender<Bell>, stop: CancellationToken) {
        let ear = Ear { broker: self, stream: stream(lane), slots, bells };
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
            () = stop.cancelled() => ear.leave().await,
        }
    }
}

/// One lane's listener.
struct Ear<'a> {
    broker: &'a RedisStreams,
    stream: String,
    slots: Arc<Semaphore>,
    bells: mpsc::Sender<Bell>,
}

impl Ear<'_> {
    /// Reads until the connection breaks (an error) or nobody takes bells any more.
    async fn hear(&self) -> Result<(), RedisError> {
        // A blocking read needs a connection without a response time-out of its own.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(Duration::from_secs(2))).set_response_timeout(None);
        let mut connection = self.broker.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.create_group(&mut connection).await?;
        let mut looked: Option<Instant> = None;
        loop {
            let mut free = self.free_slots().await;
            if looked.is_none_or(|at| at.elapsed() > ORPHANED) {
                looked = Some(Instant::now());
                if !self.adopt(&mut connection, &mut free).await? {
                    return Ok(());
                }
                if free.is_empty() {
                    continue;
                }
            }
            if !self.read(&mut connection, &mut free).await? {
                return Ok(());
            }
        }
    }

    async fn create_group(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        let mut command = redis::cmd("XGROUP");
        // From 0: what was rung before the group came into being is heard too.
        command.arg("CREATE").arg(&self.stream).arg(GROUP).arg("0").arg("MKSTREAM");
        match within(command.query_async::<()>(connection)).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            other => other,
        }
    }

    // At least one, at most as many as a read takes.
    async fn free_slots(&self) -> Vec<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        let Ok(first) = self.slots.clone().acquire_owned().await else { return Vec::new() };
        let mut free = vec![first];
        while free.len() < LARGEST_READ
            && let Ok(slot) = self.slots.clone().try_acquire_owned()
        {
            free.push(slot);
        }
        free
    }

    async fn read(&self, connection: &mut MultiplexedConnection, free: &mut Vec<OwnedSemaphorePermit>) -> Result<bool, RedisError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.broker.consumer).arg("COUNT").arg(free.len());
        command.arg("BLOCK").arg(u64::try_from(BLOCK.as_millis()).unwrap_or(2000)).arg("STREAMS").arg(&self.stream).arg(">");
        // A server that was stopped (not closed) would be waited for without end.
        let reply = match timeout(BLOCK + Duration::from_secs(5), command.query_async::<Option<StreamReadReply>>(connection)).await {
            Err(_) => return Err(RedisError::from((redis::ErrorKind::Io, "a blocking read was not answered"))),
            // The stream was deleted or the server wiped.
            Ok(Err(error)) if error.code() == Some("NOGROUP") => {
                self.create_group(connection).await?;
                return Ok(true);
            }
            Ok(reply) => reply?,
        };
        for key in reply.map(|reply| reply.keys).unwrap_or_default() {
            for entry in key.ids {
                if !self.deliver(&entry.id, &entry.map, free).await {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Takes over what dead consumers read and never decided, and deletes such consumers.
    async fn adopt(&self, connection: &mut MultiplexedConnection, free: &mut Vec<OwnedSemaphorePermit>) -> Result<bool, RedisError> {
        let idle = u64::try_from(ORPHANED.as_millis()).unwrap_or(10_000);
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(&self.stream).arg(GROUP).arg(&self.broker.consumer).arg(idle).arg("0-0").arg("COUNT").arg(free.len());
        let reply = within(command.query_async::<Value>(connection)).await?;
        let entries = match reply {
            Value::Array(parts) => parts.into_iter().nth(1),
            _ => None,
        };
        let entries: Vec<(String, HashMap<String, Value>)> = entries.map(redis::from_redis_value).transpose()?.unwrap_or_default();
        for (id, fields) in entries {
            if !self.deliver(&id, &fields, free).await {
                return Ok(false);
            }
        }
        self.bury(connection, idle).await?;
        Ok(true)
    }

    async fn bury(&self, connection: &mut MultiplexedConnection, idle: u64) -> Result<(), RedisError> {
        let consumers: Vec<HashMap<String, Value>> =
            within(redis::cmd("XINFO").arg("CONSUMERS").arg(&self.stream).arg(GROUP).query_async(connection)).await?;
        for consumer in consumers {
            let text = |key: &str| consumer.get(key).cloned().and_then(|value| redis::from_redis_value::<String>(value).ok());
            let count = |key: &str| consumer.get(key).cloned().and_then(|value| redis::from_redis_value::<u64>(value).ok());
            let (Some(name), Some(0), Some(quiet)) = (text("name"), count("pending"), count("idle")) else { continue };
            // A living consumer reads at least every BLOCK; one with all slots busy may be quiet for long, and comes back by its
            // next read, which creates it again.
            if name != self.broker.consumer && quiet > idle * 30 {
                let mut command = redis::cmd("XGROUP");
                command.arg("DELCONSUMER").arg(&self.stream).arg(GROUP).arg(name);
                within(command.query_async::<()>(connection)).await?;
            }
        }
        Ok(())
    }

    /// Hands a message on; false: nobody takes bells any more.
    async fn deliver(&self, id: &str, fields: &HashMap<String, Value>, free: &mut Vec<OwnedSemaphorePermit>) -> bool {
        let mut receipt = StreamReceipt {
            broker: self.broker.shared.get().cloned(),
            client: self.broker.client.clone(),
            stream: self.stream.clone(),
            id: id.to_owned(),
            fields: Vec::new(),
        };
        let text = |key: &str| fields.get(key).cloned().and_then(|value| redis::from_redis_value::<String>(value).ok());
        let job_id: Option<JobId> = text("j").and_then(|id| id.parse().ok());
        let kind = text("k").and_then(|kind| kind.parse().ok());
        let (Some(job_id), Some(kind), Some(slot)) = (job_id, kind, free.pop()) else {
            tracing::warn!(stream = self.stream, message = id, "a message that is not ours was dropped");
            receipt.decided().await;
            return true;
        };
        let message = Message { job_id, kind, traceparent: text("t") };
        receipt.fields = vec![("j", job_id.to_string()), ("k", message.kind.to_string())];
        receipt.fields.extend(message.traceparent.clone().map(|trace| ("t", trace)));
        self.bells.send(Bell { message, receipt: Box::new(receipt), slot }).await.is_ok()
    }

    /// Takes the consumer's name off the group; what it has pending is adopted by others.
    async fn leave(&self) {
        let pending = async {
            let mut connection = self.broker.connection().await.ok()?;
            let mut command = redis::cmd("XINFO");
            let consumers: Vec<HashMap<String, Value>> =
                command.arg("CONSUMERS").arg(&self.stream).arg(GROUP).query_async(&mut connection).await.ok()?;
            let mine = consumers.into_iter().find(|consumer| {
                consumer.get("name").cloned().and_then(|value| redis::from_redis_value::<String>(value).ok()).as_ref()
                    == Some(&self.broker.consumer)
            })?;
            let count: u64 = redis::from_redis_value(mine.get("pending")?.clone()).ok()?;
            // Deleting a consumer drops its pending list, and with it the messages.
            if count == 0 {
                let mut command = redis::cmd("XGROUP");
                command.arg("DELCONSUMER").arg(&self.stream).arg(GROUP).arg(&self.broker.consumer);
                command.query_async::<()>(&mut connection).await.ok()?;
            }
            Some(())
        };
        if timeout(RING_TIMEOUT, pending).await.is_err() {
            tracing::debug!(stream = self.stream, "the broker did not answer the leave-taking");
        }
    }
}

async fn within<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    match timeout(Duration::from_secs(5), call).await {
        Ok(answer) => answer,
        Err(_) => Err(RedisError::from((redis::ErrorKind::Io, "a command was not answered"))),
    }
}

struct StreamReceipt {
    broker: Option<ConnectionManager>,
    client: Client,
    stream: String,
    id: String,
    fields: Vec<(&'static str, String)>,
}

impl StreamReceipt {
    async fn send(&mut self, pipe: &redis::Pipeline) {
        let call = async {
            let mut connection = match &self.broker {
                Some(connection) => connection.clone(),
                None => self.client.get_connection_manager().await?,
            };
            pipe.query_async::<()>(&mut connection).await
        };
        // What is not acknowledged is adopted again, and finds nothing to claim.
        match timeout(RING_TIMEOUT, call).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = %error, "a message was not acknowledged"),
            Err(_) => tracing::debug!("a message was not acknowledged in time"),
        }
    }
}

#[async_trait]
impl Receipt for StreamReceipt {
    async fn decided(&mut self) {
        let mut pipe = redis::pipe();
        pipe.cmd("XACK").arg(&self.stream).arg(GROUP).arg(&self.id).ignore();
        pipe.cmd("XDEL").arg(&self.stream).arg(&self.id).ignore();
        self.send(&pipe).await;
    }

    async fn put_back(&mut self) {
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("XADD").arg(&self.stream).arg("*").arg(&self.fields).ignore();
        pipe.cmd("XACK").arg(&self.stream).arg(GROUP).arg(&self.id).ignore();
        pipe.cmd("XDEL").arg(&self.stream).arg(&self.id).ignore();
        self.send(&pipe).await;
    }
}
