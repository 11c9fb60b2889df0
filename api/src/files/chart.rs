//! `GET /v1/files/{id}/analysis/charts/{n}.svg` and `.png`: drawn off the async threads, from the stored model.

use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use datagenie_common::ids::FileId;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::analysis::{found, newest};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_analysis_chart)
}

#[derive(Clone, Copy)]
enum Form {
    Svg,
    Png,
}

/// Which picture of which file.
struct Picture {
    file: FileId,
    place: usize,
    form: Form,
}

impl<S: Send + Sync> FromRequestParts<S> for Picture {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let unknown = || ApiError::not_found("resource");
        let Path((id, picture)) = Path::<(Uuid, String)>::from_request_parts(parts, state).await.map_err(|_| unknown())?;
        let (place, form) = picture.split_once('.').ok_or_else(unknown)?;
        let form = match form {
            "svg" => Form::Svg,
            "png" => Form::Png,
            _ => return Err(unknown()),
        };
        Ok(Self { file: FileId(id), place: place.parse().map_err(|_| unknown())?, form })
    }
}

/// A picture of an analysis: `0.svg`, `0.png` and so on, by its place in `charts`; the PNG has 960 × 540 points.
#[utoipa::path(
    get, path = "/v1/files/{id}/analysis/charts/{picture}", tag = "files",
    params(("id" = uuid::Uuid, Path, description = "The file"), ("picture" = String, Path, description = "`{n}.svg` or `{n}.png`, n from 0")),
    responses((status = 200, description = "The picture", content((String = "image/svg+xml"), (Vec<u8> = "image/png"))), (status = 409, description = "There is no analysis (yet)", body = crate::error::Problem, content_type = "application/problem+json"), (status = 410, description = "What it found was kept for its time", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_analysis_chart(State(app): State<App>, caller: Caller, picture: Picture) -> Result<Response> {
    let asked = newest(&app, &caller, picture.file).await?;
    let held = found(&app, &caller, &asked).await?;
    let chart = held.found.charts.into_iter().nth(picture.place).map(|found| found.chart).filter(|chart| chart.has_picture());
    let chart = chart.ok_or_else(|| ApiError::not_found("picture"))?;
    let drawn = tokio::task::spawn_blocking(move || match picture.form {
        Form::Svg => chart.svg().map(String::into_bytes),
        Form::Png => chart.png(),
    });
    let bytes = drawn.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    let content_type = match picture.form {
        Form::Svg => HeaderValue::from_static("image/svg+xml"),
        Form::Png => HeaderValue::from_static("image/png"),
    };
    // An SVG opened by itself is a document: it may run nothing.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    Ok(([(header::CONTENT_TYPE, content_type), (header::CONTENT_SECURITY_POLICY, policy)], bytes).into_response())
}
