//! `/v1/auth/sessions`: where one is signed in, and signing out from there.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{SessionId, UserId},
    store::{
        audit::{self, Entry},
        sessions::{self, SessionRow},
    },
};
use serde::Serialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::lifetime;
use crate::{
    access::{Caller, Via},
    app::App,
    error::{ApiError, Result},
    extract::{Id, Page, PageQuery, Query},
    frame::Framed,
};

/// The route of the list.
pub fn list_route() -> UtoipaMethodRouter<App> {
    routes!(list_sessions)
}

/// The route of ending one.
pub fn revoke_route() -> UtoipaMethodRouter<App> {
    routes!(revoke_session)
}

/// The route of ending all others.
pub fn revoke_others_route() -> UtoipaMethodRouter<App> {
    routes!(revoke_other_sessions)
}

/// A login session.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Its id.
    pub id: Uuid,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_activity_at: DateTime<Utc>,
    /// When it ends unless it is used.
    pub expires_at: DateTime<Utc>,
    /// Where it was opened.
    pub ip_address: Option<String>,
    /// By which program.
    pub user_agent: Option<String>,
    /// Whether it is the one that this call is made with.
    pub current: bool,
}

/// How many were ended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionsRevoked {
    /// Sessions that were ended.
    pub revoked: usize,
}

/// A page of somebody's sessions.
///
/// # Errors
/// 422 for a cursor or limit that is none, and what the store says.
pub async fn page(app: &App, caller: &Caller, user: UserId, page: &PageQuery) -> Result<axum::Json<Page<SessionView>>> {
    let limit = page.limit()?;
    let found = sessions::list(&app.pool, user, page.before()?.map(SessionId), limit + 1, lifetime(app)).await?;
    let view = |row: SessionRow| SessionView {
        id: row.id.0,
        created_at: row.created_at,
        last_activity_at: row.last_activity_at,
        expires_at: row.expires_at,
        ip_address: row.ip_address.map(|network| network.ip().to_string()),
        user_agent: row.user_agent,
        current: matches!(caller.via, Via::Session(current) if current == row.id),
    };
    Ok(axum::Json(Page::of(found, limit, |row| row.id.0, view)))
}

/// Ends one of somebody's sessions.
///
/// # Errors
/// 404 for one that is not his, or has ended.
pub async fn revoke(app: &App, framed: &Framed, caller: &Caller, user: UserId, id: SessionId) -> Result<StatusCode> {
    let mut tx = app.pool.begin().await?;
    if !sessions::delete(&mut tx, user, id).await? {
        return Err(ApiError::not_found("session"));
    }
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "session.revoked",
        resource_type: "session",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "of_user": user }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.ended.end(&app.sessions, [id]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of somebody's sessions, but for the one that the call is made with.
///
/// # Errors
/// What the store says.
pub async fn revoke_all(app: &App, framed: &Framed, caller: &Caller, user: UserId) -> Result<axum::Json<SessionsRevoked>> {
    let kept = match caller.via {
        Via::Session(current) if user == caller.user_id => Some(current),
        _ => None,
    };
    let mut tx = app.pool.begin().await?;
    let ended = sessions::delete_of_user(&mut tx, user, kept).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "sessions.revoked",
        resource_type: "user",
        resource_id: Some(user.to_string()),
        success: true,
        details: json!({ "sessions": ended }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    let revoked = ended.len();
    app.ended.end(&app.sessions, ended).await;
    Ok(axum::Json(SessionsRevoked { revoked }))
}

/// Where the caller is signed in, newest first.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "session", params(PageQuery), responses((status = 200, description = "A page of sessions", body = Page<SessionView>)))]
async fn list_sessions(State(app): State<App>, caller: Caller, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<SessionView>>> {
    page(&app, &caller, caller.user_id, &query).await
}

/// Ends a session of the caller; it is refused everywhere within a second.
#[utoipa::path(delete, path = "/v1/auth/sessions/{id}", tag = "session", params(("id" = uuid::Uuid, Path, description = "The session")), responses((status = 204, description = "Ended")))]
async fn revoke_session(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    revoke(&app, &framed, &caller, caller.user_id, SessionId(id)).await
}

/// Ends all sessions of the caller but for the one that this call is made with.
#[utoipa::path(delete, path = "/v1/auth/sessions", tag = "session", responses((status = 200, description = "How many were ended", body = SessionsRevoked)))]
async fn revoke_other_sessions(State(app): State<App>, framed: Framed, caller: Caller) -> Result<axum::Json<SessionsRevoked>> {
    revoke_all(&app, &framed, &caller, caller.user_id).await
}
