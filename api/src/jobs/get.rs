//! `GET /v1/jobs/{id}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::{ids::JobId, store::ledger::view};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{AttemptView, JobView};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, etagged},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_job)
}

/// A job, with its attempts. Admins see everybody's.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", params(("id" = uuid::Uuid, Path, description = "The job")),
    responses((status = 200, description = "The job", body = JobView), (status = 304, description = "As the caller has it"))
)]
async fn get_job(State(app): State<App>, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let owner = (!caller.is_admin()).then_some(caller.user_id);
    let job = view::find(&app.pool, owner, JobId(id)).await?.ok_or_else(|| ApiError::not_found("job"))?;
    let attempts = view::attempts(&app.pool, JobId(id)).await?;
    let mut shown = JobView::from(job);
    shown.attempts = Some(attempts.into_iter().map(AttemptView::from).collect());
    etagged(StatusCode::OK, &headers, &shown)
}
