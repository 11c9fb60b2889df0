//! `POST /v1/connections/{id}/test` and `…/sync`: both are jobs.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::{ConnectionId, JobId},
    jobs::JobKind,
    store::{
        audit::{self, Entry},
        ledger::intake,
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{get::seen, look_job};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Id, Idempotency, NoBody, Wait},
    frame::Framed,
    idempotency,
    jobs::{JobView, as_it_is, just_made},
};

/// The route of a test.
pub fn test_route() -> UtoipaMethodRouter<App> {
    routes!(test_connection)
}

/// The route of a sync.
pub fn sync_route() -> UtoipaMethodRouter<App> {
    routes!(sync_schema)
}

/// What was sent with the order.
struct Order {
    framed: Framed,
    caller: Caller,
    connection: ConnectionId,
    wait: Wait,
    headers: HeaderMap,
    key: Idempotency,
}

/// Looks at a connection again; the job's end is the connection's state.
#[utoipa::path(
    post, path = "/v1/connections/{id}/test", tag = "connections",
    params(("id" = uuid::Uuid, Path, description = "The connection"), ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until the job has ended, at most 60 s")),
    responses((status = 200, description = "The job, ended while you waited", body = JobView), (status = 202, description = "The job", body = JobView), (status = 409, description = "The first request with the same Idempotency-Key is still being taken in", body = crate::error::Problem, content_type = "application/problem+json"), (status = 413, description = "The body is too large", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn test_connection(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    wait: Wait,
    headers: HeaderMap,
    NoBody(key): NoBody,
) -> Result<Response> {
    let order = Order { framed, caller, connection: ConnectionId(id), wait, headers, key };
    look(&app, order, JobKind::ProbeConnection, "connection.tested").await
}

/// Reads the schema of a connection again.
#[utoipa::path(
    post, path = "/v1/connections/{id}/sync", tag = "connections",
    params(("id" = uuid::Uuid, Path, description = "The connection"), ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same job, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until the job has ended, at most 60 s")),
    responses((status = 200, description = "The job, ended while you waited", body = JobView), (status = 202, description = "The job", body = JobView), (status = 409, description = "The first request with the same Idempotency-Key is still being taken in", body = crate::error::Problem, content_type = "application/problem+json"), (status = 413, description = "The body is too large", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn sync_schema(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    wait: Wait,
    headers: HeaderMap,
    NoBody(key): NoBody,
) -> Result<Response> {
    let order = Order { framed, caller, connection: ConnectionId(id), wait, headers, key };
    look(&app, order, JobKind::SyncSchema, "connection.synced").await
}

async fn look(app: &App, order: Order, kind: JobKind, action: &str) -> Result<Response> {
    let Order { framed, caller, connection, wait, headers, key } = order;
    if let Some(earlier) = idempotency::find(app, &caller, &key).await? {
        return as_it_is(app, &caller, JobId(earlier), wait, &headers).await;
    }
    seen(app, &caller, connection).await?;
    let job = look_job(app, &framed, caller.user_id, connection, kind);
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, job.id.0).await? {
        tx.rollback().await?;
        return as_it_is(app, &caller, JobId(earlier), wait, &headers).await;
    }
    intake::insert(&mut tx, &job).await?;
    let details = json!({ "job_id": job.id });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type: "connection",
        resource_id: Some(connection.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.let_in(&job);
    just_made(app, &caller, job.id, wait, &headers).await
}
