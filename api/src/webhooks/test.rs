//! `POST /v1/webhooks/{id}/test`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::{DeliveryId, WebhookId},
    store::{audit, webhooks as stored},
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    deliveries::{DeliveryView, shown},
    entry, let_in, owned,
};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Id, NoBody},
    frame::Framed,
    idempotency,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(test_webhook)
}

/// Sends one of your endpoints an event `webhook.test`, also where it is disabled.
#[utoipa::path(
    post, path = "/v1/webhooks/{id}/test", tag = "webhooks",
    params(("id" = uuid::Uuid, Path, description = "The endpoint"), ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same delivery, as it now is")),
    responses((status = 202, description = "The delivery", body = DeliveryView))
)]
async fn test_webhook(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    NoBody(key): NoBody,
) -> Result<(StatusCode, axum::Json<DeliveryView>)> {
    let webhook = WebhookId(owned(&app, &caller, WebhookId(id)).await?.id);
    let earlier = idempotency::find(&app, &caller, &key).await?;
    let delivery = match earlier {
        Some(earlier) => DeliveryId(earlier),
        None => {
            let mut tx = app.pool.begin().await?;
            match idempotency::take(&mut tx, &caller, &key, uuid::Uuid::nil()).await? {
                Some(earlier) => DeliveryId(earlier),
                None => {
                    let delivery = stored::test(&mut tx, caller.user_id, webhook).await?;
                    idempotency::made(&mut tx, &caller, &key, delivery.0).await?;
                    audit::insert(&mut tx, &framed.origin, entry(&caller, "webhook.tested", id, json!({ "delivery_id": delivery })))
                        .await?;
                    tx.commit().await?;
                    let_in(&app, &caller);
                    delivery
                }
            }
        }
    };
    Ok((StatusCode::ACCEPTED, axum::Json(shown(&app, &caller, delivery).await?)))
}
