//! `GET /v1/files`.

use axum::extract::State;
use datagenie_common::{ids::FileId, store::files};
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

/// The caller's files, newest first.
#[utoipa::path(get, path = "/v1/files", tag = "files", params(PageQuery), responses((status = 200, description = "A page of files", body = Page<FileView>)))]
async fn list_files(State(app): State<App>, caller: Caller, Query(page): Query<PageQuery>) -> Result<axum::Json<Page<FileView>>> {
    let limit = page.limit()?;
    let before = page.before()?.map(FileId);
    let found = files::list(&app.pool, caller.user_id, before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |file| file.id, FileView::from)))
}
