//! `POST /v1/queues/{name}/pause`.

use axum::{
    body::Body,
    extract::{FromRequest, Request, State},
};
use datagenie_common::store::ledger::pauses;
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Named, QueueState, as_it_is, record, refuse_limited};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Json, read_body},
    frame::Framed,
};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(pause_queue)
}

/// Why; no body at all will do.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PauseRequest {
    /// Why, for those who find it paused; at most 500 characters.
    reason: Option<String>,
}

impl FromRequest<App> for PauseRequest {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        // A chunked body shows only when it is read that there is nothing in it.
        let (parts, body) = request.into_parts();
        let bytes = read_body(app, Request::from_parts(parts.clone(), body)).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        Ok(<Json<Self> as FromRequest<App>>::from_request(request, app).await?.value)
    }
}

/// Keeps the jobs of a lane or a kind from being begun; what runs goes on, and what waits still ends at its deadline. Pausing what is
/// paused changes nothing.
#[utoipa::path(
    post, path = "/v1/queues/{name}/pause", tag = "operation", request_body = Option<PauseRequest>,
    params(("name" = String, Path, description = "A lane or a kind of jobs")),
    responses((status = 200, description = "The lane or kind, paused", body = QueueState))
)]
async fn pause_queue(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Named(queue): Named,
    body: PauseRequest,
) -> Result<axum::Json<QueueState>> {
    refuse_limited(&caller)?;
    let reason = body.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        return Err(ApiError::field("reason", format!("must have at most {LONGEST_REASON} characters")));
    }
    let mut tx = app.pool.begin().await?;
    if pauses::pause(&mut tx, queue, caller.user_id, reason).await? {
        record(&mut tx, &framed, &caller, "queue.paused", queue, json!({ "reason": reason })).await?;
    }
    tx.commit().await?;
    Ok(axum::Json(as_it_is(&app, queue).await?))
}
