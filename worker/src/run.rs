//! One bell: claim, run, finish. The only place where an attempt's end is decided.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use datagenie_common::{
    broker::Bell,
    ids::{JobId, UserId},
    jobs::{JobKind, PAYLOAD_VERSION},
    lifecycle::Shutdown,
    model::{
        jobs::{JobError, Lane},
        questions::{Failure, FailureCode, Stage},
    },
    store::{
        StoreError,
        ledger::{
            Claimed, Flow, Outcome,
            admit::Window,
            claim::{self, Release},
            finish::Finished,
            sweep::deadline_passed,
        },
    },
    telemetry::trace::TraceContext,
};
use futures::FutureExt;
use serde_json::json;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    env::Env,
    leases::{Hold, Stop},
    ledger::NotClaimed,
    registry,
};

/// How long a write to the ledger may take before it is sent again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often what should pass by itself is taken for that: a statement that is always cancelled has a limit too low for it.
const PASSING: u32 = 8;

/// How long one bell's slot may take the next jobs: RabbitMQ waits half an hour for a message's acknowledgement.
const LONGEST_CHAIN: Duration = Duration::from_secs(60);

/// How long a job of a newer version waits for another worker.
const NEWER_WORKER: Duration = Duration::from_secs(2);

/// What a running job has.
pub struct Context {
    /// Everything that it may touch.
    pub env: Arc<Env>,
    /// What it is to do.
    pub job: Arc<Claimed>,
    /// Its hold on the job.
    pub hold: Hold,
    /// Before the claim was sent.
    claimed_at: Instant,
    /// Whether its owner has more waiting, as its end has found.
    more_wait: AtomicBool,
    /// Cancelled when the attempt must stop: what it has asked of others is to stop too.
    pub stop: CancellationToken,
}

impl Context {
    /// As whose turn it counts among those who share sessions of a source or calls of a model: a user's batches are somebody of their own,
    /// so that they keep none of his own questions waiting.
    #[must_use]
    pub fn turn_of(&self) -> UserId {
        let user = self.job.user_id;
        if self.job.batch_id.is_some() { UserId(Uuid::from_u128(!user.0.as_u128())) } else { user }
    }

    /// Notes and tells what the attempt is doing.
    pub fn stage(&self, stage: Stage) {
        self.hold.stage(stage);
        self.tell(stage, None);
    }

    /// Tells how many rows of a workbook have been read.
    pub fn rows(&self, rows: u64) {
        self.tell(Stage::Reading, Some(rows));
    }

    fn tell(&self, stage: Stage, rows: Option<u64>) {
        if let Some(subject) = self.job.subject_id {
            let event = format!("{}.progress", self.job.kind.event_subject());
            let mut data = json!({ "job_id": self.job.lease.job_id, "stage": stage, "attempt": self.job.attempt });
            if let Some(rows) = rows {
                data["rows"] = json!(rows);
            }
            self.env.live.progress(self.job.user_id, &subject.to_string(), &event, data);
        }
    }

    /// The job's payload, as its kind has it.
    ///
    /// # Errors
    /// A payload of a newer version is left to a newer worker; one that can't be read at all is final.
    pub fn payload<T: serde::de::DeserializeOwned>(&self) -> Result<T, JobError> {
        if self.job.payload["v"].as_u64().is_some_and(|version| version > u64::from(PAYLOAD_VERSION)) {
            let failure = Failure::new(FailureCode::Internal, "the job was made by a newer version and waits for a worker of that version");
            return Err(JobError::Later { failure: failure.retryable(), at: self.env.clock.now() + NEWER_WORKER });
        }
        serde_json::from_value(self.job.payload.clone()).map_err(|error| {
            tracing::error!(error = %error, "a job's payload can't be read");
            JobError::Fail(Failure::new(FailureCode::Internal, "the job's payload can't be read by this version of the worker"))
        })
    }
}

