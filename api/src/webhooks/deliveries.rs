//! `GET /v1/webhooks/{id}/deliveries` and `GET /v1/webhooks/callback-deliveries`: what was sent, with every attempt.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{DeliveryId, WebhookId},
    store::webhooks::{self as stored, AttemptView, ListOf},
};
use serde::Serialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{owned, unlimited};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Page, PageQuery, Query},
};

/// The route of an endpoint's.
pub fn endpoint_route() -> UtoipaMethodRouter<App> {
    routes!(list_webhook_deliveries)
}

/// The route of callbacks.
pub fn callbacks_route() -> UtoipaMethodRouter<App> {
    routes!(list_callback_deliveries)
}

/// One event on its way to one endpoint or callback.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    /// Its id.
    pub id: Uuid,
    /// The endpoint; null: a callback.
    pub webhook_id: Option<Uuid>,
    /// Where a callback goes.
    pub callback_url: Option<String>,
    /// The event's id, which every attempt sends as `webhook-id`.
    pub event_id: Uuid,
    /// The event's type.
    pub event_type: String,
    /// `pending`, `delivered`, `failed` or `cancelled`.
    pub state: String,
    /// The job that delivers it.
    pub job_id: Uuid,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it is tried next.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Every attempt, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// One attempt.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeliveryAttempt {
    /// Its number, from 1; a replay begins anew.
    attempt: i16,
    /// When it began.
    started_at: DateTime<Utc>,
    /// How long it took.
    duration_ms: Option<i32>,
    /// What the target answered.
    status_code: Option<i16>,
    /// Why it failed.
    error: Option<String>,
}

impl From<&AttemptView> for DeliveryAttempt {
    fn from(a: &AttemptView) -> Self {
        let AttemptView { attempt, started_at, duration_ms, status_code, ref error, .. } = *a;
        Self { attempt, started_at, duration_ms, status_code, error: error.clone() }
    }
}

fn view(delivery: stored::DeliveryView, attempts: &[AttemptView]) -> DeliveryView {
    DeliveryView {
        attempts: attempts.iter().filter(|attempt| attempt.delivery_id == delivery.id).map(DeliveryAttempt::from).collect(),
        id: delivery.id,
        webhook_id: delivery.endpoint_id,
        callback_url: delivery.callback_url,
        event_id: delivery.event_id,
        event_type: delivery.event_type,
        state: delivery.state,
        job_id: delivery.job_id,
        created_at: delivery.created_at,
        finished_at: delivery.finished_at,
        next_attempt_at: delivery.next_attempt_at,
    }
}

/// One delivery of the caller, with its attempts.
///
/// # Errors
/// 404 where it is not his.
pub async fn shown(app: &App, caller: &Caller, id: DeliveryId) -> Result<DeliveryView> {
    let found = stored::delivery(&app.pool, caller.user_id, id).await?.ok_or_else(|| ApiError::not_found("delivery"))?;
    let attempts = stored::attempts_of(&app.pool, &[found.id]).await?;
    Ok(view(found, &attempts))
}

/// What was sent to one of your endpoints, newest first.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "webhooks", params(("id" = uuid::Uuid, Path, description = "The endpoint"), PageQuery), responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>)))]
async fn list_webhook_deliveries(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<DeliveryView>>> {
    let endpoint = owned(&app, &caller, WebhookId(id)).await?;
    listed(&app, ListOf::Endpoint(WebhookId(endpoint.id)), &page).await
}

/// Your callbacks, newest first.
#[utoipa::path(get, path = "/v1/webhooks/callback-deliveries", tag = "webhooks", params(PageQuery), responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>)))]
async fn list_callback_deliveries(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<DeliveryView>>> {
    unlimited(&caller)?;
    listed(&app, ListOf::Callbacks(caller.user_id), &page).await
}

async fn listed(app: &App, of: ListOf, page: &PageQuery) -> Result<axum::Json<Page<DeliveryView>>> {
    let limit = page.limit()?;
    let found = stored::list(&app.pool, of, page.before()?.map(DeliveryId), limit + 1).await?;
    let ids: Vec<Uuid> = found.iter().map(|delivery| delivery.id).collect();
    let attempts = stored::attempts_of(&app.pool, &ids).await?;
    Ok(axum::Json(Page::of(found, limit, |delivery| delivery.id, |delivery| view(delivery, &attempts))))
}
