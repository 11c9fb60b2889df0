//! `/v1/users/{id}/sessions`: where somebody is signed in, for administrators.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::{SessionId, UserId},
    store::users,
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::refuse_limited;
use crate::{
    access::Caller,
    app::App,
    auth::sessions::{self, SessionView, SessionsRevoked},
    error::{ApiError, Result},
    extract::{Id, Ids, Page, PageQuery, Query},
    frame::Framed,
};

/// The route of the list.
pub fn list_route() -> UtoipaMethodRouter<App> {
    routes!(list_user_sessions)
}

/// The route of ending one.
pub fn revoke_route() -> UtoipaMethodRouter<App> {
    routes!(revoke_user_session)
}

/// The route of ending all.
pub fn revoke_all_route() -> UtoipaMethodRouter<App> {
    routes!(revoke_user_sessions)
}

async fn known(app: &App, id: uuid::Uuid) -> Result<UserId> {
    users::find(&app.pool, UserId(id)).await?.map(|user| user.id).ok_or_else(|| ApiError::not_found("user"))
}

/// Where a user is signed in, newest first.
#[utoipa::path(get, path = "/v1/users/{id}/sessions", tag = "users", params(("id" = uuid::Uuid, Path, description = "The user"), PageQuery), responses((status = 200, description = "A page of sessions", body = Page<SessionView>)))]
async fn list_user_sessions(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<SessionView>>> {
    let user = known(&app, id).await?;
    sessions::page(&app, &caller, user, &page).await
}

/// Ends a session of a user; it is refused everywhere within a second.
#[utoipa::path(
    delete, path = "/v1/users/{id}/sessions/{session_id}", tag = "users",
    params(("id" = uuid::Uuid, Path, description = "The user"), ("session_id" = uuid::Uuid, Path, description = "The session")),
    responses((status = 204, description = "Ended"))
)]
async fn revoke_user_session(State(app): State<App>, framed: Framed, caller: Caller, Ids(id, session): Ids) -> Result<StatusCode> {
    refuse_limited(&caller)?;
    sessions::revoke(&app, &framed, &caller, UserId(id), SessionId(session)).await
}

/// Ends all sessions of a user; an administrator who ends his own keeps the one that he calls with.
#[utoipa::path(delete, path = "/v1/users/{id}/sessions", tag = "users", params(("id" = uuid::Uuid, Path, description = "The user")), responses((status = 200, description = "How many were ended", body = SessionsRevoked)))]
async fn revoke_user_sessions(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<axum::Json<SessionsRevoked>> {
    refuse_limited(&caller)?;
    let user = known(&app, id).await?;
    sessions::revoke_all(&app, &framed, &caller, user).await
}
