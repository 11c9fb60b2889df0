//! `GET /v1/batches/{id}/results`.

use axum::{extract::State, response::Response};
use datagenie_common::{
    ids::BatchId,
    store::audit::{self, Entry},
    word_enum,
};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{exported, seen};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Query},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_results)
}

word_enum! {
    /// The form of a batch's results.
    pub enum ResultsFormat {
        /// A JSON object on every line, with all rows.
        Lines = "jsonl",
        /// A line for each, with the first rows, for every program.
        Csv = "csv",
        /// The same as a workbook.
        Xlsx = "xlsx",
    }
}

/// `?format=&bom=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResultsQuery {
    /// `jsonl` (default), `csv` or `xlsx`.
    #[param(value_type = Option<String>)]
    format: Option<ResultsFormat>,
    /// `true`: CSV begins with a byte order mark, by which Excel knows UTF-8. CSV only.
    bom: Option<bool>,
}

/// The results of a batch of yours, in the order in which its lines were sent; at any time: a line that has not ended says how far it is.
///
/// A line of `jsonl` is `{custom_id, question_id, status, sql, columns, rows, row_count, truncated, error}` with all rows; `csv` and `xlsx`
/// hold the first hundred of each. `question_id` is null until it is the line's turn.
#[utoipa::path(
    get, path = "/v1/batches/{id}/results", tag = "batches", params(("id" = uuid::Uuid, Path, description = "The batch"), ResultsQuery),
    responses(
        (status = 200, description = "The results", content((String = "application/jsonl"), (String = "text/csv"), (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")), headers(("Content-Disposition" = String))),
        (status = 403, description = "It is somebody else's, and you see only how far it is", body = crate::error::Problem, content_type = "application/problem+json")
    )
)]
async fn get_results(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    Query(query): Query<ResultsQuery>,
) -> Result<Response> {
    let format = query.format.unwrap_or(ResultsFormat::Lines);
    if query.bom.is_some() && format != ResultsFormat::Csv {
        return Err(ApiError::field("bom", format!("does not go with format={format}")));
    }
    let batch = seen(&app, &caller, BatchId(id)).await?;
    if batch.user_id != caller.user_id {
        return Err(ApiError::new(Code::PermissionDenied, "the results of a batch are its owner's alone"));
    }
    let mut conn = app.pool.acquire().await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "batch.read",
        resource_type: "batch",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "format": format }),
    };
    audit::insert(&mut conn, &framed.origin, entry).await?;
    drop(conn);
    match format {
        ResultsFormat::Lines => Ok(exported::as_lines(&app, &batch)),
        ResultsFormat::Csv => Ok(exported::as_csv(&app, &batch, query.bom.unwrap_or(false))),
        ResultsFormat::Xlsx => exported::as_xlsx(&app, &batch).await,
    }
}
