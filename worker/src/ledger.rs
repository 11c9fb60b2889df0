//! This process's way to the ledger: claims, ends and checks of many jobs share statements.

mod disown;
mod leaving;
mod spacing;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use datagenie_common::{
    batcher::Batcher,
    ids::{ConnectionId, JobId, LeaseId, UserId},
    lifecycle,
    model::{policies::PolicyVersion, questions::Stage},
    store::{
        self, StoreError,
        ledger::{
            Claimed, Flow, Lease, Outcome,
            admit::Window,
            claim,
            finish::{self, Finished},
            finish_many::{self, End, Written},
        },
        line::Line,
        permissions,
        webhooks::{self, Delivered},
    },
};
use futures::future::join_all;
use sqlx::PgPool;
use tokio::time::timeout;

use self::{disown::disown, leaving::Leaving, spacing::Spacing};
use crate::leases::Leases;

/// Claims in one statement at most.
const CLAIMS: usize = 64;
/// Ends in one commit at most: each may hold as many bytes as a result that is kept in the database.
const ENDS: usize = 32;
/// Deliveries whose ends share a commit at most.
const DELIVERIES: usize = 128;
/// Commits of ends under way at once: one that waits must not hold up all others.
const COMMITS: usize = 2;
/// Flows that are remembered to have a backlog: more would be let in by the dispatcher.
const BACKLOGS: usize = 10_000;
/// Policy versions read in one statement at most.
const VERSIONS: usize = 128;

/// How long a statement for claims may take: less than a lease of the usual length, so that what it brings is worth something.
const CLAIM_PATIENCE: Duration = Duration::from_secs(4);
/// How long a commit of ends, or a check, may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// A claim could not be decided: the database did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotClaimed;

/// The end of an attempt, as written.
#[derive(Debug)]
pub struct Finish {
    /// What became of it.
    pub finished: Finished,
    /// Whether its owner may have more waiting: let the next in.
    pub more_wait: bool,
}

struct Wanted {
    window: Window,
    leaving: Option<JobId>,
}

struct Ending {
    job: Arc<Claimed>,
    stage: Option<Stage>,
    outcome: Arc<Outcome>,
}

type FinishResult = Result<Finish, StoreError>;
type VersionResult = Result<Option<PolicyVersion>, StoreError>;

/// The way to the ledger.
pub struct Ledger {
    claims: Batcher<JobId, Result<Option<Claimed>, NotClaimed>>,
    /// The ends that neither a slot nor an owner waits for: he has more waiting. Their batches are full, and so take long.
    ends: Batcher<Ending, FinishResult>,
    /// All others, which must not wait behind those.
    lone_ends: Batcher<Ending, FinishResult>,
    deliveries: Batcher<Ending, FinishResult>,
    versions: Batcher<(UserId, ConnectionId), VersionResult>,
    nexts: Batcher<Wanted, Option<Claimed>>,
    backlogs: Mutex<HashSet<Flow>>,
    leaving: Leaving,
}

/// Who claims, and how.
#[derive(Clone, Debug)]
pub struct Claimer {
    /// The worker's name.
    pub instance: Arc<str>,
    /// How long a lease lasts without a heartbeat.
    pub lease_seconds: f64,
    /// Jobs of one batch in flight at once.
    pub batch_window: u32,
}

fn gone() -> StoreError {
    StoreError::Unavailable(sqlx::Error::WorkerCrashed)
}

