//! `POST /v1/webhooks`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    crypto::{SigningSecret, signing::Signs},
    ids::WebhookId,
    store::{
        audit,
        webhooks::{self as stored, NewEndpoint},
    },
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{WebhookView, check_description, check_events, check_url, entry, owned, unlimited, unsealable};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Json,
    frame::Framed,
    idempotency,
};

/// Endpoints of one user.
const MOST_ENDPOINTS: i64 = 50;

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(create_webhook)
}

/// Where events are to be sent.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    /// An http or https URL without a password, at most 2,048 characters.
    #[schema(format = "uri", max_length = 2048)]
    url: String,
    /// Types (`question.succeeded`), families (`question.*`), or `*` for all; 1 to 32.
    #[schema(min_items = 1, max_items = 32)]
    events: Vec<String>,
    /// What you call it; at most 500 characters.
    #[schema(max_length = 500)]
    description: Option<String>,
}

/// The new endpoint.
#[derive(Serialize, utoipa::ToSchema)]
struct CreatedWebhook {
    /// What signs its deliveries, `whsec_…`. Shown here and at a rotation only: null where the same `Idempotency-Key` is sent again.
    secret: Option<String>,
    #[serde(flatten)]
    view: WebhookView,
}

/// Makes an endpoint that is told of your events from now on.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks", request_body = NewWebhook,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same endpoint, as it now is, without its secret")),
    responses((status = 201, description = "The endpoint; its secret is not shown again", body = CreatedWebhook))
)]
async fn create_webhook(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<NewWebhook>,
) -> Result<(StatusCode, axum::Json<CreatedWebhook>)> {
    unlimited(&caller)?;
    let (new, key) = (body.value, body.idempotency);
    if let Some(earlier) = idempotency::find(&app, &caller, &key).await? {
        return as_it_is(&app, &caller, WebhookId(earlier)).await;
    }
    check_url("url", &new.url)?;
    check_events(&new.events)?;
    new.description.as_deref().map_or(Ok(()), check_description)?;
    let id = WebhookId::new();
    let secret = SigningSecret::mint();
    let sealed = secret.seal(&app.keyring, Signs::Endpoint(id.0)).map_err(|error| unsealable(&error))?;
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, id.0).await? {
        tx.rollback().await?;
        return as_it_is(&app, &caller, WebhookId(earlier)).await;
    }
    if stored::endpoint_count(&mut tx, caller.user_id).await? >= MOST_ENDPOINTS {
        return Err(ApiError::field("url", format!("you have {MOST_ENDPOINTS} webhooks already; delete one first")));
    }
    let row = NewEndpoint { id, url: &new.url, events: &new.events, description: new.description.as_deref(), secret: &sealed };
    let view = stored::insert(&mut tx, caller.user_id, &row).await?.into();
    audit::insert(&mut tx, &framed.origin, entry(&caller, "webhook.created", id.0, json!({ "events": new.events }))).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, axum::Json(CreatedWebhook { secret: Some(secret.text().expose_secret().to_owned()), view })))
}

async fn as_it_is(app: &App, caller: &Caller, id: WebhookId) -> Result<(StatusCode, axum::Json<CreatedWebhook>)> {
    let view = owned(app, caller, id).await?.into();
    Ok((StatusCode::CREATED, axum::Json(CreatedWebhook { secret: None, view })))
}
