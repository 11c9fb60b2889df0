//! The end of an attempt: what becomes of its job, written until it is known to be written.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use datagenie_common::{
    model::{
        jobs::{JobError, Lane},
        questions::{Failure, FailureCode, Stage},
    },
    store::{
        StoreError,
        ledger::{
            Flow, Outcome,
            claim::{self, Release},
            finish::Finished,
        },
    },
};

use super::{Attempt, Context};
use crate::{leases::Stop, registry};

/// How long a write to the ledger may take before it is sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often what should pass by itself is taken for that: a statement that is always cancelled has a limit too low for it.
const PASSING: u32 = 8;

/// Writes an attempt's end; whether its owner has more waiting, which may have its place.
pub(super) async fn settled(context: Context, ended: Attempt, elapsed: Duration) -> bool {
    let kind = context.job.kind.as_str();
    let outcome = settle(&context, ended).await;
    metrics::counter!("datagenie_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("datagenie_job_seconds", "kind" => kind).record(elapsed.as_secs_f64());
    tracing::info!(outcome, elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), "attempt ended");
    context.more_wait.load(Ordering::Relaxed)
}

/// Writes the end of an attempt; a word for the metrics.
async fn settle(context: &Context, ended: Attempt) -> &'static str {
    match ended {
        Attempt::Stopped(Stop::LeaseLost) => {
            metrics::counter!("datagenie_leases_lost_total").increment(1);
            tracing::warn!("the lease was lost; whatever this attempt found is dropped");
            "lease_lost"
        }
        Attempt::Stopped(Stop::Cancelled) => end(context, Outcome::Cancelled).await,
        Attempt::GivenBack => release(context, &Release::GivenBack).await,
        Attempt::Done(Ok(outcome)) => end(context, outcome).await,
        Attempt::Done(Err(JobError::Fail(failure))) => {
            let dead = failure.code == FailureCode::Internal;
            end(context, Outcome::Failed { failure, dead, ending: None }).await
        }
        Attempt::Done(Err(JobError::Retry { failure, after })) => {
            if context.job.attempt >= context.job.max_attempts {
                return end(context, Outcome::Failed { failure, dead: true, ending: None }).await;
            }
            let attempts = u32::try_from(context.job.attempt).unwrap_or(1);
            let wait = registry::rules(context.job.kind).wait(attempts, rand::random()).max(after);
            again(context, failure, wait, true).await
        }
        Attempt::Done(Err(JobError::Later { failure, at })) => {
            let wait = (at - context.env.clock.now()).to_std().unwrap_or_default();
            again(context, failure, wait, false).await
        }
    }
}

// Back into the queue, if there is time left before the deadline.
async fn again(context: &Context, failure: Failure, wait: Duration, counts: bool) -> &'static str {
    let left = context.job.seconds_left - context.claimed_at.elapsed().as_secs_f64() - wait.as_secs_f64();
    if left <= 0.0 {
        return end(context, Outcome::Failed { failure, dead: counts, ending: None }).await;
    }
    tracing::info!(
        code = failure.code.as_str(),
        wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        counts,
        "trying again later"
    );
    let seconds = wait.as_secs_f64();
    release(context, &if counts { Release::Retry { failure, seconds } } else { Release::Later { failure, seconds } }).await
}

async fn end(context: &Context, outcome: Outcome) -> &'static str {
    let stage = context.hold.last_stage();
    let mut written = finish(context, stage, outcome).await;
    if written.is_none() && !context.hold.is_lost() {
        // The database will not take what was found, whoever brings it: said at once, not after two more attempts at the same.
        let failure = Failure::new(FailureCode::Internal, "the answer could not be stored")
            .hint("an administrator finds the reason in the worker's log");
        written = finish(context, stage, Outcome::Failed { failure, dead: true, ending: None }).await;
    }
    match written {
        Some(Finished::Written(ended)) => {
            context.env.live.ended(&ended);
            if ended.tells_webhooks {
                context.env.dispatch.let_in(Flow { lane: Lane::Webhook, user_id: ended.user_id });
            }
            if let Some(batch) = context.job.batch_id {
                context.env.settling.look(batch);
            }
            ended.state.as_str()
        }
        Some(Finished::LeaseLost) => {
            metrics::counter!("datagenie_leases_lost_total").increment(1);
            tracing::warn!("the lease was lost before the end was written; nothing was touched");
            "lease_lost"
        }
        None => "unwritten",
    }
}

async fn finish(context: &Context, stage: Option<Stage>, outcome: Outcome) -> Option<Finished> {
    let outcome = Arc::new(outcome);
    let finished = insist(context, || context.env.ledger.finish(context.job.clone(), stage, outcome.clone(), context.slot_goes_on)).await?;
    context.more_wait.store(finished.more_wait, Ordering::Relaxed);
    Some(finished.finished)
}

async fn release(context: &Context, release: &Release) -> &'static str {
    let pool = &context.env.pool;
    let stage = context.hold.last_stage();
    let word = match release {
        Release::Retry { .. } => "retry",
        Release::Later { .. } => "later",
        Release::GivenBack => "given_back",
    };
    match insist(context, || claim::release(pool, context.hold.lease, stage, release)).await {
        Some(true) => {
            // Its place is free: for the next one, or, of a job given back, for itself. While something is away, the sweep lets the
            // next ones in: they would only run into the same, one after the other at full speed.
            context.more_wait.store(!matches!(release, Release::Later { .. }), Ordering::Relaxed);
            word
        }
        // Wanted stopped, so that it must not run again; or the lease was lost, which the finish finds out.
        Some(false) => end(context, Outcome::Cancelled).await,
        None => "unwritten",
    }
}

/// Sends a fenced write until it is known to have worked or not, as long as the lease may hold: the same lease makes it safe to
/// send again. None: given up; the lease runs out, and the job is rescued.
async fn insist<T, F>(context: &Context, write: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut wait = Duration::from_millis(20);
    let mut passing = 0;
    loop {
        let sent = tokio::time::timeout(PATIENCE, write()).await.unwrap_or(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)));
        match sent {
            Ok(value) => return Some(value),
            Err(error) if error.is_outage() || matches!(error, StoreError::Locked) || (error.is_passing() && passing < PASSING) => {
                passing += u32::from(error.is_passing());
                tracing::warn!(error = %error, "the end of an attempt is not written yet; trying again");
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the end of an attempt can't be written");
                return None;
            }
        }
        tokio::time::sleep(wait).await;
        if context.hold.is_lost() {
            return None;
        }
        wait = (wait * 2).min(Duration::from_secs(1));
    }
}
