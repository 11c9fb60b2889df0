//! `POST /v1/jobs/{id}/retry`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::{JobId, UserId},
    store::{
        audit::{self, Entry},
        ledger::dead::{self, Replayed},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{JobView, as_it_is, changeable, just_made};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Idempotency, NoBody, Wait},
    frame::Framed,
    idempotency,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(retry_job)
}

/// Makes a new job that repeats a dead one (`replay_of`); a question then shows the new one. Admins may retry everybody's, by a key with
/// the scope `admin`.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The dead job"), ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same new job, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until the new job has ended, at most 60 s")),
    responses((status = 200, description = "The new job, ended while you waited", body = JobView), (status = 202, description = "The new job", body = JobView), (status = 409, description = "It is not dead, or the first request with the same Idempotency-Key is still being taken in", body = crate::error::Problem, content_type = "application/problem+json"), (status = 413, description = "The body is too large", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn retry_job(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    wait: Wait,
    headers: HeaderMap,
    NoBody(key): NoBody,
) -> Result<Response> {
    again(&app, JobId(id), &Asked { framed, caller, wait, headers, key }, "job.retried").await
}

/// Who asks for a dead job once more, and how he wants to hear of it.
pub struct Asked {
    /// Where the call came from.
    pub framed: Framed,
    /// Who asks.
    pub caller: Caller,
    /// How long he is ready to wait for the end of the new job.
    pub wait: Wait,
    /// What he has of it already.
    pub headers: HeaderMap,
    /// His `Idempotency-Key`.
    pub key: Idempotency,
}

/// Makes a new job of a dead one, audited as `action`; the answer shows the new one.
///
/// # Errors
/// 404 for an unknown job, 403 for one of somebody else that his key may not change, 409 for one that is not dead, 429 and 503 where too
/// many wait.
pub async fn again(app: &App, id: JobId, asked: &Asked, action: &str) -> Result<Response> {
    let Asked { framed, caller, wait, headers, key } = asked;
    if let Some(earlier) = idempotency::find(app, caller, key).await? {
        return as_it_is(app, caller, JobId(earlier), *wait, headers).await;
    }
    let old = changeable(app, caller, id).await?;
    let entered = if old.dead { Some(app.admission.enter(UserId(old.user_id), 1).await?) } else { None };
    let owner = (!caller.is_admin()).then_some(caller.user_id);
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, caller, key, Uuid::nil()).await? {
        tx.rollback().await?;
        return as_it_is(app, caller, JobId(earlier), *wait, headers).await;
    }
    let job = match dead::replay(&mut tx, owner, id).await? {
        Replayed::New(job) => job,
        Replayed::NotDead(state) => {
            return Err(ApiError::new(Code::NotDead, format!("the job is {state} and not dead: there is nothing to retry")));
        }
        Replayed::Superseded => {
            return Err(ApiError::new(Code::NotDead, "its question has a newer job, or is gone: there is nothing to retry"));
        }
        Replayed::Unknown => return Err(ApiError::not_found("job")),
    };
    idempotency::made(&mut tx, caller, key, job.id.0).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type: "job",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "job_id": job.id }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    drop(entered);
    app.let_in(&job);
    just_made(app, caller, job.id, *wait, headers).await
}
