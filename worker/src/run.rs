//! One bell: claim, run, finish. The only place where an attempt's end is decided.

mod ends;

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use datagenie_common::{
    broker::Bell,
    ids::{JobId, UserId},
    jobs::{JobKind, PAYLOAD_VERSION},
    lifecycle::{self, Shutdown},
    model::{
        jobs::{JobError, Lane},
        questions::{Failure, FailureCode, Stage},
    },
    store::ledger::{Claimed, Flow, Outcome, admit::Window, sweep::deadline_passed},
    telemetry::trace::TraceContext,
};
use futures::FutureExt;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use self::ends::settled;
use crate::{
    env::Env,
    leases::{Hold, Stop},
    ledger::NotClaimed,
    registry,
};

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
    /// Whether its slot goes on while its end is being written.
    slot_goes_on: bool,
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
    let mut settling = None;
    loop {
        let flow = Flow { lane: turn.job.lane, user_id: turn.job.user_id };
        metrics::histogram!("datagenie_job_wait_seconds", "lane" => flow.lane.as_str()).record(turn.job.waited_seconds);
        let span = span(&turn.job);
        let may_go_on = || slots.available_permits() > 0 && !shutdown.is_stopping() && began.elapsed() < LONGEST_CHAIN;
        let attempted = attempt(env.clone(), turn, settling, &may_go_on, shutdown.hard()).instrument(span).await;
        (turn, settling) = match attempted {
            Attempted::GoesOn { next, settling } => (*next, Some(settling)),
            Attempted::Over { more_wait: false } => return,
            Attempted::Over { more_wait: true } if !may_go_on() => {
                env.dispatch.let_in(flow);
                return;
            }
            Attempted::Over { more_wait: true } => match next_of(&env, flow, None).await {
                Some(next) => (next, None),
                // Others have filled the window, or it looks so until another worker's ends are written.
                None => {
                    env.dispatch.let_in(flow);
                    return;
                }
            },
        };
    }
}

/// What an attempt leaves to its slot.
enum Attempted {
    /// Its end is written. Its owner may have more waiting, which may have its place.
    Over { more_wait: bool },
    /// Its end is being written, and the next job of its owner is claimed.
    GoesOn { next: Box<Turn>, settling: JoinHandle<bool> },
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
    // The beginning of a trace where the job continues none, whatever the task that runs it is part of.
    let span = tracing::info_span!(
        parent: None,
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

/// One attempt, and the end of the one before it in the same slot, which is to be written before the slot goes on once more: so much may
/// wait for the database, and no more.
async fn attempt(
    env: Arc<Env>,
    turn: Turn,
    before: Option<JoinHandle<bool>>,
    may_go_on: &(dyn Fn() -> bool + Sync),
    hurry: &CancellationToken,
) -> Attempted {
    let Turn { job, hold, claimed_at } = turn;
    let kind = job.kind;
    if matches!(kind, JobKind::AnswerQuestion | JobKind::AnalyseFile)
        && let Some(subject) = job.subject_id
    {
        let data = json!({ "job_id": job.lease.job_id, "attempt": job.attempt });
        env.live.progress(job.user_id, &subject.to_string(), &format!("{}.started", kind.event_subject()), data);
    }
    let (flow, job_id) = (Flow { lane: job.lane, user_id: job.user_id }, job.lease.job_id);
    let mut context = Context {
        env: env.clone(),
        job: Arc::new(job),
        hold,
        claimed_at,
        more_wait: AtomicBool::new(false),
        slot_goes_on: false,
        stop: CancellationToken::new(),
    };
    let began = Instant::now();
    let ended = if context.job.seconds_left <= 0.0 {
        // What kept it from running, if that is known, tells more than that its time is over.
        Attempt::Done(Err(JobError::Fail(context.job.error.clone().unwrap_or_else(deadline_passed))))
    } else {
        work(&context, hurry).await
    };
    let elapsed = began.elapsed();
    let before = async {
        if let Some(before) = before {
            let _ = before.await;
        }
    };
    // Where a backlog is known, the next one is claimed, and begins, while this one's end is written.
    let is_over = matches!(ended, Attempt::Done(Ok(_) | Err(JobError::Fail(_))));
    if !(is_over && env.ledger.has_backlog(flow) && may_go_on()) {
        let (more_wait, ()) = tokio::join!(settled(context, ended, elapsed), before);
        return Attempted::Over { more_wait };
    }
    before.await;
    context.slot_goes_on = true;
    let settling = lifecycle::spawn_within(settled(context, ended, elapsed));
    // Asked again: it may have taken long.
    let next = if may_go_on() { next_of(&env, flow, Some(job_id)).await } else { None };
    match next {
        Some(next) => Attempted::GoesOn { next: Box::new(next), settling },
        // Whatever became of it, somebody may have its place.
        None => Attempted::Over { more_wait: settling.await.unwrap_or(true) },
    }
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