/// How an attempt ended.
enum Attempt {
    Done(Result<Outcome, JobError>),
    Stopped(Stop),
    /// The worker is stopping and has no time left.
    GivenBack,
}

/// Hears one bell out: claims its job if there is one to claim, runs it and writes its end. Never fails: what can't be written now
/// is left to the lease, which runs out.
pub async fn hear(env: Arc<Env>, lane: Lane, bell: Bell, shutdown: Shutdown) {
    let Bell { message, mut receipt, slot } = bell;
    let claimed_at = Instant::now();
    match env.ledger.claim(message.job_id).await {
        Ok(Some(job)) => {
            // The message is settled beside the job: it must not wait for the broker.
            tokio::join!(receipt.decided(), work_on(env, job, claimed_at, &shutdown, slot.semaphore()));
        }
        Ok(None) => {
            // Running elsewhere, over, not due, or gone: a doubled or late message changes nothing.
            metrics::counter!("datagenie_claims_lost_total", "lane" => lane.as_str()).increment(1);
            receipt.decided().await;
        }
        Err(NotClaimed) => {
            tracing::warn!(job_id = %message.job_id, "no claim; the sweep will ring again");
            // A queue must not be emptied into an outage of the database.
            tokio::time::sleep(Duration::from_secs(1)).await;
            receipt.decided().await;
        }
    }
    // The broker sends no more than there are slots: first it hears that this one is free, then the slot is.
    receipt.freed().await;
    drop(receipt);
    drop(slot);
}

/// Runs a job, and then, in the same slot, the next ones of its owner: as long as other slots are free, so that nobody else waits for
/// this one. It spares each of them a bell.
async fn work_on(env: Arc<Env>, job: Claimed, claimed_at: Instant, shutdown: &Shutdown, slots: &Semaphore) {
    let began = Instant::now();
    let mut turn = Turn::new(&env, job, claimed_at);
    loop {
        let flow = Flow { lane: turn.job.lane, user_id: turn.job.user_id };
        metrics::histogram!("datagenie_job_wait_seconds", "lane" => flow.lane.as_str()).record(turn.job.waited_seconds);
        let span = span(&turn.job);
        let may_go_on = || slots.available_permits() > 0 && !shutdown.is_stopping() && began.elapsed() < LONGEST_CHAIN;
        let (more_wait, next) = attempt(env.clone(), turn, &may_go_on, shutdown.hard()).instrument(span).await;
        turn = match next {
            Some(next) => next,
            None if !more_wait => return,
            None if !may_go_on() => {
                env.dispatch.let_in(flow);
                return;
            }
            None => match next_of(&env, flow, None).await {
                Some(next) => next,
                None => return,
            },
        };
    }
}

/// A claimed job, and the hold on it from then on.
struct Turn {
    job: Claimed,
    hold: Hold,
    claimed_at: Instant,
}

impl Turn {
    fn new(env: &Env, job: Claimed, claimed_at: Instant) -> Self {
        let hold = env.leases.hold(job.lease, claimed_at);
        Self { job, hold, claimed_at }
    }
}

async fn next_of(env: &Env, flow: Flow, leaving: Option<JobId>) -> Option<Turn> {
    let claimed_at = Instant::now();
    let window = Window { flow, size: env.dispatch.window(flow.lane).await };
    env.ledger.claim_next(window, leaving).await.map(|job| Turn::new(env, job, claimed_at))
}

fn span(job: &Claimed) -> tracing::Span {
    let span = tracing::info_span!(
        "job",
        otel.name = format!("job.{}", job.kind),
        job_id = %job.lease.job_id,
        kind = %job.kind,
        attempt = job.attempt,
        subject_id = job.subject_id.map(tracing::field::display),
        trace_id = tracing::field::Empty,
    );
    let _ = TraceContext::begin(&span, job.traceparent.as_deref().and_then(TraceContext::parse));
    span
}

