//! `POST /v1/dead-jobs/{id}/replay`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::ids::JobId;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Id, NoBody, Wait},
    frame::Framed,
    jobs::{
        JobView,
        retry::{Asked, again},
    },
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(replay_dead_job)
}

/// Makes a new job that repeats a dead one (`replay_of`); a question then shows the new one.
#[utoipa::path(
    post, path = "/v1/dead-jobs/{id}/replay", tag = "operation",
    params(("id" = uuid::Uuid, Path, description = "The dead job"), ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same new job, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until the new job has ended, at most 60 s")),
    responses((status = 200, description = "The new job, ended while you waited", body = JobView), (status = 202, description = "The new job", body = JobView), (status = 409, description = "It is not dead, or the first request with the same Idempotency-Key is still being taken in", body = crate::error::Problem, content_type = "application/problem+json"), (status = 413, description = "The body is too large", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn replay_dead_job(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    wait: Wait,
    headers: HeaderMap,
    NoBody(key): NoBody,
) -> Result<Response> {
    again(&app, JobId(id), &Asked { framed, caller, wait, headers, key }, "dead_job.replayed").await
}
