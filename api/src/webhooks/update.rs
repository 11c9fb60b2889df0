//! `PATCH /v1/webhooks/{id}`.

use axum::extract::State;
use datagenie_common::{
    ids::WebhookId,
    store::{
        audit,
        webhooks::{self as stored, Change},
    },
};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{WebhookView, check_description, check_events, check_url, entry, unlimited};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Json},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(update_webhook)
}

/// What is to change; what is not given stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookChange {
    /// Where events are sent.
    #[schema(format = "uri", max_length = 2048)]
    url: Option<String>,
    /// What it is told of.
    #[schema(min_items = 1, max_items = 32)]
    events: Option<Vec<String>>,
    /// What you call it.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// Whether events are sent; made active again it begins anew, whatever failed before.
    active: Option<bool>,
}

/// Changes one of your endpoints.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookChange, params(("id" = uuid::Uuid, Path, description = "The endpoint")), responses((status = 200, description = "The endpoint as it now is", body = WebhookView)))]
async fn update_webhook(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<WebhookChange>,
) -> Result<axum::Json<WebhookView>> {
    unlimited(&caller)?;
    let WebhookChange { url, events, description, active } = body.value;
    url.as_deref().map_or(Ok(()), |url| check_url("url", url))?;
    events.as_deref().map_or(Ok(()), check_events)?;
    description.as_deref().map_or(Ok(()), check_description)?;
    let details = json!({ "url_changed": url.is_some(), "events": events, "active": active });
    let change = Change { url, events, description, is_active: active };
    let mut tx = app.pool.begin().await?;
    let changed = stored::update(&mut tx, caller.user_id, WebhookId(id), &change).await?;
    let changed = changed.ok_or_else(|| ApiError::not_found("webhook"))?;
    audit::insert(&mut tx, &framed.origin, entry(&caller, "webhook.updated", id, details)).await?;
    tx.commit().await?;
    Ok(axum::Json(changed.into()))
}
