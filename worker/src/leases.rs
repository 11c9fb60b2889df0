//! The leases that this process holds: one heartbeat for all of them, one place that tells an attempt to stop.
//!
//! A lease is measured monotonically from before its claim, so a process that was stopped (SIGSTOP, a long pause of the machine)
//! knows by its own clock that it lost the lease, before it asks anybody.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::{
    ids::JobId,
    model::questions::Stage,
    store::{
        self,
        ledger::{Beat, Lease},
    },
};
use sqlx::PgPool;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How often the process looks at what it holds.
const TICK: Duration = Duration::from_millis(250);
/// How often the process asks which of its jobs their owners want stopped: the signal over Redis may be lost.
const LOOK: Duration = Duration::from_millis(500);
/// How long that may take.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);

/// Why an attempt must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody else has, or may have, the job.
    LeaseLost,
    /// Its owner wants it stopped.
    Cancelled,
}

struct Entry {
    lease: Lease,
    since: Instant,
    until: Instant,
    stage: Option<Stage>,
    told_stage: Option<Stage>,
    look: bool,
    stop: watch::Sender<Option<Stop>>,
}

/// All leases of the process.
#[derive(Clone)]
pub struct Leases {
    held: Arc<Mutex<HashMap<JobId, Entry>>>,
    length: Duration,
    wake: Arc<Notify>,
}

impl Leases {
    /// Leases that last so long without a heartbeat.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        Self { held: Arc::default(), length, wake: Arc::default() }
    }

    /// How long a lease lasts, in seconds, as the ledger counts.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.length.as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a lease whose claim was sent at `claimed`, until the hold is dropped.
    #[must_use]
    pub fn hold(&self, lease: Lease, claimed: Instant) -> Hold {
        let (stop, stopped) = watch::channel(None);
        let entry = Entry { lease, since: claimed, until: claimed + self.length, stage: None, told_stage: None, look: false, stop };
        self.lock().insert(lease.job_id, entry);
        Hold { leases: self.clone(), lease, stopped }
    }

    /// Looks at once whether the owner of a job of this process wants it stopped. Only the row says so: a message may be anybody's.
    pub fn look_at(&self, job: JobId) {
        if let Some(entry) = self.lock().get_mut(&job) {
            entry.look = true;
            self.wake.notify_one();
        }
    }

    /// Keeps all leases alive until `stop`.
    pub async fn keep(&self, pool: PgPool, stop: CancellationToken) {
        tokio::select! {
            () = self.beat(&pool) => {}
            // Beside the heartbeats, so that a database that does not answer hides no lease that has run out.
            () = self.watch() => {}
            () = self.look(&pool) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn watch(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            let now = Instant::now();
            for entry in self.lock().values().filter(|entry| entry.until < now) {
                entry.stop.send_replace(Some(Stop::LeaseLost));
            }
        }
    }

    async fn look(&self, pool: &PgPool) {
        loop {
            tokio::time::sleep(LOOK).await;
            // What is over at once needs none.
            let old = Instant::now() - LOOK / 2;
            let jobs: Vec<JobId> = self.lock().values().filter(|entry| entry.since < old).map(|entry| entry.lease.job_id).collect();
            if jobs.is_empty() {
                continue;
            }
            // Without an answer the next look asks again.
            let Ok(Ok(flagged)) = tokio::time::timeout(LOOK_PATIENCE, store::ledger::claim::wanted_stopped(pool, &jobs)).await else {
                continue;
            };
            let held = self.lock();
            for entry in flagged.iter().filter_map(|job| held.get(job)) {
                entry.stop.send_replace(Some(Stop::Cancelled));
            }
        }
    }

    /// Attempts under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    async fn beat(&self, pool: &PgPool) {
        let mut beaten = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.wake.notified() => {}
            }
            let due = beaten.elapsed() >= self.length / 3;
            let beats = self.beats(due);
            if beats.is_empty() {
                continue;
            }
            let sent = Instant::now();
            let heartbeat = store::ledger::claim::heartbeat(pool, &beats, self.seconds());
            match tokio::time::timeout(self.length / 4, heartbeat).await {
                Ok(Ok(held)) => {
                    self.renewed(&beats, &held, sent);
                    if due {
                        beaten = sent;
                    }
                }
                Ok(Err(error)) => tracing::warn!(error = %error, leases = beats.len(), "leases not renewed; trying again"),
                Err(_) => tracing::warn!(leases = beats.len(), "leases not renewed in time; trying again"),
            }
        }
    }

    // What has run for a while, or all when a heartbeat is due. A job that is over within a tick costs no heartbeat at all.
    fn beats(&self, all: bool) -> Vec<Beat> {
        let old = Instant::now() + self.length - TICK;
        self.lock()
            .values()
            .filter(|entry| entry.look || (entry.until < old && (all || entry.stage != entry.told_stage)))
            .map(|entry| Beat { lease: entry.lease, stage: entry.stage })
            .collect()
    }

    fn renewed(&self, beats: &[Beat], still: &[store::ledger::claim::Held], sent: Instant) {
        let mut held = self.lock();
        for beat in beats {
            let Some(entry) = held.get_mut(&beat.lease.job_id).filter(|entry| entry.lease == beat.lease) else { continue };
            entry.look = false;
            match still.iter().find(|job| job.job_id == beat.lease.job_id) {
                Some(job) => {
                    if job.renewed {
                        entry.until = sent + self.length;
                        entry.told_stage = beat.stage;
                    }
                    if job.cancel_requested {
                        entry.stop.send_replace(Some(Stop::Cancelled));
                    }
                }
                None => {
                    entry.stop.send_replace(Some(Stop::LeaseLost));
                }
            }
        }
    }
}

/// One attempt's hold on its job.
pub struct Hold {
    leases: Leases,
    /// The fencing token.
    pub lease: Lease,
    stopped: watch::Receiver<Option<Stop>>,
}

impl Hold {
    /// Waits until the attempt must stop.
    pub async fn stopped(&self) -> Stop {
        let mut stopped = self.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(stop) => stop.unwrap_or(Stop::LeaseLost),
            // The sender lives in the table as long as this hold does.
            Err(_) => Stop::LeaseLost,
        }
    }

    /// Whether the lease was lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        *self.stopped.borrow() == Some(Stop::LeaseLost)
    }

    /// Notes what the attempt is doing, for those who look at the job.
    pub fn stage(&self, stage: Stage) {
        if let Some(entry) = self.leases.lock().get_mut(&self.lease.job_id) {
            entry.stage = Some(stage);
        }
    }

    /// What the attempt was last doing.
    #[must_use]
    pub fn last_stage(&self) -> Option<Stage> {
        self.leases.lock().get(&self.lease.job_id).and_then(|entry| entry.stage)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.leases.lock();
        // A later attempt of the same job in this process has an entry of its own.
        if held.get(&self.lease.job_id).is_some_and(|entry| entry.lease == self.lease) {
            held.remove(&self.lease.job_id);
        }
    }
}
