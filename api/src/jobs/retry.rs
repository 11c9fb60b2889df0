//! `POST /v1/jobs/{id}/retry`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::JobId,
    store::{
        audit::{self, Entry},
        ledger::view::{self, Replayed},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{JobView, as_it_is, just_made, owned};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, NoBody, Wait},
    frame::Framed,
    idempotency,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(retry_job)
}

/// Makes a new job that repeats a dead one (`replay_of`); a question then shows the new one. Admins may retry everybody's.
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
    if let Some(earlier) = idempotency::find(&app, &caller, &key).await? {
        return as_it_is(&app, &caller, JobId(earlier), wait, &headers).await;
    }
    owned(&app, &caller, JobId(id)).await?;
    let owner = (!caller.is_admin()).then_some(caller.user_id);
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, Uuid::nil()).await? {
        tx.rollback().await?;
        return as_it_is(&app, &caller, JobId(earlier), wait, &headers).await;
    }
    let job = match view::replay(&mut tx, owner, JobId(id)).await? {
        Replayed::New(job) => job,
        Replayed::NotDead(state) => {
            return Err(ApiError::new(Code::NotDead, format!("the job is {state} and not dead: there is nothing to retry")));
        }
        Replayed::Unknown => return Err(ApiError::not_found("job")),
    };
    idempotency::made(&mut tx, &caller, &key, job.id.0).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "job.retried",
        resource_type: "job",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "job_id": job.id }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.ring(vec![job.ring()]);
    just_made(&app, &caller, job.id, wait, &headers).await
}
