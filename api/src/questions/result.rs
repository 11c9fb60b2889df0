//! `GET /v1/questions/{id}/result`: the whole result, as pages of JSON or streamed as CSV.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    files::ObjectPath,
    ids::{JobId, QuestionId},
    model::results::{Column, Row},
    store::{
        answers::{self, Rows, RowsFile},
        audit::{self, Entry},
        questions::Question,
    },
    word_enum,
};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{
    get::owned,
    shown::{may_still_read, withheld_error},
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Query},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_result)
}

word_enum! {
    /// The form of a result.
    pub enum Format {
        /// Pages.
        Json = "json",
        /// The whole result.
        Csv = "csv",
        /// Not served yet.
        Xlsx = "xlsx",
    }
}

/// `?format=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResultQuery {
    /// `json` (default, paged) or `csv` (whole, streamed).
    #[param(value_type = Option<String>)]
    format: Option<Format>,
    /// Rows a page, 1 to 1000; 100 if not given. JSON only.
    limit: Option<u64>,
    /// `next_cursor` of the page before. JSON only.
    cursor: Option<String>,
}

/// A page of a result.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ResultPage {
    /// `[{name, type, kind}]`.
    #[schema(value_type = Vec<Object>)]
    columns: Vec<Column>,
    /// Arrays in the order of `columns`.
    #[schema(value_type = Vec<Vec<Object>>)]
    rows: Vec<Row>,
    /// Rows of the whole result.
    row_count: i32,
    /// Whether a limit cut the result off.
    truncated: bool,
    /// To be sent as `cursor` for the next page; null: this is the last one.
    next_cursor: Option<String>,
}

/// The rows of an answer.
#[utoipa::path(
    get, path = "/v1/questions/{id}/result", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question"), ResultQuery),
    responses((status = 200, description = "A page, or with `format=csv` the whole result as text/csv", body = ResultPage), (status = 409, description = "There is no answer", body = crate::error::Problem, content_type = "application/problem+json"), (status = 410, description = "It was kept for its time", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_result(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    Query(query): Query<ResultQuery>,
) -> Result<Response> {
    let question = answered(&app, &caller, QuestionId(id)).await?;
    let (columns, rows) = answers::rows(&app.pool, JobId(question.job_id)).await?.ok_or_else(gone)?;
    let format = query.format.unwrap_or(Format::Json);
    let mut conn = app.pool.acquire().await?;
    let details = json!({ "format": format });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "result.read",
        resource_type: "question",
        resource_id: Some(id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut conn, &framed.origin, entry).await?;
    drop(conn);
    match format {
        Format::Json => page(&app, &question, columns, rows, &query).await,
        Format::Csv => csv(&app, &columns, rows).await,
        Format::Xlsx => Err(ApiError::not_served_yet("format=xlsx")),
    }
}

/// A question of the caller that has an answer which he may still read.
///
/// # Errors
/// 404, 409 while there is none, 403 when the permissions have changed.
pub async fn answered(app: &App, caller: &Caller, id: QuestionId) -> Result<Question> {
    let question = owned(app, caller, id).await?;
    if question.status != "success" {
        return Err(ApiError::new(Code::NotAnswered, format!("the question is {}: it has no result", question.status)));
    }
    if !may_still_read(app, &question).await? {
        return Err(withheld_error());
    }
    Ok(question)
}

fn gone() -> ApiError {
    ApiError::new(Code::Gone, "the result was kept for its time and is gone; ask again")
}

async fn page(app: &App, question: &Question, columns: Vec<Column>, rows: Rows, query: &ResultQuery) -> Result<Response> {
    let limit = match query.limit.unwrap_or(100) {
        limit @ 1..=1000 => limit,
        _ => return Err(ApiError::field("limit", "must be 1 to 1000")),
    };
    let first: u64 = match &query.cursor {
        Some(cursor) => cursor.parse().map_err(|_| ApiError::field("cursor", "is not a next_cursor of this result"))?,
        None => 0,
    };
    let mut lines = lines(app, rows, first).await?;
    let mut found = Vec::new();
    while let Some(line) = lines.next().await {
        let row = serde_json::from_slice(&line?).map_err(|error| ApiError::internal(&error))?;
        found.push(row);
        if found.len() as u64 > limit {
            break;
        }
    }
    let more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let body = ResultPage {
        columns,
        rows: found,
        row_count: question.row_count.unwrap_or_default(),
        truncated: question.truncated,
        next_cursor: more.then(|| (first + limit).to_string()),
    };
    Ok(axum::Json(body).into_response())
}

type Lines = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// The lines of a result from a row on, each a JSON array.
async fn lines(app: &App, rows: Rows, first: u64) -> Result<Lines> {
    let (chunks, skip): (Lines, u64) = match rows {
        Rows::Inline(bytes) => (stream::once(async move { Ok(Bytes::from(bytes)) }).boxed(), first),
        Rows::File(file) => {
            let (offset, at) = nearest(&file, first);
            let path: ObjectPath = file.path.parse().map_err(|_| gone())?;
            let chunks = app.files.stream_from(path, offset).await.map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "a result's file can't be read");
                gone()
            })?;
            (chunks.map(|chunk| chunk.map(Bytes::from).map_err(|error| ApiError::internal(&error))).boxed(), first - at)
        }
    };
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    Ok(split(chunks).skip(skip).boxed())
}

