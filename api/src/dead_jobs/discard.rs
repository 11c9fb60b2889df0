//! `DELETE /v1/dead-jobs/{id}`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::JobId,
    store::{
        audit::{self, Entry},
        ledger::dead,
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Id,
    frame::Framed,
    jobs::owned,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(discard_dead_job)
}

/// Takes a job off the dead ones: it stays failed, and can't be replayed any more.
#[utoipa::path(
    delete, path = "/v1/dead-jobs/{id}", tag = "operation", params(("id" = uuid::Uuid, Path, description = "The dead job")),
    responses((status = 204, description = "It is no dead job any more"), (status = 409, description = "It is not dead", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn discard_dead_job(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    let job = owned(&app, &caller, JobId(id)).await?;
    let mut tx = app.pool.begin().await?;
    if dead::discard(&mut tx, &[JobId(id)]).await? == 0 {
        return Err(ApiError::new(Code::NotDead, format!("the job is {} and not dead: there is nothing to discard", job.state)));
    }
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "dead_job.discarded",
        resource_type: "job",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "kind": job.kind, "error": job.error }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
