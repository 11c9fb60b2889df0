//! `PUT /v1/questions/{id}/shares/{user_id}`, and the same of a file's analysis.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::{FileId, QuestionId, UserId},
    store::{
        StoreError, audit,
        shares::{self, Given, Shared},
    },
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{ShareView, check, entry, word};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Ids, NoBody},
    frame::Framed,
};

/// The route of questions.
pub fn question_route() -> UtoipaMethodRouter<App> {
    routes!(share_question)
}

/// The route of analyses.
pub fn analysis_route() -> UtoipaMethodRouter<App> {
    routes!(share_analysis)
}

/// Lets a user read a question of the caller; administrators share anybody's.
///
/// He may get the question, its events, its result and its charts, as far as his own permissions on the connection cover what was read:
/// sharing gives none. Sharing again changes nothing.
#[utoipa::path(
    put, path = "/v1/questions/{id}/shares/{user_id}", tag = "questions",
    params(("id" = uuid::Uuid, Path, description = "The question"), ("user_id" = uuid::Uuid, Path, description = "Who may read it")),
    responses((status = 200, description = "He could read it before", body = ShareView), (status = 201, description = "He may read it from now on", body = ShareView))
)]
async fn share_question(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Ids(id, user): Ids,
    _body: NoBody,
) -> Result<(StatusCode, axum::Json<ShareView>)> {
    share(&app, &framed, &caller, Shared::Question(QuestionId(id)), user).await
}

/// Lets a user read what was found in a file of the caller, and not the file; administrators share anybody's. Sharing again changes nothing.
#[utoipa::path(
    put, path = "/v1/files/{id}/analysis/shares/{user_id}", tag = "files",
    params(("id" = uuid::Uuid, Path, description = "The file"), ("user_id" = uuid::Uuid, Path, description = "Who may read its analysis")),
    responses((status = 200, description = "He could read it before", body = ShareView), (status = 201, description = "He may read it from now on", body = ShareView))
)]
async fn share_analysis(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Ids(id, user): Ids,
    _body: NoBody,
) -> Result<(StatusCode, axum::Json<ShareView>)> {
    share(&app, &framed, &caller, Shared::Analysis(FileId(id)), user).await
}

async fn share(app: &App, framed: &Framed, caller: &Caller, what: Shared, reader: Uuid) -> Result<(StatusCode, axum::Json<ShareView>)> {
    check(app, caller, what).await?;
    if shares::owner(&app.pool, what).await?.is_some_and(|(owner, _)| owner.0 == reader) {
        return Err(ApiError::field("user_id", "is the owner, who reads it anyway"));
    }
    let mut tx = app.pool.begin().await?;
    let given = shares::give(&mut tx, what, UserId(reader), caller.user_id).await.map_err(|error| match &error {
        StoreError::Constraint(name) if name == "shares_question_id_fkey" || name == "shares_file_id_fkey" => {
            ApiError::not_found(word(what))
        }
        StoreError::Constraint(name) if name == "shares_user_id_fkey" => ApiError::not_found("user"),
        _ => error.into(),
    })?;
    let (status, share) = match given {
        Given::New(share) => (StatusCode::CREATED, share),
        Given::Before(share) => (StatusCode::OK, share),
        Given::Nobody => return Err(ApiError::not_found("user")),
    };
    if status == StatusCode::CREATED {
        audit::insert(&mut tx, &framed.origin, entry(caller, what, true, reader)).await?;
    }
    tx.commit().await?;
    Ok((status, axum::Json(share.into())))
}
