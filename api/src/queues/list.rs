//! `GET /v1/queues`.

use axum::extract::State;
use datagenie_common::{jobs::JobKind, model::jobs::Lane, store::ledger::pauses};
use serde::Serialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{KindView, LaneView, kind, lanes};
use crate::{app::App, error::Result};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_queues)
}

/// All queues.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct QueuesView {
    /// The lanes.
    items: Vec<LaneView>,
    /// The kinds of jobs, which can be paused in all lanes.
    kinds: Vec<KindView>,
}

/// How much waits and runs in each lane, exactly, and what is paused.
#[utoipa::path(get, path = "/v1/queues", tag = "operation", responses((status = 200, description = "Every lane and kind of jobs", body = QueuesView)))]
async fn list_queues(State(app): State<App>) -> Result<axum::Json<QueuesView>> {
    let paused = pauses::all(&app.pool).await?;
    let items = lanes(&app, Lane::ALL, &paused).await?;
    let kinds = JobKind::ALL.iter().map(|&of| kind(of, &paused)).collect();
    Ok(axum::Json(QueuesView { items, kinds }))
}