// Where to begin reading for a row, and which row lies there.
fn nearest(file: &RowsFile, first: u64) -> (u64, u64) {
    let stride = file.stride.max(1);
    let index = usize::try_from(first / stride).unwrap_or(usize::MAX).min(file.offsets.len().saturating_sub(1));
    (file.offsets.get(index).copied().unwrap_or_default(), index as u64 * stride)
}

fn split(chunks: Lines) -> Lines {
    let state = (chunks, Vec::new(), false);
    stream::unfold(state, |(mut chunks, mut rest, mut over): (Lines, Vec<u8>, bool)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let tail = rest.split_off(end + 1);
                let mut line = std::mem::replace(&mut rest, tail);
                line.pop();
                return Some((Ok(Bytes::from(line)), (chunks, rest, over)));
            }
            if over {
                return None;
            }
            match chunks.next().await {
                Some(Ok(chunk)) => rest.extend_from_slice(&chunk),
                Some(Err(error)) => return Some((Err(error), (chunks, Vec::new(), true))),
                None => over = true,
            }
        }
    })
    .boxed()
}

async fn csv(app: &App, columns: &[Column], rows: Rows) -> Result<Response> {
    let header_line = record(columns.iter().map(|column| disarmed(&column.name)));
    let lines = lines(app, rows, 0).await?.map(|line| {
        let row: Row = serde_json::from_slice(&line?).map_err(|error| ApiError::internal(&error))?;
        Ok::<_, ApiError>(Bytes::from(record(row.iter().map(cell))))
    });
    let body = stream::once(async move { Ok(Bytes::from(header_line)) }).chain(lines);
    // An error in the middle cuts the connection, so that a client does not take the part for the whole.
    let body = Body::from_stream(body.map(|chunk| chunk.map_err(|error| std::io::Error::other(format!("{error:?}")))));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"result.csv\"")),
    ];
    Ok((headers, body).into_response())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => disarmed(text),
        other => other.to_string(),
    }
}

// A spreadsheet runs a text that begins like a formula; an apostrophe makes it a text. Numbers keep their sign.
fn disarmed(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if risky { format!("'{text}") } else { text.to_owned() }
}

// RFC 4180.
fn record(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> =
        cells.map(|cell| if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }).collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_and_disarms() {
        let cells =
            [json!("plain"), json!("a,b"), json!("say \"hi\""), json!("=1+1"), json!("-12.50"), json!(null), json!(7), json!("@x\ny")];
        assert_eq!(record(cells.iter().map(cell)), "plain,\"a,b\",\"say \"\"hi\"\"\",'=1+1,-12.50,,7,\"'@x\ny\"\r\n");
    }

    #[test]
    fn reading_begins_at_the_nearest_offset() {
        let file = RowsFile { path: String::new(), bytes: 100, offsets: vec![0, 40, 80], stride: 10 };
        assert_eq!(nearest(&file, 0), (0, 0));
        assert_eq!(nearest(&file, 19), (40, 10));
        assert_eq!(nearest(&file, 500), (80, 20));
    }

    #[tokio::test]
    async fn lines_come_whole_whatever_the_chunks_are() {
        let chunks = ["[1", "]\n[2]\n[", "3]", "\n"].map(|text| Ok(Bytes::from_static(text.as_bytes())));
        let found: Vec<Bytes> = split(stream::iter(chunks).boxed()).map(|line| line.expect("a line")).collect().await;
        assert_eq!(found, ["[1]", "[2]", "[3]"]);
    }
}
