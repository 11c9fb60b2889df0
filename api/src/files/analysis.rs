//! `GET /v1/files/{id}/analysis`.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    analyses::AnalysisChart,
    ids::{FileId, QuestionId},
    model::language::Language,
    store::{
        files::{self, Asked, File},
        shares::{self, Shared},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use sha2::{Digest, Sha256};
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{
    exported::{Format, exported},
    owned,
    stored::{self, Held, Stored},
};
use crate::{
    access::Caller,
    app::App,
    audited::Seen,
    error::{ApiError, Code, Result},
    extract::{Id, Query, Wait, etagged, is_unchanged},
    live::wait::until_ended,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_analysis)
}

/// `?format=&bom=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AnalysisQuery {
    /// `json` (default), `csv` (the figures of every column) or `xlsx` (with the pictures).
    #[param(value_type = Option<String>, pattern = "^(json|csv|xlsx)$")]
    format: Option<Format>,
    /// `true`: CSV begins with a byte order mark, by which Excel knows UTF-8. CSV only.
    bom: Option<bool>,
}

/// The newest analysis of a file. What was found is there once `status` is `success`; until then the lists are empty.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AnalysisView {
    /// The analysis.
    id: Uuid,
    /// The file.
    file_id: Uuid,
    /// Its newest job.
    job_id: Uuid,
    /// `pending`, `success`, `error`, `timeout` or `cancelled`.
    #[schema(value_type = crate::openapi::words::QuestionStatus)]
    status: String,
    /// What the running job is doing.
    stage: Option<String>,
    /// `{done, total, unit}`, where it can be known.
    #[schema(value_type = Option<crate::openapi::shapes::Progress>)]
    progress: Option<Value>,
    /// `{code, stage, message, hint, retryable}`.
    #[schema(value_type = Option<crate::openapi::shapes::Failure>)]
    error: Option<Value>,
    /// `ko` or `en`: of the sentences.
    #[schema(value_type = Option<crate::openapi::words::Language>)]
    language: Option<String>,
    /// Whether hidden sheets were read.
    include_hidden: bool,
    /// `[{name, sheet, range, header_rows, title?, rows, total_rows, assumptions, columns}]`.
    #[schema(value_type = Vec<Object>)]
    tables: Box<RawValue>,
    /// `[{kind, table, column, other_table?, other_column?, strength?, rows}]`.
    #[schema(value_type = Vec<Object>)]
    relations: Box<RawValue>,
    /// The most telling pictures.
    charts: Vec<AnalysisChartView>,
    /// A few sentences; every number is computed.
    summary: Option<String>,
    /// `[{kind, text, evidence}]`.
    #[schema(value_type = Vec<Object>)]
    insights: Box<RawValue>,
    /// `[{sheet, reason, text}]`: sheets that were not analysed.
    #[schema(value_type = Vec<Object>)]
    skipped: Box<RawValue>,
    /// What was assumed for the whole file.
    notes: Vec<String>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

/// A picture of an analysis.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AnalysisChartView {
    /// `bar`, `line`, `histogram`, `scatter` …
    #[serde(rename = "type")]
    #[schema(value_type = crate::openapi::words::ChartType)]
    chart_type: String,
    /// The place of its table in `tables`, from 0.
    table: usize,
    /// Vega-Lite 5.
    #[schema(value_type = Object)]
    spec: Value,
    /// The picture, where there is something to draw.
    svg_url: Option<String>,
    /// Likewise.
    png_url: Option<String>,
}

impl AnalysisChartView {
    fn of(file: Uuid, place: usize, found: &AnalysisChart) -> Self {
        let picture = |form: &str| found.chart.has_picture().then(|| format!("/v1/files/{file}/analysis/charts/{place}.{form}"));
        Self {
            chart_type: found.chart.kind.to_string(),
            table: found.table,
            spec: found.chart.vega_lite(),
            svg_url: picture("svg"),
            png_url: picture("png"),
        }
    }
}