impl Ledger {
    /// Starts, on lines of its own to the database of this URL. `pool` serves the ends that go one by one, `relaxed` (commits need not
    /// wait for the disk) gives back claims whose answer never came, and `leases` knows how many attempts are under way.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn start(url: &str, pool: &PgPool, relaxed: &PgPool, claimer: &Claimer, leases: &Leases) -> Result<Self, StoreError> {
        let spaced = |spacing: Spacing| {
            let leases = leases.clone();
            move || spacing.at(leases.count())
        };
        let (line, owner, own) = (Arc::new(store::line(url, "datagenie-worker-claim", true)?), relaxed.clone(), claimer.clone());
        let claims = Batcher::start("ledger.claim", 1, CLAIMS, PATIENCE, move |jobs: Vec<JobId>| {
            let (line, pool, claimer) = (line.clone(), owner.clone(), own.clone());
            async move { claim_all(&line, &pool, &jobs, &claimer).await }
        });
        let ends = finisher(url, "ledger.finish", spaced(Spacing::ENDS), pool)?;
        let lone_ends = finisher(url, "ledger.finish_lone", spaced(Spacing::LONE_ENDS), pool)?;
        let line = Arc::new(store::line(url, "datagenie-worker-check", false)?);
        let spacing = spaced(Spacing::SLOTS);
        let versions = Batcher::spaced("ledger.versions", 1, VERSIONS, spacing, PATIENCE, move |pairs: Vec<(UserId, ConnectionId)>| {
            let line = line.clone();
            async move { read_versions(&line, &pairs).await }
        });
        let (line, owner, own) = (Arc::new(store::line(url, "datagenie-worker-claim-next", true)?), relaxed.clone(), claimer.clone());
        let leaving = Leaving::default();
        let leave = leaving.clone();
        let spacing = spaced(Spacing::SLOTS);
        let nexts = Batcher::spaced("ledger.claim_next", 1, CLAIMS, spacing, PATIENCE, move |wanted: Vec<Wanted>| {
            let (line, pool, claimer, leaving) = (line.clone(), owner.clone(), own.clone(), leave.clone());
            async move { claim_next_all(&line, &pool, &wanted, &leaving, &claimer).await }
        });
        let (line, singly) = (Arc::new(store::line(url, "datagenie-worker-deliveries", false)?), pool.clone());
        let deliveries = Batcher::start("ledger.deliveries", 1, DELIVERIES, PATIENCE, move |ends: Vec<Ending>| {
            let (line, pool) = (line.clone(), singly.clone());
            async move { deliver_all(&line, &pool, &ends).await }
        });
        Ok(Self { claims, ends, lone_ends, deliveries, versions, nexts, backlogs: Mutex::default(), leaving })
    }

    /// Whether a flow has had more waiting when one of its jobs last ended here.
    #[must_use]
    pub fn has_backlog(&self, flow: Flow) -> bool {
        self.backlogs.lock().unwrap_or_else(PoisonError::into_inner).contains(&flow)
    }

    fn note(&self, flow: Flow, more_wait: bool) {
        let mut backlogs = self.backlogs.lock().unwrap_or_else(PoisonError::into_inner);
        if !more_wait {
            backlogs.remove(&flow);
        } else if backlogs.len() < BACKLOGS {
            backlogs.insert(flow);
        }
    }

    /// Claims the next waiting job of a flow whose window is of this size, for a slot that one of its jobs has just left, or is leaving.
    pub async fn claim_next(&self, window: Window, leaving: Option<JobId>) -> Option<Claimed> {
        let next = self.nexts.call(Wanted { window, leaving }).await.flatten();
        if next.is_none() {
            self.note(window.flow, false);
        }
        next
    }

    /// Claims a job for one attempt; none: there is nothing to claim.
    ///
    /// # Errors
    /// [`NotClaimed`]; why is in the log.
    pub async fn claim(&self, job: JobId) -> Result<Option<Claimed>, NotClaimed> {
        self.claims.call(job).await.unwrap_or(Err(NotClaimed))
    }

    /// Writes the end of an attempt, fenced by its lease. `slot_goes_on`: nobody waits for it, so it may wait longer to share a commit.
    ///
    /// # Errors
    /// If the database fails: then nothing of it is written, or all (an unknown outcome): send it again.
    pub async fn finish(
        &self,
        job: Arc<Claimed>,
        stage: Option<Stage>,
        outcome: Arc<Outcome>,
        slot_goes_on: bool,
    ) -> Result<Finish, StoreError> {
        let flow = Flow { lane: job.lane, user_id: job.user_id };
        let _leaves = self.leaving.note(job.lease.job_id);
        let batcher = match *outcome {
            Outcome::Delivered(_) => &self.deliveries,
            _ if slot_goes_on => &self.ends,
            _ => &self.lone_ends,
        };
        let finish = batcher.call(Ending { job, stage, outcome }).await.unwrap_or_else(|| Err(gone()))?;
        self.note(flow, finish.more_wait);
        Ok(finish)
    }

    /// The version of a user's policy on a connection, read after this call was made.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn policy_version(&self, user: UserId, connection: ConnectionId) -> Result<Option<PolicyVersion>, StoreError> {
        self.versions.call((user, connection)).await.unwrap_or_else(|| Err(gone()))
    }
}

