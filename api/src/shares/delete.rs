//! `DELETE /v1/questions/{id}/shares/{user_id}`, and the same of a file's analysis.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::{FileId, QuestionId, UserId},
    store::{
        audit,
        shares::{self, Shared},
    },
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{check, entry};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Ids,
    frame::Framed,
};

/// The route of questions.
pub fn question_route() -> UtoipaMethodRouter<App> {
    routes!(unshare_question)
}

/// The route of analyses.
pub fn analysis_route() -> UtoipaMethodRouter<App> {
    routes!(unshare_analysis)
}

/// Takes a question back from a user: what he has open of it ends within a second.
#[utoipa::path(
    delete, path = "/v1/questions/{id}/shares/{user_id}", tag = "questions",
    params(("id" = uuid::Uuid, Path, description = "The question"), ("user_id" = uuid::Uuid, Path, description = "Who may not read it any more")),
    responses((status = 204, description = "He may not read it any more"))
)]
async fn unshare_question(State(app): State<App>, framed: Framed, caller: Caller, Ids(id, user): Ids) -> Result<StatusCode> {
    unshare(&app, &framed, &caller, Shared::Question(QuestionId(id)), user).await
}

/// Takes the analysis of a file back from a user.
#[utoipa::path(
    delete, path = "/v1/files/{id}/analysis/shares/{user_id}", tag = "files",
    params(("id" = uuid::Uuid, Path, description = "The file"), ("user_id" = uuid::Uuid, Path, description = "Who may not read its analysis any more")),
    responses((status = 204, description = "He may not read it any more"))
)]
async fn unshare_analysis(State(app): State<App>, framed: Framed, caller: Caller, Ids(id, user): Ids) -> Result<StatusCode> {
    unshare(&app, &framed, &caller, Shared::Analysis(FileId(id)), user).await
}

async fn unshare(app: &App, framed: &Framed, caller: &Caller, what: Shared, reader: Uuid) -> Result<StatusCode> {
    check(app, caller, what).await?;
    let mut tx = app.pool.begin().await?;
    if !shares::take(&mut tx, what, UserId(reader)).await? {
        return Err(ApiError::not_found("share"));
    }
    audit::insert(&mut tx, &framed.origin, entry(caller, what, false, reader)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
