//! `GET /v1/queues/{name}`.

use axum::extract::State;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Named, QueueState, as_it_is};
use crate::{app::App, error::Result};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_queue)
}

/// How much waits and runs in a lane; of a kind of jobs, whether it is paused.
#[utoipa::path(
    get, path = "/v1/queues/{name}", tag = "operation", params(("name" = String, Path, description = "A lane or a kind of jobs")),
    responses((status = 200, description = "The lane or kind", body = QueueState))
)]
async fn get_queue(State(app): State<App>, Named(queue): Named) -> Result<axum::Json<QueueState>> {
    Ok(axum::Json(as_it_is(&app, queue).await?))
}