fn finisher<S>(url: &str, name: &'static str, spacing: S, pool: &PgPool) -> Result<Batcher<Ending, FinishResult>, StoreError>
where
    S: Fn() -> Duration + Clone + Send + Sync + 'static,
{
    let mut lines = Vec::with_capacity(COMMITS);
    for _ in 0..COMMITS {
        lines.push(store::line(url, "datagenie-worker-finish", false)?);
    }
    let (lines, turn, singly) = (Arc::new(lines), Arc::new(AtomicUsize::new(0)), pool.clone());
    Ok(Batcher::spaced(name, COMMITS, ENDS, spacing, PATIENCE, move |ends: Vec<Ending>| {
        let (lines, pool, turn) = (lines.clone(), singly.clone(), turn.fetch_add(1, Ordering::Relaxed));
        async move { finish_all(&lines[turn % lines.len()], &pool, &ends).await }
    }))
}

async fn claim_all(line: &Line, pool: &PgPool, jobs: &[JobId], claimer: &Claimer) -> Vec<Result<Option<Claimed>, NotClaimed>> {
    // A doubled message beside its twin has nothing to claim.
    let mut unique: Vec<JobId> = jobs.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let leases: Vec<Lease> = unique.iter().map(|&job_id| Lease { job_id, lease_id: LeaseId::new() }).collect();
    let claiming = async {
        let mut call = line.call().await?;
        let claimed = claim::claim_many(call.connection(), &leases, &claimer.instance, claimer.lease_seconds).await;
        call.kept(claimed)
    };
    let claimed = timeout(CLAIM_PATIENCE, claiming).await;
    match claimed {
        Ok(Ok(mut claimed)) => {
            jobs.iter().map(|job| Ok(unique.binary_search(job).ok().and_then(|at| claimed.get_mut(at)).and_then(Option::take))).collect()
        }
        failed => {
            match failed {
                Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, jobs = unique.len(), "claims are not decided"),
                _ => tracing::warn!(jobs = unique.len(), "claims are not decided in time"),
            }
            // They may have been made all the same: an outage of the database costs no attempt.
            let leases = leases.iter().map(|lease| lease.lease_id).collect();
            lifecycle::spawn("ledger.disown", disown(pool.clone(), leases, claimer.lease_seconds));
            jobs.iter().map(|_| Err(NotClaimed)).collect()
        }
    }
}

async fn claim_next_all(line: &Line, pool: &PgPool, slots: &[Wanted], leaving: &Leaving, claimer: &Claimer) -> Vec<Option<Claimed>> {
    let mut wanted: Vec<(Window, u32)> = Vec::new();
    for Wanted { window, .. } in slots {
        match wanted.iter_mut().find(|(known, _)| known.flow == window.flow) {
            Some((_, count)) => *count += 1,
            None => wanted.push((*window, 1)),
        }
    }
    let leases: Vec<LeaseId> = slots.iter().map(|_| LeaseId::new()).collect();
    let mut leaving = leaving.all();
    leaving.extend(slots.iter().filter_map(|slot| slot.leaving));
    let claiming = async {
        let mut call = line.call().await?;
        let Claimer { instance, lease_seconds, batch_window } = claimer;
        let claimed = claim::claim_next(call.connection(), &wanted, &leaving, *batch_window, &leases, instance, *lease_seconds).await;
        call.kept(claimed)
    };
    let claimed = timeout(CLAIM_PATIENCE, claiming).await;
    let mut claimed = match claimed {
        Ok(Ok(claimed)) => claimed,
        failed => {
            if let Ok(Err(error)) = failed {
                tracing::warn!(error = &error as &dyn std::error::Error, "the next jobs are not claimed; the sweep lets them in");
            }
            lifecycle::spawn("ledger.disown", disown(pool.clone(), leases, claimer.lease_seconds));
            return slots.iter().map(|_| None).collect();
        }
    };
    // To each who asked the first one of his flow that is left.
    let take = |Wanted { window, .. }: &Wanted| {
        let flow = |job: &Claimed| Flow { lane: job.lane, user_id: job.user_id };
        let at = claimed.iter().position(|job| flow(job) == window.flow)?;
        Some(claimed.remove(at))
    };
    slots.iter().map(take).collect()
}

