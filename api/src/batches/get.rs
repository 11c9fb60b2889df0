//! `GET /v1/batches/{id}`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{ids::BatchId, store::batches};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{BatchView, seen, show};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Wait},
    live::wait::until,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_batch)
}

/// A batch of the caller, counted as it is now. Admins see everybody's.
#[utoipa::path(
    get, path = "/v1/batches/{id}", tag = "batches",
    params(("id" = uuid::Uuid, Path, description = "The batch"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until it has ended, at most 60 s")),
    responses((status = 200, description = "The batch, as it is", body = BatchView), (status = 202, description = "Still under way after the time you were ready to wait", body = BatchView), (status = 304, description = "As the caller has it"))
)]
async fn get_batch(State(app): State<App>, caller: Caller, Id(id): Id, wait: Wait, headers: HeaderMap) -> Result<Response> {
    as_it_is(&app, &caller, BatchId(id), wait, &headers, false).await
}

/// The batch as it is after the time that the caller is ready to wait; `accepted`: 202 unless it has ended, also where nobody waited.
///
/// # Errors
/// 404, and what the store says.
pub(super) async fn as_it_is(app: &App, caller: &Caller, id: BatchId, wait: Wait, headers: &HeaderMap, accepted: bool) -> Result<Response> {
    let mut batch = seen(app, caller, id).await?;
    if !batch.status.is_terminal() && !wait.0.is_zero() {
        let pool = &app.pool;
        until(app, &id.to_string(), wait, move || async move { batches::has_ended(pool, id).await.map_err(ApiError::from) }).await?;
        batch = seen(app, caller, id).await?;
    }
    let accepted = !batch.status.is_terminal() && (accepted || !wait.0.is_zero());
    show(app, batch, accepted, headers).await
}