/// One attempt; whether its owner has more waiting, which may have its place, and the next one if it is claimed already.
async fn attempt(env: Arc<Env>, turn: Turn, may_go_on: &(dyn Fn() -> bool + Sync), hurry: &CancellationToken) -> (bool, Option<Turn>) {
    let Turn { job, hold, claimed_at } = turn;
    let kind = job.kind;
    if matches!(kind, JobKind::AnswerQuestion | JobKind::AnalyseFile)
        && let Some(subject) = job.subject_id
    {
        let data = json!({ "job_id": job.lease.job_id, "attempt": job.attempt });
        env.live.progress(job.user_id, &subject.to_string(), &format!("{}.started", kind.event_subject()), data);
    }
    let flow = Flow { lane: job.lane, user_id: job.user_id };
    let context = Context { env, job: Arc::new(job), hold, claimed_at, more_wait: AtomicBool::new(false), stop: CancellationToken::new() };
    let began = Instant::now();
    let ended = if context.job.seconds_left <= 0.0 {
        // What kept it from running, if that is known, tells more than that its time is over.
        Attempt::Done(Err(JobError::Fail(context.job.error.clone().unwrap_or_else(deadline_passed))))
    } else {
        work(&context, hurry).await
    };
    // Where a backlog is known, the next one is claimed while this one's end is written.
    let is_over = matches!(ended, Attempt::Done(Ok(_) | Err(JobError::Fail(_))));
    let goes_on = is_over && context.env.ledger.has_backlog(flow) && may_go_on();
    let next = async { if goes_on { next_of(&context.env, flow, Some(context.job.lease.job_id)).await } else { None } };
    let (outcome, next) = tokio::join!(settle(&context, ended), next);
    metrics::counter!("datagenie_jobs_total", "kind" => kind.as_str(), "outcome" => outcome).increment(1);
    metrics::histogram!("datagenie_job_seconds", "kind" => kind.as_str()).record(began.elapsed().as_secs_f64());
    tracing::info!(outcome, elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "attempt ended");
    (context.more_wait.load(Ordering::Relaxed), next)
}

/// How long a job that must stop may take to end what it has asked of others: longer than a source takes to cancel its statement,
/// which holds its place among the sessions until then.
const WIND_DOWN: Duration = Duration::from_secs(4);

async fn work(context: &Context, hurry: &CancellationToken) -> Attempt {
    let left = Duration::try_from_secs_f64(context.job.seconds_left).unwrap_or(Duration::MAX);
    let rules = registry::rules(context.job.kind);
    let (limit, by_deadline) = if left < rules.timeout { (left, true) } else { (rules.timeout, false) };
    let mut job = std::pin::pin!(AssertUnwindSafe(registry::run(context)).catch_unwind());
    let ended = tokio::select! {
        done = &mut job => return Attempt::Done(done.unwrap_or_else(|_| Err(panicked()))),
        () = tokio::time::sleep(limit) => Attempt::Done(Err(if by_deadline {
            JobError::Fail(deadline_passed())
        } else {
            retry(Failure::new(FailureCode::Timeout, format!("the attempt took longer than {} s", limit.as_secs())))
        })),
        stop = context.hold.stopped() => Attempt::Stopped(stop),
        () = hurry.cancelled() => Attempt::GivenBack,
    };
    // A customer's query is cancelled on its server, a model's call is hung up: dropping the job alone would leave the query running.
    context.stop.cancel();
    if tokio::time::timeout(WIND_DOWN, job).await.is_err() {
        tracing::warn!("the job did not wind down in time; it was dropped");
    }
    ended
}

fn panicked() -> JobError {
    // Its words may quote data: what is harmless of them is in the log, in the line before this one.
    tracing::error!("a job panicked");
    retry(Failure::new(FailureCode::Internal, "the job failed by a fault of ours"))
}

fn retry(failure: Failure) -> JobError {
    JobError::Retry { failure: failure.retryable(), after: Duration::ZERO }
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
    let finished = insist(context, || context.env.ledger.finish(context.job.clone(), stage, outcome.clone())).await?;
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
