//! `GET /v1/files`.

use axum::extract::State;
use datagenie_common::{
    ids::FileId,
    store::{files, shares},
};
use serde::Deserialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::FileView;
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_files)
}

/// `?shared=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `true`: those of others whose analyses are shared with the caller, in place of his own.
    shared: Option<bool>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The caller's files, or with `shared=true` those of others whose analyses are shared with him, newest first. Of such a file the analysis
/// may be read, and nothing else.
#[utoipa::path(get, path = "/v1/files", tag = "files", params(ListQuery), responses((status = 200, description = "A page of files", body = Page<FileView>)))]
async fn list_files(State(app): State<App>, caller: Caller, Query(query): Query<ListQuery>) -> Result<axum::Json<Page<FileView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let before = page.before()?.map(FileId);
    let found = match query.shared {
        Some(true) => shares::files(&app.pool, caller.user_id, before, limit + 1).await?,
        Some(false) | None => files::list(&app.pool, caller.user_id, before, limit + 1).await?,
    };
    Ok(axum::Json(Page::of(found, limit, |file| file.id, FileView::from)))
}
