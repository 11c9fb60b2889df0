//! Keeps batches going from within a process: after the end of one of their questions, and after they were made or stopped.
//!
//! Ends come by the thousand a second, so what is asked for while one look is under way goes together into the next, and the looks at a long
//! batch keep a distance from each other. Nothing here is on the way of an answer, and nothing depends on it but time: what it misses, the
//! scheduler's sweep finds.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;
use sqlx::PgPool;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    dispatch::Dispatch,
    ids::BatchId,
    lifecycle,
    live::Live,
    model::jobs::Lane,
    settings::Settings,
    store::{
        Result,
        batches::{self, Settled},
        ledger::{Flow, rerun::Terms},
    },
};

/// Between two looks.
const GAP: Duration = Duration::from_millis(20);
/// A look is followed by a pause of so many times as long as it took.
const REST: u32 = 3;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Batches of one look.
const AT_ONCE: i64 = 64;
/// The type of the event that tells how far a batch is.
const PROGRESS: &str = "batch.progress";

/// What it takes to settle a batch. Clones are the same one.
#[derive(Clone)]
pub struct Settling {
    parts: Arc<Parts>,
    wake: mpsc::Sender<()>,
}

struct Parts {
    pool: PgPool,
    dispatch: Dispatch,
    live: Live,
    terms: Terms,
    asked: Mutex<BTreeSet<Uuid>>,
}

/// The terms of jobs that name none of their own.
#[must_use]
pub fn terms(settings: &Settings) -> Terms {
    let max_attempts = i16::try_from(settings.jobs.max_attempts).unwrap_or(i16::MAX);
    Terms { deadline_seconds: settings.jobs.deadline().as_secs_f64(), run_seconds: settings.jobs.run_limit(), max_attempts }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Settling {
    /// Starts it.
    #[must_use]
    pub fn start(pool: PgPool, dispatch: Dispatch, live: Live, settings: &Settings) -> Self {
        let (wake, mut woken) = mpsc::channel(1);
        let parts = Arc::new(Parts { pool, dispatch, live, terms: terms(settings), asked: Mutex::default() });
        let own = parts.clone();
        // Ends with the last handle.
        lifecycle::spawn("settling.look", async move {
            while woken.recv().await.is_some() {
                own.serve().await;
            }
        });
        Self { parts, wake }
    }

    /// A question of this batch has ended: it is looked at soon; several asks are one.
    pub fn look(&self, batch: BatchId) {
        lock(&self.parts.asked).insert(batch.0);
        // Full: it is about to look.
        let _ = self.wake.try_send(());
    }

    /// Does now what there is to do for a batch.
    ///
    /// # Errors
    /// If the database fails; the sweep does what is left.
    pub async fn settle(&self, batch: BatchId) -> Result<()> {
        self.parts.settle(batch).await
    }

    /// Does what there is to do for all batches: the sweep's net.
    ///
    /// # Errors
    /// If the database fails; the next sweep does what is left. One batch that can't be settled does not keep the others from it.
    pub async fn sweep(&self) -> Result<()> {
        let mut done = Ok(());
        for batch in batches::wanting(&self.parts.pool, None, false, AT_ONCE).await? {
            if let Err(error) = self.parts.settle(batch).await {
                done = Err(error);
            }
        }
        done
    }
}

impl Parts {
    async fn serve(&self) {
        loop {
            let asked: Vec<Uuid> = std::mem::take(&mut *lock(&self.asked)).into_iter().collect();
            if asked.is_empty() {
                return;
            }
            let began = Instant::now();
            match timeout(PATIENCE, self.look(&asked)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(error = %error, "batches are not settled; the sweep will"),
                Err(_) => tracing::warn!("batches are not settled in time; the sweep will"),
            }
            sleep(GAP.max(began.elapsed() * REST)).await;
        }
    }

    async fn look(&self, among: &[Uuid]) -> Result<()> {
        for batch in batches::wanting(&self.pool, Some(among), true, AT_ONCE).await? {
            self.settle(batch).await?;
        }
        Ok(())
    }

    async fn settle(&self, batch: BatchId) -> Result<()> {
        loop {
            let settled = batches::settle(&self.pool, batch, &self.terms).await?;
            let again = settled.again;
            self.tell(batch, settled);
            if !again {
                return Ok(());
            }
        }
    }

    fn tell(&self, batch: BatchId, settled: Settled) {
        if let Some(flow) = settled.flow {
            self.dispatch.let_in(flow);
        }
        for job in settled.asked {
            self.live.cancel(job);
        }
        if let Some(told) = settled.ended.iter().find(|ended| ended.tells_webhooks) {
            self.dispatch.let_in(Flow { lane: Lane::Webhook, user_id: told.user_id });
        }
        if let Some((user_id, tally)) = settled.progress {
            let done = tally.counts.total - tally.counts.waiting - tally.counts.running;
            let progress = json!({ "done": done, "total": tally.counts.total, "unit": "lines" });
            let data = json!({ "batch_id": batch, "counts": tally.counts, "usage": tally.usage, "progress": progress });
            self.live.progress(user_id, &batch.to_string(), PROGRESS, data);
        }
        self.live.ended_many(&settled.ended);
    }
}
