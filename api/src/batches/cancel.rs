//! `POST /v1/batches/{id}/cancel`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::BatchId,
    store::{
        audit::{self, Entry},
        batches::{self, Stopped},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{BatchView, get::as_it_is, owner, seen};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, NoBody, Wait},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(cancel_batch)
}

/// Stops a batch: what has ended stays, what waits ends as cancelled, what runs is asked to stop, which takes less than a second. Admins
/// may stop everybody's, by a key with the scope `admin`.
#[utoipa::path(
    post, path = "/v1/batches/{id}/cancel", tag = "batches", params(("id" = uuid::Uuid, Path, description = "The batch")),
    responses((status = 200, description = "Cancelled", body = BatchView), (status = 202, description = "Being stopped", body = BatchView), (status = 409, description = "It has already ended", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn cancel_batch(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    wait: Wait,
    headers: HeaderMap,
    _body: NoBody,
) -> Result<Response> {
    let id = BatchId(id);
    let batch = seen(&app, &caller, id).await?;
    // One of which nothing is left has ended, whether anybody has noticed or not.
    app.settling.settle(id).await?;
    let mut tx = app.pool.begin().await?;
    match batches::stop(&mut tx, owner(&caller), id).await? {
        Stopped::Unknown => return Err(ApiError::not_found("batch")),
        Stopped::TooLate(status) => return Err(ApiError::new(Code::AlreadyEnded, format!("the batch has already ended: {status}"))),
        Stopped::Stopping { now: false } => tx.rollback().await?,
        Stopped::Stopping { now: true } => {
            let entry = Entry {
                user_id: Some(caller.user_id),
                action: "batch.cancelled",
                resource_type: "batch",
                resource_id: Some(id.to_string()),
                success: true,
                details: json!({ "owner": batch.user_id }),
            };
            audit::insert(&mut tx, &framed.origin, entry).await?;
            tx.commit().await?;
            // What this does not do, the sweep does.
            if let Err(error) = app.settling.settle(id).await {
                tracing::warn!(error = %error, batch_id = %id, "a cancelled batch is not settled yet");
            }
        }
    }
    as_it_is(&app, &caller, id, wait, &headers, true).await
}
