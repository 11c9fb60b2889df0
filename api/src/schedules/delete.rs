//! `DELETE /v1/schedules/{id}`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::store::schedules;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{audited, locked};
use crate::{access::Caller, app::App, error::Result, extract::Id, frame::Framed};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(delete_schedule)
}

/// Deletes a schedule and the record of its runs; what they have made stays, and what runs goes on.
#[utoipa::path(delete, path = "/v1/schedules/{id}", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule")), responses((status = 204, description = "It is gone")))]
async fn delete_schedule(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    let mut tx = app.pool.begin().await?;
    let schedule = locked(&mut tx, &caller, id).await?;
    schedules::delete(&mut tx, schedule.id).await?;
    audited(&mut tx, &framed, &caller, "schedule.deleted", &schedule).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
