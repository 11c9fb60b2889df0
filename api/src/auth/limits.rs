//! `GET /v1/me/limits`.

use axum::extract::State;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::{Caller, Via},
    app::App,
    limits::shown::StandingView,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(my_limits)
}

/// What the caller may use up, and what is left of it.
#[utoipa::path(get, path = "/v1/me/limits", tag = "session", responses((status = 200, description = "The limits as they stand", body = StandingView)))]
async fn my_limits(State(app): State<App>, caller: Caller) -> axum::Json<StandingView> {
    let key = match &caller.via {
        Via::ApiKey { id, .. } => Some(*id),
        Via::Session(_) => None,
    };
    axum::Json(app.limits.standing(&app, caller.user_id, key).await.into())
}
