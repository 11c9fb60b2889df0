//! `POST /v1/auth/logout`.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use datagenie_common::store::{
    audit::{self, Entry},
    sessions,
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::{COOKIE, Caller, Via},
    app::App,
    error::{ApiError, Code, Result},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(logout)
}

/// Ends the session that the call is made with.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "session", responses((status = 204, description = "Signed out")))]
async fn logout(State(app): State<App>, framed: Framed, caller: Caller) -> Result<Response> {
    let Via::Session(id) = caller.via else {
        return Err(ApiError::new(Code::InvalidRequest, "an API key has no session to end; revoke the key instead"));
    };
    let mut tx = app.pool.begin().await?;
    sessions::delete(&mut tx, caller.user_id, id).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "logout",
        resource_type: "session",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({}),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.ended.end(&app.sessions, [id]).await;
    let gone = HeaderValue::from_str(&format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"))
        .map_err(|error| ApiError::internal(&error))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}
