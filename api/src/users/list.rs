//! `GET /v1/users`.

use axum::extract::State;
use datagenie_common::{ids::UserId, store::users};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    app::App,
    auth::UserView,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_users)
}

/// Users, newest first.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(PageQuery), responses((status = 200, description = "A page of users", body = Page<UserView>)))]
async fn list_users(State(app): State<App>, Query(page): Query<PageQuery>) -> Result<axum::Json<Page<UserView>>> {
    let limit = page.limit()?;
    let found = users::list(&app.pool, page.before()?.map(UserId), limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |user| user.id.0, UserView::from)))
}
