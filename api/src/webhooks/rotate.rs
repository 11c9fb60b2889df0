//! `POST /v1/webhooks/{id}/rotate`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::{SigningSecret, signing::Signs},
    ids::WebhookId,
    store::{audit, webhooks as stored},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{entry, owned, unlimited, unsealable};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, NoBody},
    frame::Framed,
    idempotency,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(rotate_webhook_secret)
}

/// A new secret.
#[derive(Serialize, utoipa::ToSchema)]
struct RotatedSecret {
    /// The endpoint.
    id: Uuid,
    /// What signs from now on, `whsec_…`. Shown only here: null where the same `Idempotency-Key` is sent again.
    secret: Option<String>,
    /// Until when the secret before signs too.
    old_secret_until: Option<DateTime<Utc>>,
}

/// Gives one of your endpoints a new secret. For 24 hours every delivery is signed with both.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/rotate", tag = "webhooks",
    params(("id" = uuid::Uuid, Path, description = "The endpoint"), ("Idempotency-Key" = Option<String>, Header, description = "The same key rotates once")),
    responses((status = 200, description = "The new secret; it is not shown again", body = RotatedSecret))
)]
async fn rotate_webhook_secret(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    NoBody(key): NoBody,
) -> Result<axum::Json<RotatedSecret>> {
    unlimited(&caller)?;
    let webhook = WebhookId(id);
    if idempotency::find(&app, &caller, &key).await?.is_some() {
        return as_it_is(&app, &caller, webhook).await;
    }
    let secret = SigningSecret::mint();
    let sealed = secret.seal(&app.keyring, Signs::Endpoint(id)).map_err(|error| unsealable(&error))?;
    let mut tx = app.pool.begin().await?;
    if idempotency::take(&mut tx, &caller, &key, id).await?.is_some() {
        tx.rollback().await?;
        return as_it_is(&app, &caller, webhook).await;
    }
    let until = stored::rotate(&mut tx, caller.user_id, webhook, &sealed).await?;
    let until = until.ok_or_else(|| ApiError::not_found("webhook"))?;
    audit::insert(&mut tx, &framed.origin, entry(&caller, "webhook.rotated", id, json!({}))).await?;
    tx.commit().await?;
    Ok(axum::Json(RotatedSecret { id, secret: Some(secret.text().expose_secret().to_owned()), old_secret_until: Some(until) }))
}

async fn as_it_is(app: &App, caller: &Caller, id: WebhookId) -> Result<axum::Json<RotatedSecret>> {
    let old_secret_until = owned(app, caller, id).await?.old_secret_until;
    Ok(axum::Json(RotatedSecret { id: id.0, secret: None, old_secret_until }))
}
