//! One lane's listener on Redis Streams: blocking reads, and what dead consumers left behind.

use std::{collections::HashMap, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, RedisError, Value,
    aio::{ConnectionManager, MultiplexedConnection},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, timeout},
};

use super::{
    Connections, GROUP,
    receipt::{Acknowledger, Held, StreamReceipt},
};
use crate::{
    broker::{Bell, Message, Pulse},
    ids::JobId,
};

/// How long a read waits for a message before it looks for orphans.
const BLOCK: Duration = Duration::from_secs(2);
/// A message read and not decided for so long belongs to a process that died between reading and claiming.
const ORPHANED: Duration = Duration::from_secs(10);
/// How often it is looked for such messages.
const LOOK: Duration = Duration::from_secs(3);
/// More messages a read than this would only wait in our memory.
const LARGEST_READ: usize = 128;
/// How long leaving in order may take.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(1500);
/// As many are looked at when it leaves. More than a few are never pending: those of the slots and of one read.
const MOST_PENDING: usize = 1000;

/// One lane's listener.
pub(super) struct Ear {
    pub(super) connections: Arc<Connections>,
    pub(super) consumer: String,
    pub(super) stream: String,
    pub(super) slots: Arc<Semaphore>,
    pub(super) bells: mpsc::Sender<Bell>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) acknowledger: Acknowledger,
    pub(super) held: Held,
}

impl Ear {
    /// Reads until the connection breaks (an error) or nobody takes bells any more.
    pub(super) async fn hear(&self) -> Result<(), RedisError> {
        // A blocking read needs a connection without a response time-out of its own.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(Duration::from_secs(2))).set_response_timeout(None);
        let mut connection = self.connections.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.create_group(&mut connection).await?;
        self.pulse.beat();
        let mut looked: Option<Instant> = None;
        loop {
            self.wait_for_a_slot().await;
            self.pulse.beat();
            if looked.is_none_or(|at| at.elapsed() > LOOK) {
                looked = Some(Instant::now());
                if !self.adopt(&mut connection).await? {
                    return Ok(());
                }
                self.pulse.beat();
                if self.slots.available_permits() == 0 {
                    continue;
                }
            }
            if !self.read(&mut connection).await? {
                return Ok(());
            }
            self.pulse.beat();
        }
    }

    // Nobody else takes slots, so one that was free stays free until this listener takes it. While it waits there is nothing to
    // fetch for, and none of its silence is the broker's.
    async fn wait_for_a_slot(&self) {
        while timeout(BLOCK, self.slots.acquire()).await.is_err() {
            self.pulse.beat();
        }
    }

