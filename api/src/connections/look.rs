//! `POST /v1/connections/{id}/test` and `…/sync`: both are jobs.

use axum::{extract::State, response::Response};
use datagenie_common::{
    ids::{ConnectionId, JobId},
    jobs::JobKind,
    store::{
        audit::{self, Entry},
        ledger::{intake, view},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{get::seen, look_job};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    frame::Framed,
    jobs::{JobView, accepted},
};

/// The route of a test.
pub fn test_route() -> UtoipaMethodRouter<App> {
    routes!(test_connection)
}

/// The route of a sync.
pub fn sync_route() -> UtoipaMethodRouter<App> {
    routes!(sync_schema)
}

/// Looks at a connection again; the job's end is the connection's state.
#[utoipa::path(post, path = "/v1/connections/{id}/test", tag = "connections", params(("id" = uuid::Uuid, Path, description = "The connection")), responses((status = 202, description = "The job", body = JobView)))]
async fn test_connection(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<Response> {
    look(&app, &framed, &caller, ConnectionId(id), JobKind::ProbeConnection, "connection.tested").await
}

/// Reads the schema of a connection again.
#[utoipa::path(post, path = "/v1/connections/{id}/sync", tag = "connections", params(("id" = uuid::Uuid, Path, description = "The connection")), responses((status = 202, description = "The job", body = JobView)))]
async fn sync_schema(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<Response> {
    look(&app, &framed, &caller, ConnectionId(id), JobKind::SyncSchema, "connection.synced").await
}

async fn look(app: &App, framed: &Framed, caller: &Caller, id: ConnectionId, kind: JobKind, action: &str) -> Result<Response> {
    seen(app, caller, id).await?;
    let job = look_job(app, framed, caller.user_id, id, kind);
    let mut tx = app.pool.begin().await?;
    intake::insert(&mut tx, &job).await?;
    let details = json!({ "job_id": job.id });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.ring(vec![job.ring()]);
    let job_id: JobId = job.id;
    let view = view::find(&app.pool, None, job_id).await?.ok_or_else(|| ApiError::not_found("job"))?;
    accepted(view)
}
