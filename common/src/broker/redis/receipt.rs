//! What is owed to Redis for a message. Acknowledgements are gathered: while one pipeline is under way the next one fills.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use redis::{Pipeline, RedisError};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{Connections, GROUP};
use crate::{broker::Receipt, lifecycle};

/// How long the broker may take to answer before what was sent is given up.
const PATIENCE: Duration = Duration::from_millis(1000);
/// Ids in one pipeline, at most.
const LARGEST_BATCH: usize = 512;

/// Which messages of a stream are in this listener's hands. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<String>>>);

impl Held {
    /// Takes a message into its hands, by its id.
    pub(super) fn take(&self, id: &str) -> Hold {
        self.ids().insert(id.to_owned());
        Hold { held: self.clone(), id: id.to_owned() }
    }

    /// Whether somebody has it: a receipt for it is open, or what was decided is on its way to the server.
    pub(super) fn has(&self, id: &str) -> bool {
        self.ids().contains(id)
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message in somebody's hands, until it is dropped.
pub(super) struct Hold {
    held: Held,
    id: String,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.ids().remove(&self.id);
    }
}

/// For the task that acknowledges.
enum Order {
    /// Acknowledge and delete this message.
    Forget(Hold),
    /// Say when everything that came before is done.
    Flush(oneshot::Sender<()>),
}

/// Acknowledges a stream's messages, many at once. Clones share one task, which ends with the last of them.
#[derive(Clone)]
pub(super) struct Acknowledger {
    orders: mpsc::UnboundedSender<Order>,
}

impl Acknowledger {
    /// Starts the task.
    pub(super) fn start(connections: Arc<Connections>, stream: String) -> Self {
        let (orders, mut waiting) = mpsc::unbounded_channel();
        lifecycle::spawn("lane.acknowledge", async move {
            let mut gathered = Vec::new();
            while waiting.recv_many(&mut gathered, LARGEST_BATCH).await > 0 {
                let (mut done_with, mut flushed) = (Vec::with_capacity(gathered.len()), Vec::new());
                for order in gathered.drain(..) {
                    match order {
                        Order::Forget(hold) => done_with.push(hold),
                        Order::Flush(done) => flushed.push(done),
                    }
                }
                if !done_with.is_empty() {
                    let ids: Vec<&str> = done_with.iter().map(|hold: &Hold| hold.id.as_str()).collect();
                    let mut pipe = redis::pipe();
                    pipe.cmd("XACK").arg(&stream).arg(GROUP).arg(&ids).ignore();
                    pipe.cmd("XDEL").arg(&stream).arg(&ids).ignore();
                    send(&connections, &pipe).await;
                }
                drop(done_with);
                for done in flushed {
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        });
        Self { orders }
    }

    /// Has a message forgotten, soon.
    pub(super) fn forget(&self, message: Hold) {
        // The task lives as long as this does.
        let _ = self.orders.send(Order::Forget(message));
    }

    /// Waits until what was gathered so far is sent.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.orders.send(Order::Flush(done)).is_ok() {
            let _ = flushed.await;
        }
    }
}

/// What is not acknowledged is adopted again, and finds nothing to claim.
async fn send(connections: &Connections, pipe: &Pipeline) {
    let call = async {
        let mut connection = connections.shared().await?;
        pipe.query_async::<()>(&mut connection).await
    };
    let sent: Result<Result<(), RedisError>, _> = timeout(PATIENCE, call).await;
    match sent {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "messages were not acknowledged"),
        Err(_) => tracing::debug!("messages were not acknowledged in time"),
    }
}

/// The receipt of one message.
pub(super) struct StreamReceipt {
    pub(super) connections: Arc<Connections>,
    pub(super) acknowledger: Acknowledger,
    pub(super) stream: String,
    /// None once it is settled.
    pub(super) hold: Option<Hold>,
    /// The message, to put it back.
    pub(super) fields: Vec<(&'static str, String)>,
}

#[async_trait]
impl Receipt for StreamReceipt {
    async fn decided(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.acknowledger.forget(hold);
        }
    }

    async fn freed(&mut self) {}

    async fn put_back(&mut self) {
        let Some(hold) = self.hold.take() else { return };
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("XADD").arg(&self.stream).arg("*").arg(&self.fields).ignore();
        pipe.cmd("XACK").arg(&self.stream).arg(GROUP).arg(&hold.id).ignore();
        pipe.cmd("XDEL").arg(&self.stream).arg(&hold.id).ignore();
        send(&self.connections, &pipe).await;
    }
}
