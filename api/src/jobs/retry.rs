//! `POST /v1/jobs/{id}/retry`.

use axum::{extract::State, response::Response};
use datagenie_common::{
    ids::JobId,
    store::{
        audit::{self, Entry},
        ledger::view::{self, Replayed},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{JobView, accepted};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Id,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(retry_job)
}

/// Makes a new job that repeats a dead one (`replay_of`); a question then shows the new one. Admins may retry everybody's.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/retry", tag = "jobs", params(("id" = uuid::Uuid, Path, description = "The dead job")),
    responses((status = 202, description = "The new job", body = JobView), (status = 409, description = "It is not dead", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn retry_job(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<Response> {
    let owner = (!caller.is_admin()).then_some(caller.user_id);
    let mut tx = app.pool.begin().await?;
    let job = match view::replay(&mut tx, owner, JobId(id)).await? {
        Replayed::New(job) => job,
        Replayed::NotDead(state) => {
            return Err(ApiError::new(Code::NotDead, format!("the job is {state} and not dead: there is nothing to retry")));
        }
        Replayed::Unknown => return Err(ApiError::not_found("job")),
    };
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
    let view = view::find(&app.pool, owner, job.id).await?.ok_or_else(|| ApiError::not_found("job"))?;
    accepted(view)
}
