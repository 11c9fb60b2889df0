//! `GET /v1/webhooks/callback-secret` and `POST`, which rotates it.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::{SigningSecret, signing::Signs},
    ids::UserId,
    store::{
        audit::{self, Entry},
        webhooks::{self as stored, CallbackSecret},
    },
};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{unlimited, unsealable};
use crate::{access::Caller, app::App, error::Result, extract::NoBody, frame::Framed, idempotency};

/// The route of get.
pub fn get_route() -> UtoipaMethodRouter<App> {
    routes!(get_callback_secret)
}

/// The route of a rotation.
pub fn rotate_route() -> UtoipaMethodRouter<App> {
    routes!(rotate_callback_secret)
}

/// What signs your callbacks.
#[derive(Serialize, utoipa::ToSchema)]
struct CallbackSecretView {
    /// `whsec_…`
    secret: String,
    /// Until when the secret before the last rotation signs too.
    old_secret_until: Option<DateTime<Utc>>,
}

/// A user's callback secret, made if he has none.
///
/// # Errors
/// If the database fails, or the sealing key does not fit.
pub async fn of(app: &App, user: UserId) -> Result<CallbackSecret> {
    loop {
        if let Some(found) = stored::callback_secret(&app.pool, user).await? {
            return Ok(found);
        }
        let sealed = SigningSecret::mint().seal(&app.keyring, Signs::Callbacks(user.0)).map_err(|error| unsealable(&error))?;
        stored::put_callback_secret(&app.pool, user, &sealed).await?;
    }
}

async fn view(app: &App, user: UserId) -> Result<axum::Json<CallbackSecretView>> {
    let found = of(app, user).await?;
    let secret = SigningSecret::open(&app.keyring, Signs::Callbacks(user.0), &found.secret).map_err(|error| unsealable(&error))?;
    Ok(axum::Json(CallbackSecretView { secret: secret.text().expose_secret().to_owned(), old_secret_until: found.old_secret_until }))
}

/// The secret that signs your callbacks, made at its first use.
#[utoipa::path(get, path = "/v1/webhooks/callback-secret", tag = "webhooks", responses((status = 200, description = "The secret", body = CallbackSecretView)))]
async fn get_callback_secret(State(app): State<App>, caller: Caller) -> Result<axum::Json<CallbackSecretView>> {
    unlimited(&caller)?;
    view(&app, caller.user_id).await
}

/// Gives you a new callback secret. For 24 hours every callback is signed with both.
#[utoipa::path(
    post, path = "/v1/webhooks/callback-secret", tag = "webhooks",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key rotates once")),
    responses((status = 200, description = "The new secret", body = CallbackSecretView))
)]
async fn rotate_callback_secret(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    NoBody(key): NoBody,
) -> Result<axum::Json<CallbackSecretView>> {
    unlimited(&caller)?;
    let user = caller.user_id;
    let sealed = SigningSecret::mint().seal(&app.keyring, Signs::Callbacks(user.0)).map_err(|error| unsealable(&error))?;
    let mut tx = app.pool.begin().await?;
    if idempotency::take(&mut tx, &caller, &key, user.0).await?.is_none() {
        stored::rotate_callback_secret(&mut tx, user, &sealed).await?;
        let entry = Entry {
            user_id: Some(user),
            action: "webhook.callback_secret_rotated",
            resource_type: "user",
            resource_id: Some(user.to_string()),
            success: true,
            details: json!({}),
        };
        audit::insert(&mut tx, &framed.origin, entry).await?;
    }
    tx.commit().await?;
    view(&app, user).await
}
