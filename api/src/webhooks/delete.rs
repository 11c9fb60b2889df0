//! `DELETE /v1/webhooks/{id}`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::WebhookId,
    store::{audit, webhooks as stored},
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{entry, unlimited};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(delete_webhook)
}

/// Removes one of your endpoints. What is on its way to it is sent no more.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = uuid::Uuid, Path, description = "The endpoint")), responses((status = 204, description = "Removed")))]
async fn delete_webhook(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    unlimited(&caller)?;
    let mut tx = app.pool.begin().await?;
    if !stored::delete(&mut tx, caller.user_id, WebhookId(id)).await? {
        return Err(ApiError::not_found("webhook"));
    }
    audit::insert(&mut tx, &framed.origin, entry(&caller, "webhook.deleted", id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
