//! What goes wrong in the pipeline, in the contract's codes, and what the ledger is to do about it.

use std::{io, time::Duration};

use chrono::{DateTime, Utc};
use datagenie_common::{
    files::{self, FilesError},
    model::{
        jobs::JobError,
        questions::{Failure, FailureCode},
    },
    store::StoreError,
};

use crate::{llm::openai::ModelError, run::Context, sources::SourceError};

/// Nothing that is away is looked at sooner than this.
const SOONEST: Duration = Duration::from_millis(500);

/// When to look again at something that is away: soon at first, then less often, the longer the job has tried.
pub fn look_again(context: &Context) -> DateTime<Utc> {
    // PostgreSQL's count of seconds, not a difference of two clocks.
    let tried = Duration::try_from_secs_f64(context.job.seconds_since_first).unwrap_or_default();
    context.env.clock.now() + (tried / 2).clamp(SOONEST, Duration::from_secs(15))
}

/// The most that is added to a wait, as a part of it: those who were sent away together do not all come back together.
const JITTER: f64 = 0.2;

/// When to try again after something told how long to stay away: never sooner than that.
fn not_before(context: &Context, after: Duration) -> DateTime<Utc> {
    let after = after.max(SOONEST).mul_f64(1.0 + JITTER * rand::random::<f64>());
    let told = chrono::Duration::from_std(after).ok().and_then(|after| context.env.clock.now().checked_add_signed(after));
    told.unwrap_or_else(|| look_again(context))
}

/// The system database failed in the middle of a job.
pub fn store(context: &Context, error: &StoreError) -> JobError {
    tracing::warn!(error = error as &dyn std::error::Error, "the system database failed in the middle of a job");
    let failure = Failure::new(FailureCode::Internal, "the service's own database did not answer").retryable();
    if error.is_outage() {
        JobError::Later { failure, at: look_again(context) }
    } else {
        JobError::Retry { failure, after: Duration::ZERO }
    }
}

/// The file storage failed in the middle of a job: one that is away or full is waited for.
pub fn storage(context: &Context, error: &FilesError) -> JobError {
    tracing::error!(error = error as &dyn std::error::Error, "the file storage failed in the middle of a job");
    if error.is_full() {
        return no_room(context);
    }
    let failure = Failure::new(FailureCode::Internal, "the service's file storage did not answer").retryable();
    if error.is_outage() {
        JobError::Later { failure, at: look_again(context) }
    } else {
        JobError::Retry { failure, after: Duration::from_secs(1) }
    }
}

/// The files of this machine failed in the middle of a job.
pub fn local_files(context: &Context, error: &io::Error) -> JobError {
    tracing::error!(error = error as &dyn std::error::Error, "a temporary file failed in the middle of a job");
    if files::is_full(error) {
        return no_room(context);
    }
    let failure = Failure::new(FailureCode::Internal, "the service could not keep a temporary file").retryable();
    JobError::Retry { failure, after: Duration::from_secs(1) }
}

fn no_room(context: &Context) -> JobError {
    let failure = Failure::new(FailureCode::Internal, "the service has no room left for files")
        .hint("an administrator has to make some; it is tried again until the job's deadline")
        .retryable();
    JobError::Later { failure, at: look_again(context) }
}

/// The customer's database failed: outages pass, the rest is final.
pub fn source(context: &Context, error: &SourceError) -> JobError {
    let failure = error.failure();
    tracing::info!(code = failure.code.as_str(), error = %error, "the source failed");
    if !error.is_outage() {
        return JobError::Fail(failure);
    }
    let at = error.retry_after().map_or_else(|| look_again(context), |after| not_before(context, after));
    JobError::Later { failure: failure.retryable(), at }
}

/// Asks the model, and hangs up when the attempt must stop.
pub async fn unless_stopped<T>(context: &Context, call: impl Future<Output = Result<T, ModelError>>) -> Result<T, ModelError> {
    tokio::select! {
        answered = call => answered,
        () = context.stop.cancelled() => Err(ModelError::Unavailable("the attempt was stopped".to_owned())),
    }
}

/// The model failed: outages and rate limits pass, the rest is final.
pub fn model(context: &Context, error: &ModelError) -> JobError {
    tracing::info!(error = %error, "the model failed");
    match error {
        ModelError::Unavailable(_) => unavailable(error, look_again(context)),
        ModelError::Resting { after } => unavailable(error, not_before(context, *after)),
        ModelError::RateLimited { after } => {
            let at = after.map_or_else(|| look_again(context), |after| not_before(context, after));
            busy(error, "it is tried again when the model says so, until the question's deadline", at)
        }
        ModelError::OverLimit { after } => {
            let hint = "it is tried again when there are some, until the question's deadline; an administrator can raise \
                        llm.requests_per_minute and llm.tokens_per_minute";
            busy(error, hint, not_before(context, *after))
        }
        ModelError::Busy => {
            let hint = "it is tried again until the question's deadline; an administrator can raise llm.max_concurrency";
            busy(error, hint, look_again(context))
        }
        ModelError::Unauthorised(_) => JobError::Fail(
            Failure::new(FailureCode::ModelUnauthorised, error.to_string()).hint("an administrator must set a valid llm.api_key"),
        ),
        ModelError::Refused(_) => JobError::Fail(
            Failure::new(FailureCode::ModelUnavailable, error.to_string()).hint("an administrator must check the model's settings"),
        ),
        ModelError::Invalid(_) => JobError::Retry {
            failure: Failure::new(FailureCode::ModelAnswerInvalid, error.to_string()).retryable(),
            after: Duration::from_secs(1),
        },
    }
}

fn unavailable(error: &ModelError, at: DateTime<Utc>) -> JobError {
    let failure = Failure::new(FailureCode::ModelUnavailable, error.to_string())
        .hint("it is tried again until the question's deadline; check llm.base_url if this lasts")
        .retryable();
    JobError::Later { failure, at }
}

fn busy(error: &ModelError, hint: &str, at: DateTime<Utc>) -> JobError {
    JobError::Later { failure: Failure::new(FailureCode::ModelRateLimited, error.to_string()).hint(hint).retryable(), at }
}

/// The caller has no (longer a) policy on this connection. Nothing tells whether the connection exists.
pub fn not_permitted() -> JobError {
    JobError::Fail(
        Failure::new(FailureCode::PermissionDenied, "you may not query this connection").hint("an administrator can give the permission"),
    )
}

/// What to tell a model about a statement that found nothing.
pub fn suspiciously_empty() -> Failure {
    Failure::new(FailureCode::SqlInvalid, "the statement ran and returned no rows")
        .hint("check literal values, their spelling and case, and date ranges against the listed sample values; if no row can match, answer with the same statement")
}
