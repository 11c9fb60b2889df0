//! Sends one event to an endpoint or a callback URL.

use std::time::Duration;

use datagenie_common::{
    crypto::SigningSecret,
    jobs::DeliverWebhook,
    model::{
        jobs::JobError,
        questions::{Failure, FailureCode},
    },
    store::{
        ledger::Outcome,
        webhooks::{self, Attempt, Delivery, Disabling, DueDelivery, Gone},
    },
};

use crate::{
    question::failures,
    run::Context,
    webhooks::{Exchange, SendError, Signed, schedule},
};

/// One attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    let payload: DeliverWebhook = context.payload()?;
    let (env, id) = (&context.env, payload.delivery_id);
    let due = webhooks::due(&env.pool, id, context.job.lease.job_id).await.map_err(|error| failures::store(context, &error))?;
    let delivery = match due {
        DueDelivery::Due(delivery) => delivery,
        DueDelivery::Void(why) => return Err(JobError::Fail(Failure::new(FailureCode::DeliveryFailed, why))),
    };
    let signed = sign(context, &delivery)?;
    let Exchange { took, answered } = env.webhooks.send(&delivery.url, signed).await;
    let duration_ms = i32::try_from(took.as_millis()).unwrap_or(i32::MAX);
    metrics::histogram!("datagenie_webhook_seconds").record(took.as_secs_f64());
    let error = match answered {
        Ok(status) => return Ok(Outcome::Delivered(Attempt { duration_ms, status_code: Some(code(status)), error: None })),
        Err(error) => error,
    };
    let gone = if matches!(error, SendError::Status { status: 410, .. }) { Gone::Yes } else { Gone::No };
    let attempt = Attempt { duration_ms, status_code: error.status().map(code), error: Some(error.to_string()) };
    let disabling = webhooks::failed(&env.pool, &context.job, id, delivery.endpoint, &attempt, gone).await;
    let disabling = disabling.map_err(|error| failures::store(context, &error))?;
    let failure = Failure::new(FailureCode::DeliveryFailed, error.to_string());
    if disabling != Disabling::None {
        return Err(JobError::Fail(failure.hint("the endpoint is disabled; make it active again, then replay")));
    }
    if gone == Gone::Yes {
        return Err(JobError::Fail(failure));
    }
    let attempts = usize::try_from(context.job.attempt).unwrap_or(1);
    Err(JobError::Retry { failure: failure.retryable(), after: wait(attempts, error.retry_after()) })
}

/// The wait after so many attempts, from 1: by the schedule, and not before the target wants to be asked again.
fn wait(attempts: usize, retry_after: Option<Duration>) -> Duration {
    schedule::wait(attempts, rand::random()).max(retry_after.unwrap_or_default())
}

fn code(status: u16) -> i16 {
    i16::try_from(status).unwrap_or(i16::MAX)
}

/// The body and its headers, with the signatures of all secrets that hold.
fn sign(context: &Context, delivery: &Delivery) -> Result<Signed, JobError> {
    let internal = |message: &'static str| JobError::Retry {
        failure: Failure::new(FailureCode::Internal, message).hint("check the sealing key").retryable(),
        after: schedule::wait(usize::try_from(context.job.attempt).unwrap_or(1), rand::random()),
    };
    let body = serde_json::to_vec(&delivery.event).map_err(|_| internal("the event can't be rendered"))?;
    let id = delivery.event.id.to_string();
    let timestamp = context.env.clock.now().timestamp();
    let mut signatures = Vec::with_capacity(delivery.secrets.len());
    for (n, sealed) in delivery.secrets.iter().enumerate() {
        match SigningSecret::open(&context.env.keyring, delivery.signs, sealed) {
            Ok(secret) => signatures.push(secret.sign(&id, timestamp, &body)),
            // The one before, whose key is lost: the new one signs alone, or a rotation would help only after a day.
            Err(error) if n > 0 => tracing::warn!(error = %error, "the old secret of a webhook can't be unsealed; the new one signs alone"),
            Err(error) => {
                tracing::error!(error = %error, "the secret of a webhook can't be unsealed");
                return Err(internal("the secret that signs it can't be unsealed"));
            }
        }
    }
    if signatures.is_empty() {
        return Err(internal("there is no secret that signs it"));
    }
    Ok(Signed { id, timestamp, signature: signatures.join(" "), body })
}