    fn free_slots(&self) -> usize {
        self.slots.available_permits().clamp(1, LARGEST_READ)
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

    async fn read(&self, connection: &mut MultiplexedConnection) -> Result<bool, RedisError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(self.free_slots());
        command.arg("BLOCK").arg(u64::try_from(BLOCK.as_millis()).unwrap_or(2000)).arg("STREAMS").arg(&self.stream).arg(">");
        // A server that was stopped (not closed) would be waited for without end.
        let reply = match timeout(BLOCK + Duration::from_secs(5), command.query_async::<Value>(connection)).await {
            Err(_) => return Err(RedisError::from((redis::ErrorKind::Io, "a blocking read was not answered"))),
            // The stream was deleted or the server wiped.
            Ok(Err(error)) if error.code() == Some("NOGROUP") => {
                self.create_group(connection).await?;
                return Ok(true);
            }
            Ok(reply) => reply?,
        };
        for entry in read_entries(reply) {
            if !self.deliver(&entry).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes over what dead consumers read and never decided, and deletes such consumers.
    async fn adopt(&self, connection: &mut MultiplexedConnection) -> Result<bool, RedisError> {
        let idle = u64::try_from(ORPHANED.as_millis()).unwrap_or(10_000);
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(&self.stream).arg(GROUP).arg(&self.consumer).arg(idle).arg("0-0").arg("COUNT").arg(self.free_slots());
        let reply = within(command.query_async::<Value>(connection)).await?;
        let adopted = match reply {
            Value::Array(parts) => parts.into_iter().nth(1),
            _ => None,
        };
        for entry in adopted.map(entries).unwrap_or_default() {
            if !self.deliver(&entry).await {
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
            if name != self.consumer && quiet > idle * 30 {
                let mut command = redis::cmd("XGROUP");
                command.arg("DELCONSUMER").arg(&self.stream).arg(GROUP).arg(name);
                within(command.query_async::<()>(connection)).await?;
            }
        }
        Ok(())
    }

    /// Hands a message on; false: nobody takes bells any more.
    async fn deliver(&self, Entry { id, fields }: &Entry) -> bool {
        let hold = self.held.take(id);
        let text = |key: &str| fields.get(key.as_bytes()).cloned().and_then(|value| redis::from_redis_value::<String>(value).ok());
        let job_id: Option<JobId> = text("j").and_then(|id| id.parse().ok());
        let kind = text("k").and_then(|kind| kind.parse().ok());
        let (Some(job_id), Some(kind)) = (job_id, kind) else {
            tracing::warn!(stream = self.stream, message = id, "a message that is not ours was dropped");
            self.acknowledger.forget(hold);
            return true;
        };
        let message = Message { job_id, kind, traceparent: text("t") };
        let mut fields = vec![("j", job_id.to_string()), ("k", message.kind.to_string())];
        fields.extend(message.traceparent.clone().map(|trace| ("t", trace)));
        let receipt = StreamReceipt {
            connections: self.connections.clone(),
            acknowledger: self.acknowledger.clone(),
            stream: self.stream.clone(),
            hold: Some(hold),
            fields,
        };
        // No more was read than there were slots, and the semaphore is never closed.
        let Ok(slot) = self.slots.clone().acquire_owned().await else { return false };
        self.bells.send(Bell { message, receipt: Box::new(receipt), slot }).await.is_ok()
    }

    /// Acknowledges what is gathered, puts back what nobody has in hands, and takes the consumer's name off the group unless something
    /// is still pending, which its receipts settle or others adopt.
    pub(super) async fn leave(&self) {
        let leaving = async {
            self.acknowledger.flush().await;
            let mut connection = self.connections.shared().await?;
            self.put_back_unheld(&mut connection).await?;
            self.sign_off(&mut connection).await
        };
        match timeout(LEAVE_TIMEOUT, leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(stream = self.stream, error = %error, "the leave-taking failed"),
            Err(_) => tracing::debug!(stream = self.stream, "the broker did not answer the leave-taking"),
        }
    }

    /// Puts back what a read brought that was given up in its middle, and bells that were dropped.
    async fn put_back_unheld(&self, connection: &mut ConnectionManager) -> Result<(), RedisError> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(MOST_PENDING);
        // From 0: not what is new, but what this consumer has read and not acknowledged.
        command.arg("STREAMS").arg(&self.stream).arg("0");
        let pending = read_entries(command.query_async(connection).await?);
        let mut pipe = redis::pipe();
        pipe.atomic();
        for entry in pending.into_iter().filter(|entry| !self.held.has(&entry.id)) {
            // Of one that was deleted meanwhile there is only the id.
            if !entry.fields.is_empty() {
                pipe.cmd("XADD").arg(&self.stream).arg("*");
                for (name, value) in entry.fields {
                    pipe.arg(name).arg(redis::from_redis_value::<Vec<u8>>(value)?);
                }
                pipe.ignore();
            }
            pipe.cmd("XACK").arg(&self.stream).arg(GROUP).arg(&entry.id).ignore();
            pipe.cmd("XDEL").arg(&self.stream).arg(&entry.id).ignore();
        }
        if pipe.is_empty() { Ok(()) } else { pipe.query_async(connection).await }
    }

    async fn sign_off(&self, connection: &mut ConnectionManager) -> Result<(), RedisError> {
        let mut command = redis::cmd("XINFO");
        let consumers: Vec<HashMap<String, Value>> = command.arg("CONSUMERS").arg(&self.stream).arg(GROUP).query_async(connection).await?;
        let idle = consumers.into_iter().any(|mut consumer| {
            let name = consumer.remove("name").and_then(|value| redis::from_redis_value::<String>(value).ok());
            let pending = consumer.remove("pending").and_then(|value| redis::from_redis_value::<u64>(value).ok());
            name.as_ref() == Some(&self.consumer) && pending == Some(0)
        });
        // Deleting a consumer drops its pending list, and with it the messages.
        if idle {
            let mut command = redis::cmd("XGROUP");
            command.arg("DELCONSUMER").arg(&self.stream).arg(GROUP).arg(&self.consumer);
            command.query_async::<()>(connection).await?;
        }
        Ok(())
    }
}

/// An entry of a stream. Anybody may have written it, and so its names are bytes.
struct Entry {
    id: String,
    fields: HashMap<Vec<u8>, Value>,
}

/// The entries of a list of them. What is none is left out: older servers list what was deleted as nothing.
fn entries(list: Value) -> Vec<Entry> {
    let Value::Array(items) = list else { return Vec::new() };
    items.into_iter().filter_map(|item| redis::from_redis_value(item).ok()).map(|(id, fields)| Entry { id, fields }).collect()
}

/// The entries in the reply to a read: of one stream, or none.
fn read_entries(reply: Value) -> Vec<Entry> {
    let lists: Vec<Value> = match reply {
        Value::Map(streams) => streams.into_iter().map(|(_, list)| list).collect(),
        Value::Array(streams) => {
            streams.into_iter().filter_map(|stream| redis::from_redis_value::<(Value, Value)>(stream).ok()).map(|(_, list)| list).collect()
        }
        _ => Vec::new(),
    };
    lists.into_iter().flat_map(entries).collect()
}

async fn within<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    match timeout(Duration::from_secs(5), call).await {
        Ok(answer) => answer,
        Err(_) => Err(RedisError::from((redis::ErrorKind::Io, "a command was not answered"))),
    }
}
