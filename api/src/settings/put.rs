//! `PUT /v1/settings/{key}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::settings::acceptable;
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{Known, SettingView, change};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Json, etagged},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(put_setting)
}

/// What is to hold.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewValue {
    /// A number, a text, `true` or `false`, as the setting's `type` says.
    value: Value,
}

/// Changes a setting, in all programs within two seconds. With `If-Match`, only if it is as the caller has seen it. One that an
/// environment variable holds can't be changed (409).
#[utoipa::path(
    put, path = "/v1/settings/{key}", tag = "settings", request_body = NewValue,
    params(
        ("key" = String, Path, description = "Its key"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what the caller has seen: 412 where it has changed since"),
    ),
    responses(
        (status = 200, description = "The setting as it now is", body = SettingView),
        (status = 412, description = "Changed meanwhile", body = crate::error::Problem, content_type = "application/problem+json"),
    )
)]
async fn put_setting(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Known(key): Known,
    headers: HeaderMap,
    body: Json<NewValue>,
) -> Result<Response> {
    let value = acceptable(key, &body.value.value).map_err(|why| ApiError::field("value", why))?;
    let view = change(&app, &framed, &caller, &headers, key, Some(value)).await?;
    etagged(StatusCode::OK, &HeaderMap::new(), &view)
}
