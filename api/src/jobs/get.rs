//! `GET /v1/jobs/{id}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::{
    ids::{JobId, UserId},
    store::ledger::view::{self, JobView as StoredJob},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{AttemptView, JobView, accepted};
use crate::{
    access::{Caller, Scope},
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Wait, etagged},
    live::wait::until_job_ended,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_job)
}

/// A job that the caller may see: his own, an admin anybody's (by a key: one with the scope `admin`); on a connection that his key may
/// use, or on none.
///
/// # Errors
/// 404, and what the store says.
pub async fn owned(app: &App, caller: &Caller, id: JobId) -> Result<StoredJob> {
    of(app, caller, (!caller.administers()).then_some(caller.user_id), id).await
}

async fn of(app: &App, caller: &Caller, owner: Option<UserId>, id: JobId) -> Result<StoredJob> {
    let found = view::find(&app.pool, owner, id).await?;
    found.filter(|job| caller.may_see(job.connection_id)).ok_or_else(|| ApiError::not_found("job"))
}

/// A job that the caller may change: his own; an admin anybody's, by a key only with the scope `admin`.
///
/// # Errors
/// As [`owned`]; 403 for a key that lacks the scope.
pub async fn changeable(app: &App, caller: &Caller, id: JobId) -> Result<StoredJob> {
    // Which scope his key lacks is told to an administrator: he may know of the job.
    let job = of(app, caller, (!caller.is_admin()).then_some(caller.user_id), id).await?;
    if job.user_id != caller.user_id.0 && caller.lacks(Scope::Admin) {
        let detail = format!("the job is another user's: an API key needs the scope `{}` to change it", Scope::Admin);
        return Err(ApiError::new(Code::PermissionDenied, detail));
    }
    Ok(job)
}

/// A job as it is after the time that the caller is ready to wait, with its attempts: 200 if it has ended, else 202.
///
/// # Errors
/// As [`owned`].
pub async fn as_it_is(app: &App, caller: &Caller, id: JobId, wait: Wait, headers: &HeaderMap) -> Result<Response> {
    let job = after(app, caller, id, wait).await?;
    if job.finished_at.is_none() { accepted(&job, headers) } else { etagged(StatusCode::OK, headers, &job) }
}

/// A job just made: 202, or 200 if it has ended in the time that the caller is ready to wait.
///
/// # Errors
/// As [`owned`].
pub async fn just_made(app: &App, caller: &Caller, id: JobId, wait: Wait, headers: &HeaderMap) -> Result<Response> {
    if wait.0.is_zero() {
        return accepted(&after(app, caller, id, wait).await?, headers);
    }
    as_it_is(app, caller, id, wait, headers).await
}

async fn after(app: &App, caller: &Caller, id: JobId, wait: Wait) -> Result<JobView> {
    let mut job = owned(app, caller, id).await?;
    if job.finished_at.is_none() && !wait.0.is_zero() {
        until_job_ended(app, id, job.subject_id, wait).await?;
        job = owned(app, caller, id).await?;
    }
    let attempts = view::attempts(&app.pool, id).await?;
    let mut shown = JobView::from(job);
    shown.attempts = Some(attempts.into_iter().map(AttemptView::from).collect());
    Ok(shown)
}

/// A job, with its attempts. Admins see everybody's, by a key with the scope `admin`.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "The job"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until it has ended, at most 60 s")),
    responses((status = 200, description = "The job, as it is", body = JobView), (status = 202, description = "Still under way after the time you were ready to wait", body = JobView), (status = 304, description = "As the caller has it"))
)]
async fn get_job(State(app): State<App>, caller: Caller, Id(id): Id, wait: Wait, headers: HeaderMap) -> Result<Response> {
    let job = after(&app, &caller, JobId(id), wait).await?;
    // 202 is the answer to a wait that was not long enough; a plain look at a job is a look at a resource that is there.
    if job.finished_at.is_none() && !wait.0.is_zero() { accepted(&job, &headers) } else { etagged(StatusCode::OK, &headers, &job) }
}
