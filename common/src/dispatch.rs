//! Lets the next jobs in and rings their bells: after an end, after a submission that found others before it, and in the sweep.
//!
//! What one process asks for while a statement is under way goes together into the next one, so that a thousand ends a second cost
//! a few statements. Nothing here is on the way of an answer, and nothing depends on it but time: what it misses, the sweep finds.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::PgPool;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    broker::{Broker, ring_or_leave},
    lifecycle,
    model::jobs::Lane,
    settings::Settings,
    store::{
        Result,
        ledger::{
            Flow, Ring,
            admit::{self, Window},
        },
        workers,
    },
};

/// How long the fleet's slots are taken for what they were.
const FLEET_HOLDS: Duration = Duration::from_secs(1);
/// An owner's window in a lane that no worker serves now: enough for the first moments of one that comes.
const WITHOUT_WORKERS: u32 = 16;
/// How long letting in may take, rings included.
const PATIENCE: Duration = Duration::from_secs(8);
/// Flows that one statement lets in at most.
const FLOWS: usize = 64;

/// The dispatcher of a process.
#[derive(Clone)]
pub struct Dispatch {
    parts: Arc<Parts>,
    wake: mpsc::Sender<()>,
}

struct Parts {
    pool: PgPool,
    broker: Arc<dyn Broker>,
    batch_window: u32,
    fleet: Mutex<Option<(Instant, BTreeMap<Lane, u32>)>>,
    asked: Mutex<Asked>,
}

/// Flows that were asked for, in their order, each once.
#[derive(Default)]
struct Asked {
    order: VecDeque<Flow>,
    known: HashSet<Flow>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dispatch {
    /// Starts the dispatcher. `pool` may be one whose commits don't wait for the disk ([`crate::store::connect_relaxed`]).
    #[must_use]
    pub fn start(pool: PgPool, broker: Arc<dyn Broker>, settings: &Settings) -> Self {
        let (wake, mut woken) = mpsc::channel(1);
        let batch_window = settings.jobs.batch_window;
        let parts = Arc::new(Parts { pool, broker, batch_window, fleet: Mutex::new(None), asked: Mutex::default() });
        let own = parts.clone();
        // Ends with the last handle.
        lifecycle::spawn("dispatch.let_in", async move {
            while woken.recv().await.is_some() {
                own.serve().await;
            }
        });
        Self { parts, wake }
    }

    /// Asks for the next jobs of a flow to be let in, soon; several asks are one.
    pub fn let_in(&self, flow: Flow) {
        let mut asked = lock(&self.parts.asked);
        if asked.known.insert(flow) {
            asked.order.push_back(flow);
        }
        drop(asked);
        // Full: it is about to look.
        let _ = self.wake.try_send(());
    }

    /// Lets the next jobs of these flows in and rings them; how many. No window is larger than `most`.
    ///
    /// # Errors
    /// If the database fails. A broker that does not take the rings is no error: the sweep rings again.
    pub async fn let_in_now(&self, flows: &[Flow], most: u32) -> Result<usize> {
        self.parts.let_in(flows, most).await
    }

    /// How many jobs of one owner may be in flight in a lane: what the fleet's workers let one owner hold.
    pub async fn window(&self, lane: Lane) -> u32 {
        self.parts.window(lane).await
    }
}

impl Parts {
    async fn serve(&self) {
        loop {
            let flows: Vec<Flow> = {
                let mut asked = lock(&self.asked);
                let next = asked.order.len().min(FLOWS);
                let flows: Vec<Flow> = asked.order.drain(..next).collect();
                for flow in &flows {
                    asked.known.remove(flow);
                }
                flows
            };
            if flows.is_empty() {
                return;
            }
            match timeout(PATIENCE, self.let_in(&flows, u32::MAX)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(error = %error, "the next jobs are not let in; the sweep will"),
                Err(_) => tracing::warn!("the next jobs are not let in in time; the sweep will"),
            }
        }
    }

    async fn let_in(&self, flows: &[Flow], most: u32) -> Result<usize> {
        let mut windows = Vec::with_capacity(flows.len());
        for &flow in flows {
            windows.push(Window { flow, size: self.window(flow.lane).await.min(most) });
        }
        let rings: Vec<Ring> = admit::admit(&self.pool, &windows, self.batch_window).await?;
        ring_or_leave(self.broker.as_ref(), &rings).await;
        Ok(rings.len())
    }

    async fn window(&self, lane: Lane) -> u32 {
        let of = |shares: &BTreeMap<Lane, u32>| shares.get(&lane).copied().filter(|&share| share > 0).unwrap_or(WITHOUT_WORKERS);
        let held = lock(&self.fleet).as_ref().map(|(read, shares)| (read.elapsed() < FLEET_HOLDS, of(shares)));
        if let Some((true, window)) = held {
            return window;
        }
        match workers::shares(&self.pool).await {
            Ok(shares) => {
                let shares = shares.into_iter().map(|share| (share.lane, share.share)).collect();
                let window = of(&shares);
                *lock(&self.fleet) = Some((Instant::now(), shares));
                window
            }
            // As it was: the statement that needs it fails by itself.
            Err(_) => held.map_or(WITHOUT_WORKERS, |(_, window)| window),
        }
    }
}
