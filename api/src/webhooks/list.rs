//! `GET /v1/webhooks`.

use axum::extract::State;
use datagenie_common::{ids::WebhookId, store::webhooks as stored};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{WebhookView, unlimited};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_webhooks)
}

/// Your endpoints, newest first.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", params(PageQuery), responses((status = 200, description = "A page of endpoints", body = Page<WebhookView>)))]
async fn list_webhooks(State(app): State<App>, caller: Caller, Query(page): Query<PageQuery>) -> Result<axum::Json<Page<WebhookView>>> {
    unlimited(&caller)?;
    let limit = page.limit()?;
    let found = stored::endpoints(&app.pool, caller.user_id, page.before()?.map(WebhookId), limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |endpoint| endpoint.id, WebhookView::from)))
}
