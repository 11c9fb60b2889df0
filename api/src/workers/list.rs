//! `GET /v1/workers`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::store::workers::{self, WorkerView as StoredWorker};
use serde::Serialize;
use serde_json::Value;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{app::App, error::Result, extract::Page};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_workers)
}

/// A worker process.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct WorkerView {
    /// Its name in the jobs' attempts and in the logs.
    instance: String,
    /// The machine that it runs on.
    host: String,
    /// Its process's number there.
    pid: i32,
    /// The program's version.
    version: String,
    /// `up`, `draining`, or `lost`: it has told nothing for ten seconds.
    state: String,
    /// `{"interactive": {"slots", "share"}, …}`: jobs at once, and how many of them one user may hold.
    #[schema(value_type = Object)]
    lanes: Value,
    /// Attempts under way, as it last told.
    running: i32,
    /// When it first told.
    started_at: DateTime<Utc>,
    /// When it last told.
    seen_at: DateTime<Utc>,
}

impl From<StoredWorker> for WorkerView {
    fn from(w: StoredWorker) -> Self {
        Self {
            instance: w.instance,
            host: w.host,
            pid: w.pid,
            version: w.version,
            state: w.state,
            lanes: w.lanes,
            running: w.running,
            started_at: w.started_at,
            seen_at: w.seen_at,
        }
    }
}

/// The worker processes, the newest first. One that stops in order leaves the list; one that is lost stays for an hour.
#[utoipa::path(get, path = "/v1/workers", tag = "operation", responses((status = 200, description = "All of them", body = Page<WorkerView>)))]
async fn list_workers(State(app): State<App>) -> Result<axum::Json<Page<WorkerView>>> {
    let found = workers::list(&app.pool).await?;
    Ok(axum::Json(Page { items: found.into_iter().map(WorkerView::from).collect(), next_cursor: None }))
}
