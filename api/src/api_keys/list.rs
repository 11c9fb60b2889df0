//! `GET /v1/api-keys`.

use axum::extract::State;
use datagenie_common::{ids::ApiKeyId, store::api_keys};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::ApiKeyView;
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_api_keys)
}

/// The caller's keys that are not revoked, newest first.
#[utoipa::path(get, path = "/v1/api-keys", tag = "session", params(PageQuery), responses((status = 200, description = "A page of keys", body = Page<ApiKeyView>)))]
async fn list_api_keys(State(app): State<App>, caller: Caller, Query(page): Query<PageQuery>) -> Result<axum::Json<Page<ApiKeyView>>> {
    let limit = page.limit()?;
    let keys = api_keys::list(&app.pool, caller.user_id, page.before()?.map(ApiKeyId), limit + 1).await?;
    Ok(axum::Json(Page::of(keys, limit, |key| key.id.0, ApiKeyView::from)))
}
