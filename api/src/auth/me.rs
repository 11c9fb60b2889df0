//! `GET /v1/me`.

use axum::extract::State;
use datagenie_common::store::users;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::UserView;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(me)
}

/// Who the caller is.
#[utoipa::path(get, path = "/v1/me", tag = "session", responses((status = 200, description = "The caller", body = UserView)))]
async fn me(State(app): State<App>, caller: Caller) -> Result<axum::Json<UserView>> {
    let user = users::find(&app.pool, caller.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(axum::Json(user.into()))
}
