//! The one apalis backend: a lane of a broker. It carries bells, not jobs: decoding, retries, attempts and acknowledgements are
//! the ledger's and the job runner's, so none of apalis' persistence is used (docs/adr/0001-apalis-over-our-own-backend.md).

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use futures::FutureExt;
use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Bell, Broker, Pulse};
use crate::{lifecycle, model::jobs::Lane};

/// How long a lane goes unheard after its listener has ended by itself.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);

/// A lane of a broker, as an apalis worker's source of tasks.
pub struct LaneBackend {
    broker: Arc<dyn Broker>,
    lane: Lane,
    // How many bells at once, of all clones together.
    size: usize,
    slots: Arc<Semaphore>,
    pulse: Arc<Pulse>,
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
        let size = slots.max(1);
        let slots = Arc::new(Semaphore::new(size));
        let pulse = Arc::new(Pulse::new(slots.clone()));
        Self { broker, lane, size, slots, pulse, listening: None }
    }

    /// Tells whether bells are still fetched; one for this backend and its clones.
    #[must_use]
    pub fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }

    fn listen(&mut self) -> &mut Listening {
        self.listening.get_or_insert_with(|| {
            let (sender, bells) = mpsc::channel(self.size);
            let stop = CancellationToken::new();
            let ear = Ear { broker: self.broker.clone(), lane: self.lane, slots: self.slots.clone(), pulse: self.pulse.clone() };
            lifecycle::spawn("lane.listen", ear.listen(sender, stop.clone()));
            Listening { bells, stop }
        })
    }
}

/// What a lane's listener needs to begin, and to begin again.
struct Ear {
    broker: Arc<dyn Broker>,
    lane: Lane,
    slots: Arc<Semaphore>,
    pulse: Arc<Pulse>,
}

impl Ear {
    /// Hears until `stop`, or until nobody takes bells any more. A listener that panics, or ends without being told to, would otherwise
    /// take its lane with it for as long as the process lives.
    async fn listen(self, bells: mpsc::Sender<Bell>, stop: CancellationToken) {
        loop {
            let listening = self.broker.listen(self.lane, self.slots.clone(), bells.clone(), self.pulse.clone(), stop.clone());
            let ended = AssertUnwindSafe(listening).catch_unwind().await;
            if stop.is_cancelled() || bells.is_closed() {
                return;
            }
            tracing::error!(lane = %self.lane, panicked = ended.is_err(), "the lane's listener ended by itself; it begins again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(BEGIN_AGAIN) => {}
            }
        }
    }
}

impl Clone for LaneBackend {
    // What an apalis monitor registers makes its worker, and so needs a backend to clone for it. A clone listens for itself; the slots
    // are the same ones.
    fn clone(&self) -> Self {
        let (broker, slots, pulse) = (self.broker.clone(), self.slots.clone(), self.pulse.clone());
        Self { broker, lane: self.lane, size: self.size, slots, pulse, listening: None }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use tokio::time::timeout;

    use super::*;
    use crate::{
        broker::{BrokerError, Message, Receipt},
        ids::JobId,
        jobs::JobKind,
        store::ledger::Ring,
    };

    struct NothingOwed;

    #[async_trait]
    impl Receipt for NothingOwed {
        async fn decided(&mut self) {}
        async fn freed(&mut self) {}
        async fn put_back(&mut self) {}
    }

    /// Panics the first time that it listens, ends the second time, and rings once the third time.
    #[derive(Default)]
    struct Frail {
        times: AtomicUsize,
    }

    #[async_trait]
    impl Broker for Frail {
        fn name(&self) -> &'static str {
            "frail"
        }

        async fn ring(&self, _rings: &[Ring]) -> Result<(), BrokerError> {
            Ok(())
        }

        async fn depth(&self, _lane: Lane) -> Result<u64, BrokerError> {
            Ok(0)
        }

        async fn listen(&self, _lane: Lane, slots: Arc<Semaphore>, bells: mpsc::Sender<Bell>, _pulse: Arc<Pulse>, stop: CancellationToken) {
            let before = self.times.fetch_add(1, Ordering::Relaxed);
            assert!(before > 0, "as a mistake in it would");
            if before == 1 {
                return;
            }
            let slot = slots.acquire_owned().await.expect("the slots are never closed");
            let message = Message { job_id: JobId::new(), kind: JobKind::AnswerQuestion, traceparent: None };
            assert!(bells.send(Bell { message, receipt: Box::new(NothingOwed), slot }).await.is_ok(), "somebody takes it");
            stop.cancelled().await;
        }
    }

    #[tokio::test]
    async fn a_listener_that_dies_is_begun_again() {
        let broker = Arc::new(Frail::default());
        let mut backend = LaneBackend::new(broker.clone(), Lane::Bulk, 1);
        let soon = BEGIN_AGAIN * 10;
        let bell = timeout(soon, backend.listen().bells.recv()).await.expect("in time");
        assert!(bell.is_some(), "the lane is heard");
        drop(bell);
        // Told to stop, it ends for good: nobody can send any more.
        backend.listen().stop.cancel();
        assert!(timeout(soon, backend.listen().bells.recv()).await.expect("in time").is_none());
        assert_eq!(broker.times.load(Ordering::Relaxed), 3);
    }
}
