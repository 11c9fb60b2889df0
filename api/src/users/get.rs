//! `GET /v1/users/{id}`.

use axum::extract::State;
use datagenie_common::{ids::UserId, store::users};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    app::App,
    auth::UserView,
    error::{ApiError, Result},
    extract::Id,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_user)
}

/// A user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", params(("id" = uuid::Uuid, Path, description = "The user")), responses((status = 200, description = "The user", body = UserView)))]
async fn get_user(State(app): State<App>, Id(id): Id) -> Result<axum::Json<UserView>> {
    let user = users::find(&app.pool, UserId(id)).await?.ok_or_else(|| ApiError::not_found("user"))?;
    Ok(axum::Json(user.into()))
}