async fn finish_all(line: &Line, pool: &PgPool, ends: &[Ending]) -> Vec<FinishResult> {
    // An end that was sent again while the first send is still under way goes by itself.
    let mut seen = HashSet::new();
    let plain: Vec<Option<End<'_>>> = ends
        .iter()
        .map(|end| End { job: &end.job, stage: end.stage, outcome: &end.outcome })
        .map(|end| (end.is_plain() && seen.insert(end.job.lease)).then_some(end))
        .collect();
    let together: Vec<End<'_>> = plain.iter().flatten().copied().collect();
    let writing = async {
        let mut call = line.call().await?;
        let written = finish_many::finish_many(call.connection(), &together).await;
        call.kept(written)
    };
    let mut written = match writing.await {
        Ok(written) => written.into_iter(),
        // The database is away for all of them.
        Err(error) if error.is_outage() => {
            tracing::debug!(error = &error as &dyn std::error::Error, "ends are not written");
            return ends.iter().map(|_| Err(gone())).collect();
        }
        // One of them can't be stored, and took the others with it: each for itself.
        Err(error) => {
            metrics::counter!("datagenie_finish_batches_refused_total").increment(1);
            tracing::warn!(error = &error as &dyn std::error::Error, ends = together.len(), "ends are written one by one");
            Vec::new().into_iter()
        }
    };
    let written: Vec<Option<Written>> = plain.iter().map(|end| end.as_ref().and_then(|_| written.next())).collect();
    join_all(ends.iter().zip(written).map(|(end, written)| singly(pool, end, written))).await
}

async fn deliver_all(line: &Line, pool: &PgPool, ends: &[Ending]) -> Vec<FinishResult> {
    // An end that was sent again while the first send is still under way goes by itself.
    let mut seen = HashSet::new();
    let plain: Vec<Option<Delivered<'_>>> = ends
        .iter()
        .map(|end| match &*end.outcome {
            Outcome::Delivered(attempt) if seen.insert(end.job.lease) => Some(Delivered { job: &end.job, attempt }),
            _ => None,
        })
        .collect();
    let together: Vec<Delivered<'_>> = plain.iter().flatten().copied().collect();
    let writing = async {
        let mut call = line.call().await?;
        let written = webhooks::delivered_many(call.connection(), &together).await;
        call.kept(written)
    };
    let mut written = match writing.await {
        Ok(written) => written.into_iter(),
        Err(error) if error.is_outage() => return ends.iter().map(|_| Err(gone())).collect(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, ends = together.len(), "deliveries are written one by one");
            Vec::new().into_iter()
        }
    };
    let written: Vec<Option<Written>> = plain.iter().map(|end| end.and_then(|_| written.next())).collect();
    join_all(ends.iter().zip(written).map(|(end, written)| singly(pool, end, written))).await
}

/// What was written of an end; what was not is written now by itself.
async fn singly(pool: &PgPool, end: &Ending, written: Option<Written>) -> FinishResult {
    match written {
        Some(Written::Ended { ended, more_wait }) => Ok(Finish { finished: Finished::Written(ended), more_wait }),
        // Lost, or written before by a send whose answer was lost.
        Some(Written::NotRunning) | None => {
            finish::finish(pool, end.job.lease, end.stage, &end.outcome).await.map(|finished| Finish { finished, more_wait: true })
        }
    }
}

async fn read_versions(line: &Line, pairs: &[(UserId, ConnectionId)]) -> Vec<VersionResult> {
    let mut unique = pairs.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let reading = async {
        let mut call = line.call().await?;
        let versions = permissions::versions(call.connection(), &unique).await;
        call.kept(versions)
    };
    match reading.await {
        Ok(versions) => {
            pairs.iter().map(|pair| Ok(unique.binary_search(pair).ok().and_then(|at| versions.get(at)).cloned().flatten())).collect()
        }
        Err(error) => {
            let outage = error.is_outage();
            let mut first = Some(error);
            // Each caller decides by whether it is an outage; the first one has the error itself.
            pairs
                .iter()
                .map(|_| {
                    Err(first.take().unwrap_or_else(|| if outage { gone() } else { StoreError::Database(sqlx::Error::WorkerCrashed) }))
                })
                .collect()
        }
    }
}
