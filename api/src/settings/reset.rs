//! `DELETE /v1/settings/{key}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Known, SettingView, change};
use crate::{access::Caller, app::App, error::Result, extract::etagged, frame::Framed};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(reset_setting)
}

/// Takes a stored value away: what the configuration file says holds then, else the default.
#[utoipa::path(
    delete, path = "/v1/settings/{key}", tag = "settings",
    params(
        ("key" = String, Path, description = "Its key"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what the caller has seen: 412 where it has changed since"),
    ),
    responses(
        (status = 200, description = "The setting as it now is", body = SettingView),
        (status = 412, description = "Changed meanwhile", body = crate::error::Problem, content_type = "application/problem+json"),
    )
)]
async fn reset_setting(State(app): State<App>, framed: Framed, caller: Caller, Known(key): Known, headers: HeaderMap) -> Result<Response> {
    let view = change(&app, &framed, &caller, &headers, key, None).await?;
    etagged(StatusCode::OK, &HeaderMap::new(), &view)
}
