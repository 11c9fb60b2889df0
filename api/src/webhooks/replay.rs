//! `POST /v1/webhooks/{id}/deliveries/{delivery_id}/replay`, the same of a callback, and `POST /v1/webhooks/{id}/replay` of all since a time.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{DeliveryId, WebhookId},
    store::{
        audit,
        webhooks::{self as stored, Place, Replayed},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    deliveries::{DeliveryView, shown},
    entry, let_in, owned, unlimited,
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Idempotency, Ids, Json, NoBody, given_moment},
    frame::Framed,
    idempotency,
};

/// The route of an endpoint's delivery.
pub fn endpoint_route() -> UtoipaMethodRouter<App> {
    routes!(replay_webhook_delivery)
}

/// The route of a callback.
pub fn callback_route() -> UtoipaMethodRouter<App> {
    routes!(replay_callback_delivery)
}

/// The route of all since a time.
pub fn since_route() -> UtoipaMethodRouter<App> {
    routes!(replay_webhook_since)
}

fn disabled() -> ApiError {
    ApiError::new(Code::WebhookDisabled, "the endpoint is disabled: make it active again (PATCH active), then replay")
}

/// Sends a delivery once more, with the same `webhook-id`. One that is on its way already stays as it is.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/deliveries/{delivery_id}/replay", tag = "webhooks",
    params(("id" = uuid::Uuid, Path, description = "The endpoint"), ("delivery_id" = uuid::Uuid, Path, description = "The delivery"), ("Idempotency-Key" = Option<String>, Header, description = "The same key sends it once more only once")),
    responses((status = 202, description = "The delivery", body = DeliveryView), (status = 409, description = "The endpoint is disabled", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn replay_webhook_delivery(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Ids(id, delivery): Ids,
    NoBody(key): NoBody,
) -> Result<(StatusCode, axum::Json<DeliveryView>)> {
    replay(&app, &framed, &caller, Some(WebhookId(id)), DeliveryId(delivery), &key).await
}

/// Sends a callback once more, with the same `webhook-id`. One that is on its way already stays as it is.
#[utoipa::path(
    post, path = "/v1/webhooks/callback-deliveries/{id}/replay", tag = "webhooks",
    params(("id" = uuid::Uuid, Path, description = "The delivery"), ("Idempotency-Key" = Option<String>, Header, description = "The same key sends it once more only once")),
    responses((status = 202, description = "The delivery", body = DeliveryView))
)]
async fn replay_callback_delivery(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(delivery): Id,
    NoBody(key): NoBody,
) -> Result<(StatusCode, axum::Json<DeliveryView>)> {
    replay(&app, &framed, &caller, None, DeliveryId(delivery), &key).await
}

async fn replay(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    endpoint: Option<WebhookId>,
    delivery: DeliveryId,
    key: &Idempotency,
) -> Result<(StatusCode, axum::Json<DeliveryView>)> {
    unlimited(caller)?;
    let mut tx = app.pool.begin().await?;
    if idempotency::take(&mut tx, caller, key, delivery.0).await?.is_some() {
        tx.rollback().await?;
        return Ok((StatusCode::ACCEPTED, axum::Json(shown(app, caller, delivery).await?)));
    }
    match stored::replay(&mut tx, caller.user_id, endpoint, delivery).await? {
        Replayed::Again => {
            let entry = entry(caller, "webhook.replayed", endpoint.map_or(delivery.0, |id| id.0), json!({ "delivery_id": delivery }));
            audit::insert(&mut tx, &framed.origin, entry).await?;
            tx.commit().await?;
            let_in(app, caller);
        }
        // What is on its way is what the key asked for.
        Replayed::Pending => tx.commit().await?,
        Replayed::Disabled => return Err(disabled()),
        Replayed::Unknown => return Err(ApiError::not_found("delivery")),
    }
    Ok((StatusCode::ACCEPTED, axum::Json(shown(app, caller, delivery).await?)))
}

/// From when on.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplaySince {
    /// Events of this time and later are sent (again).
    #[serde(deserialize_with = "given_moment")]
    since: DateTime<Utc>,
    /// Where the call before ended, from its `next_cursor`.
    #[serde(default)]
    cursor: Option<String>,
}

/// What is sent.
#[derive(Serialize, utoipa::ToSchema)]
struct ReplayedSince {
    /// Events that are sent (again); those on their way already are not counted.
    replayed: i64,
    /// The time of the last event looked at.
    reached: Option<DateTime<Utc>>,
    /// Whether there are more: call again with `cursor` as `next_cursor`.
    more: bool,
    /// Where to go on; null: that was all.
    next_cursor: Option<String>,
}

/// A place as a cursor, and back.
fn rendered(place: Place) -> String {
    format!("{}.{}", place.at.timestamp_micros(), place.seq)
}

fn read(cursor: &str) -> Option<Place> {
    let (at, seq) = cursor.split_once('.')?;
    Some(Place { at: DateTime::from_timestamp_micros(at.parse().ok()?)?, seq: seq.parse().ok()? })
}

/// Sends one of your endpoints all events since a time that its filter takes, whether they were sent before or not, each with its own
/// `webhook-id`; at most 1,000 a call.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/replay", tag = "webhooks", request_body = ReplaySince,
    params(("id" = uuid::Uuid, Path, description = "The endpoint")),
    responses((status = 202, description = "What is sent", body = ReplayedSince), (status = 409, description = "The endpoint is disabled", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn replay_webhook_since(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<ReplaySince>,
) -> Result<(StatusCode, axum::Json<ReplayedSince>)> {
    let endpoint = owned(&app, &caller, WebhookId(id)).await?;
    if !endpoint.is_active {
        return Err(disabled());
    }
    let ReplaySince { since, cursor } = body.value;
    let after = match cursor {
        None => Place { at: since, seq: i64::MIN },
        Some(cursor) => read(&cursor)
            .filter(|place| place.at >= since)
            .ok_or_else(|| ApiError::field("cursor", "expected the next_cursor of the call before"))?,
    };
    let mut tx = app.pool.begin().await?;
    let done = stored::replay_since(&mut tx, caller.user_id, WebhookId(id), after).await?;
    let details = json!({ "since": since, "replayed": done.replayed });
    audit::insert(&mut tx, &framed.origin, entry(&caller, "webhook.replayed", id, details)).await?;
    tx.commit().await?;
    let_in(&app, &caller);
    let next_cursor = done.reached.filter(|_| done.more).map(rendered);
    let reply = ReplayedSince { replayed: done.replayed, reached: done.reached.map(|place| place.at), more: done.more, next_cursor };
    Ok((StatusCode::ACCEPTED, axum::Json(reply)))
}
