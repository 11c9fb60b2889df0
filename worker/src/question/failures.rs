//! What goes wrong in the pipeline, in the contract's codes, and what the ledger is to do about it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use datagenie_common::{
    model::{
        jobs::JobError,
        questions::{Failure, FailureCode},
    },
    store::StoreError,
};

use crate::{llm::openai::ModelError, run::Context, sources::SourceError};

/// When to look again at something that is away: soon at first, then less often, as the job grows older.
pub fn look_again(context: &Context) -> DateTime<Utc> {
    let now = context.env.clock.now();
    let age = (now - context.job.created_at).to_std().unwrap_or_default();
    now + (age / 2).clamp(Duration::from_millis(500), Duration::from_secs(15))
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

/// The customer's database failed: outages pass, the rest is final.
pub fn source(context: &Context, error: &SourceError) -> JobError {
    let failure = error.failure();
    tracing::info!(code = failure.code.as_str(), error = %error, "the source failed");
    if error.is_outage() { JobError::Later { failure: failure.retryable(), at: look_again(context) } } else { JobError::Fail(failure) }
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
        ModelError::Unavailable(_) => JobError::Later {
            failure: Failure::new(FailureCode::ModelUnavailable, error.to_string())
                .hint("it is tried again until the question's deadline; check llm.base_url if this lasts")
                .retryable(),
            at: look_again(context),
        },
        ModelError::RateLimited { after } => {
            let asked = after.and_then(|after| chrono::Duration::from_std(after).ok()).map(|after| context.env.clock.now() + after);
            JobError::Later {
                failure: Failure::new(FailureCode::ModelRateLimited, error.to_string())
                    .hint("it is tried again when the model says so, until the question's deadline")
                    .retryable(),
                at: asked.map_or_else(|| look_again(context), |at| at.max(context.env.clock.now())),
            }
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