/// What the newest analysis of a file found, or how far it is. Of a file of the caller, or of one whose analysis is shared with him.
#[utoipa::path(
    get, path = "/v1/files/{id}/analysis", tag = "files",
    params(("id" = uuid::Uuid, Path, description = "The file"), AnalysisQuery, ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until it has ended, at most 60 s")),
    responses((status = 200, description = "The analysis, as it is", content((AnalysisView = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), (status = 202, description = "Still under way after the time you were ready to wait", body = AnalysisView), (status = 304, description = "As the caller has it"), (status = 409, description = "There is no analysis (yet) to be exported", body = crate::error::Problem, content_type = "application/problem+json"), (status = 410, description = "What it found was kept for its time", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_analysis(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(query): Query<AnalysisQuery>,
    wait: Wait,
    headers: HeaderMap,
) -> Result<Response> {
    let format = query.format.unwrap_or(Format::Json);
    if query.bom.is_some() && format != Format::Csv {
        return Err(ApiError::field("bom", format!("does not go with format={format}")));
    }
    let mut asked = newest(&app, &caller, FileId(id)).await?;
    let is_waiting = asked.status == "pending" && !wait.0.is_zero();
    if is_waiting {
        until_ended(&app, QuestionId(asked.id), wait).await?;
        asked = newest(&app, &caller, FileId(id)).await?;
    }
    if format != Format::Json {
        let language = asked.language.as_deref().and_then(|language| language.parse().ok()).unwrap_or(Language::English);
        let file = read_of(&app, &caller, FileId(id)).await?;
        let held = found(&app, &caller, &asked).await?;
        let response = exported(held.found, &file.name, format, query.bom.unwrap_or(false), language).await?;
        return Ok(Seen { details: Some(json!({ "format": format })), ..Seen::default() }.on(response));
    }
    if asked.status != "success" {
        let status = if is_waiting && asked.status == "pending" { StatusCode::ACCEPTED } else { StatusCode::OK };
        let view = view(id, asked, None)?;
        return Ok(Seen { nothing: true, ..Seen::default() }.on(etagged(status, &headers, &view)?));
    }
    // What was found never changes under its path: who has it is told so without reading it.
    let tag = tag(&asked)?;
    if tag.to_str().is_ok_and(|tag| is_unchanged(&headers, tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let Held { found, place } = stored::read(&app, &caller, &asked).await?;
    let text = serde_json::to_vec(&view(id, asked, Some(found))?).map_err(|error| ApiError::internal(&error))?;
    let headers = [(header::ETAG, tag), (header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((headers, Held::reply(place, text)).into_response())
}

/// The file whose analysis the caller reads.
async fn read_of(app: &App, caller: &Caller, file: FileId) -> Result<File> {
    if let Some(owner) = shares::shared_by_owner(&app.pool, Shared::Analysis(file), caller.user_id).await?
        && let Some(shared) = files::find(&app.pool, owner, file).await?
    {
        return Ok(shared);
    }
    owned(app, caller, file).await
}

/// The newest analysis of a file of the caller, or of one whose analysis is shared with him.
///
/// # Errors
/// 404, also where none was asked for.
pub(super) async fn newest(app: &App, caller: &Caller, file: FileId) -> Result<Asked> {
    if let Some(own) = files::newest(&app.pool, caller.user_id, file).await? {
        return Ok(own);
    }
    let asked = match shares::shared_by_owner(&app.pool, Shared::Analysis(file), caller.user_id).await? {
        Some(owner) => files::newest(&app.pool, owner, file).await?,
        None => {
            owned(app, caller, file).await?;
            None
        }
    };
    asked.ok_or_else(|| ApiError::new(Code::NotFound, "this file was not analysed; POST to the same path to have it analysed"))
}

/// What an analysis found that has succeeded.
///
/// # Errors
/// 409 while it has found nothing, 410 where that is gone.
pub(super) async fn found(app: &App, caller: &Caller, asked: &Asked) -> Result<Held> {
    if asked.status != "success" {
        return Err(ApiError::new(Code::NotAnswered, format!("the analysis is {}: it has found nothing", asked.status)));
    }
    stored::read(app, caller, asked).await
}

fn tag(asked: &Asked) -> Result<HeaderValue> {
    let path = asked.analysis_path.as_deref().unwrap_or_default();
    let digest = Sha256::digest(format!("{} {} {path}", asked.id, asked.job_id));
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).map_err(|error| ApiError::internal(&error))
}

fn view(file: Uuid, asked: Asked, found: Option<Stored>) -> Result<AnalysisView> {
    let empty = || to_raw_value(&[(); 0]).map_err(|error| ApiError::internal(&error));
    let found = match found {
        Some(found) => found,
        None => Stored {
            tables: empty()?,
            relations: empty()?,
            charts: Vec::new(),
            summary: String::new(),
            insights: empty()?,
            skipped: empty()?,
            notes: Vec::new(),
        },
    };
    Ok(AnalysisView {
        id: asked.id,
        file_id: file,
        job_id: asked.job_id,
        language: asked.language.filter(|_| asked.status == "success"),
        status: asked.status,
        stage: asked.stage,
        progress: asked.progress,
        error: asked.error,
        include_hidden: asked.include_hidden,
        tables: found.tables,
        relations: found.relations,
        charts: found.charts.iter().enumerate().map(|(place, chart)| AnalysisChartView::of(file, place, chart)).collect(),
        summary: Some(found.summary).filter(|text| !text.is_empty()),
        insights: found.insights,
        skipped: found.skipped,
        notes: found.notes,
        created_at: asked.created_at,
        finished_at: asked.finished_at,
    })
}
