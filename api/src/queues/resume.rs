//! `POST /v1/queues/{name}/resume`.

use axum::extract::State;
use datagenie_common::store::{
    StoreError,
    ledger::pauses::{self, Queue},
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Named, QueueState, as_it_is, record, refuse_limited};
use crate::{access::Caller, app::App, error::Result, extract::NoBody, frame::Framed};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(resume_queue)
}

/// Lets the jobs of a lane or a kind begin again, within a second. Resuming what is not paused changes nothing.
#[utoipa::path(
    post, path = "/v1/queues/{name}/resume", tag = "operation", params(("name" = String, Path, description = "A lane or a kind of jobs")),
    responses((status = 200, description = "The lane or kind, not paused", body = QueueState))
)]
async fn resume_queue(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Named(queue): Named,
    _: NoBody,
) -> Result<axum::Json<QueueState>> {
    refuse_limited(&caller)?;
    let mut tx = app.pool.begin().await?;
    let was_paused = pauses::resume(&mut tx, queue).await?;
    if was_paused {
        record(&mut tx, &framed, &caller, "queue.resumed", queue, json!({})).await?;
    }
    tx.commit().await?;
    // What was rung while this was not committed was heard under the pause.
    if was_paused && let Err(error) = unring(&app, queue).await {
        tracing::debug!(error = %error, "bells that were heard under the pause are rung again when they are stale");
    }
    Ok(axum::Json(as_it_is(&app, queue).await?))
}

async fn unring(app: &App, queue: Queue) -> std::result::Result<u64, StoreError> {
    let mut conn = app.pool.acquire().await?;
    pauses::unring(&mut conn, queue).await
}
