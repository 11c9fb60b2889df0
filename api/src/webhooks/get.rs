//! `GET /v1/webhooks/{id}`.

use axum::extract::State;
use datagenie_common::ids::WebhookId;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{WebhookView, owned};
use crate::{access::Caller, app::App, error::Result, extract::Id};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_webhook)
}

/// One of your endpoints.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = uuid::Uuid, Path, description = "The endpoint")), responses((status = 200, description = "The endpoint", body = WebhookView)))]
async fn get_webhook(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<axum::Json<WebhookView>> {
    Ok(axum::Json(owned(&app, &caller, WebhookId(id)).await?.into()))
}
