//! The one apalis backend: a lane of a broker. It carries bells, not jobs: decoding, retries, attempts and acknowledgements are
//! the ledger's and the job runner's, so none of apalis' persistence is used (docs/adr/0001-apalis-over-our-own-backend.md).

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Bell, Broker};
use crate::{lifecycle, model::jobs::Lane};

/// A lane of a broker, as an apalis worker's source of tasks.
pub struct LaneBackend {
    broker: Arc<dyn Broker>,
    lane: Lane,
    slots: usize,
    listening: Option<Listening>,
}

struct Listening {
    bells: mpsc::Receiver<Bell>,
    stop: CancellationToken,
}

impl LaneBackend {
    /// A backend that takes at most `slots` bells at once.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, lane: Lane, slots: usize) -> Self {
        Self { broker, lane, slots: slots.max(1), listening: None }
    }

    fn listen(&mut self) -> &mut Listening {
        self.listening.get_or_insert_with(|| {
            let (sender, bells) = mpsc::channel(self.slots);
            let stop = CancellationToken::new();
            let (broker, lane, slots, stopped) = (self.broker.clone(), self.lane, Arc::new(Semaphore::new(self.slots)), stop.clone());
            lifecycle::spawn("lane.listen", async move { broker.listen(lane, slots, sender, stopped).await });
            Listening { bells, stop }
        })
    }
}

impl Clone for LaneBackend {
    // A clone listens for itself: apalis clones the backend of a worker that it starts again.
    fn clone(&self) -> Self {
        Self::new(self.broker.clone(), self.lane, self.slots)
    }
}

impl Drop for LaneBackend {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.stop.cancel();
        }
    }
}

impl Backend for LaneBackend {
    type Task = Task<Bell>;
    type Error = Infallible;

    fn poll_ready(&mut self, _cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.listen();
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Option<Result<Task<Bell>, Infallible>>> {
        self.listen().bells.poll_recv(cx).map(|bell| {
            bell.map(|bell| {
                let id = TaskId::from_string(bell.message.job_id.to_string());
                Ok(TaskBuilder::new(bell).task_id(id).build())
            })
        })
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        if let Some(mut listening) = self.listening.take() {
            listening.stop.cancel();
            listening.bells.close();
            // What was heard and not begun is for others.
            lifecycle::spawn("lane.put_back", async move {
                while let Some(mut bell) = listening.bells.recv().await {
                    bell.receipt.put_back().await;
                }
            });
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LaneBackend {
    type Args = Bell;
    type Id = Uuid;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = tower::layer::util::Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Self::Layer {
        tower::layer::util::Identity::new()
    }
}
