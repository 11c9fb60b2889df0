//! `GET /v1/settings/{key}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::store::system_settings;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Known, Now, SettingView};
use crate::{app::App, error::Result, extract::etagged};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_setting)
}

/// One setting, with what holds now and where it comes from.
#[utoipa::path(
    get, path = "/v1/settings/{key}", tag = "settings", params(("key" = String, Path, description = "Its key")),
    responses((status = 200, description = "The setting", body = SettingView), (status = 304, description = "As the caller has it"))
)]
async fn get_setting(State(app): State<App>, Known(key): Known, headers: HeaderMap) -> Result<Response> {
    let now = Now::of(&app, system_settings::rows(&app.pool).await?)?;
    etagged(StatusCode::OK, &headers, &now.view(key))
}
