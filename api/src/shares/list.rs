//! `GET /v1/questions/{id}/shares`, and the same of a file's analysis.

use axum::extract::State;
use datagenie_common::{
    ids::{FileId, QuestionId, UserId},
    store::shares::{self, Shared},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ShareView, check};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Id, Page, PageQuery, Query},
};

/// The route of questions.
pub fn question_route() -> UtoipaMethodRouter<App> {
    routes!(list_question_shares)
}

/// The route of analyses.
pub fn analysis_route() -> UtoipaMethodRouter<App> {
    routes!(list_analysis_shares)
}

/// Who may read a question of the caller besides him, newest users first; administrators see anybody's.
#[utoipa::path(
    get, path = "/v1/questions/{id}/shares", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question"), PageQuery),
    responses((status = 200, description = "A page of users", body = Page<ShareView>))
)]
async fn list_question_shares(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<ShareView>>> {
    listed(&app, &caller, Shared::Question(QuestionId(id)), &page).await
}

/// Who may read the analysis of a file of the caller besides him, newest users first; administrators see anybody's.
#[utoipa::path(
    get, path = "/v1/files/{id}/analysis/shares", tag = "files", params(("id" = uuid::Uuid, Path, description = "The file"), PageQuery),
    responses((status = 200, description = "A page of users", body = Page<ShareView>))
)]
async fn list_analysis_shares(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<ShareView>>> {
    listed(&app, &caller, Shared::Analysis(FileId(id)), &page).await
}

async fn listed(app: &App, caller: &Caller, what: Shared, page: &PageQuery) -> Result<axum::Json<Page<ShareView>>> {
    let limit = page.limit()?;
    check(app, caller, what).await?;
    let found = shares::readers(&app.pool, what, page.before()?.map(UserId), limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |share| share.user_id.0, ShareView::from)))
}
