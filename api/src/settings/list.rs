//! `GET /v1/settings`.

use axum::extract::State;
use datagenie_common::{settings::keys, store::system_settings};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Now, SettingView};
use crate::{app::App, error::Result, extract::Query};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_settings)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only settings of this group.
    category: Option<String>,
}

/// All of them, in groups.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SettingList {
    /// The settings.
    items: Vec<SettingView>,
}

/// Lists the settings that may be changed while the service runs, with what holds now and where it comes from: the environment, then
/// what is stored, then the configuration file, then the default.
#[utoipa::path(get, path = "/v1/settings", tag = "settings", params(Filter), responses((status = 200, description = "All of them", body = SettingList)))]
async fn list_settings(State(app): State<App>, Query(filter): Query<Filter>) -> Result<axum::Json<SettingList>> {
    let now = Now::of(&app, system_settings::rows(&app.pool).await?)?;
    let wanted = keys::stored().filter(|key| filter.category.as_deref().is_none_or(|category| key.category() == category));
    Ok(axum::Json(SettingList { items: wanted.map(|key| now.view(key)).collect() }))
}
