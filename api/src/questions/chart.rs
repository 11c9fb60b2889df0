//! `GET /v1/questions/{id}/chart.svg` and `.png`: drawn on the first request, off the async threads, then stored.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    charts::Chart,
    files::ObjectPath,
    ids::{JobId, QuestionId},
    store::{answers, questions::Question},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::result::{answered, gone};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Id,
};

/// The route of the SVG.
pub fn svg_route() -> UtoipaMethodRouter<App> {
    routes!(get_chart_svg)
}

/// The route of the PNG.
pub fn png_route() -> UtoipaMethodRouter<App> {
    routes!(get_chart_png)
}

#[derive(Clone, Copy)]
enum Form {
    Svg,
    Png,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Svg => "chart.svg",
            Self::Png => "chart.png",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
        })
    }

    fn path(self, question: QuestionId, job: JobId) -> ObjectPath {
        match self {
            Self::Svg => ObjectPath::ChartSvg { question, job },
            Self::Png => ObjectPath::ChartPng { question, job },
        }
    }
}

/// The chart as SVG.
#[utoipa::path(
    get, path = "/v1/questions/{id}/chart.svg", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question")),
    responses((status = 200, description = "The picture", content_type = "image/svg+xml", body = String), (status = 409, description = "There is no answer", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_chart_svg(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<Response> {
    picture(&app, &caller, QuestionId(id), Form::Svg).await
}

/// The chart as PNG, 960 × 540.
#[utoipa::path(
    get, path = "/v1/questions/{id}/chart.png", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question")),
    responses((status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>), (status = 409, description = "There is no answer", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_chart_png(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<Response> {
    picture(&app, &caller, QuestionId(id), Form::Png).await
}

async fn picture(app: &App, caller: &Caller, id: QuestionId, form: Form) -> Result<Response> {
    let question = answered(app, caller, id).await?;
    let nothing = || ApiError::new(Code::NotFound, "this answer has no picture: it is a table or a text");
    let bytes = drawn(app, id, JobId(question.job_id), form).await?.ok_or_else(nothing)?;
    Ok(reply(form, bytes))
}

/// The PNG of an answer that the caller may read; none if its chart has no picture.
///
/// # Errors
/// 410 where the answer is gone.
pub async fn png(app: &App, question: &Question) -> Result<Option<Vec<u8>>> {
    drawn(app, QuestionId(question.id), JobId(question.job_id), Form::Png).await
}

async fn drawn(app: &App, id: QuestionId, job: JobId, form: Form) -> Result<Option<Vec<u8>>> {
    let (model, stored) = answers::chart(&app.pool, job, form.name()).await?.ok_or_else(gone)?;
    let path = form.path(id, job);
    if stored.is_some() {
        match app.files.get_bytes(path).await {
            Ok(bytes) => return Ok(Some(bytes)),
            // Gone from storage: drawn again.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a stored picture can't be read"),
        }
    }
    let Some(model) = model else { return Ok(None) };
    let chart: Chart = serde_json::from_value(model).map_err(|error| ApiError::internal(&error))?;
    if !chart.has_picture() {
        return Ok(None);
    }
    let drawing = tokio::task::spawn_blocking(move || match form {
        Form::Svg => chart.svg().map(String::into_bytes),
        Form::Png => chart.png(),
    });
    let bytes = drawing.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    match app.files.put_bytes(path, bytes.clone()).await {
        Ok(()) => answers::put_picture(&app.pool, job, form.name(), &path.to_string()).await?,
        // It can be shown all the same.
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a picture could not be stored"),
    }
    Ok(Some(bytes))
}

fn reply(form: Form, bytes: Vec<u8>) -> Response {
    // An SVG opened by itself is a document: it may run nothing.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    ([(header::CONTENT_TYPE, form.content_type()), (header::CONTENT_SECURITY_POLICY, policy)], bytes).into_response()
}
