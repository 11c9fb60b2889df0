//! The results of a batch as JSON lines, CSV and xlsx. The first two are made as they are sent; a workbook is made on disk and then sent.

use std::fs::File;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    exports::{About, CSV_TYPE, ExportError, ResultBook, XLSX_TYPE, csv},
    model::{
        language::Language,
        results::{Column, ColumnKind, Row},
    },
    store::{
        answers::Rows,
        batches::{Batch, ResultRow},
    },
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::rows::pages;
use crate::{
    app::App,
    error::{ApiError, Result},
    questions::{lines, sent},
};

/// Workbooks made at once by this process: each takes a core and some disk. The others wait.
static WRITERS: Semaphore = Semaphore::const_new(2);
/// Pages that wait for a workbook's writer.
const AHEAD: usize = 2;

type Chunks = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A JSON object on every line, with all rows of its answer.
pub(super) fn as_lines(app: &App, batch: &Batch) -> Response {
    let own = app.clone();
    let body = pages(app, batch.user_id, batch.id, true).map_ok(move |rows| {
        let app = own.clone();
        stream::iter(rows).map(Ok).and_then(move |row| {
            let app = app.clone();
            async move { line(&app, row).await }
        })
    });
    let body = body.try_flatten().try_flatten();
    (named("results.jsonl", "application/jsonl; charset=utf-8"), streamed(body)).into_response()
}

/// A line of the results; rows that lie in file storage are read as they are sent.
async fn line(app: &App, mut row: ResultRow) -> Result<Chunks> {
    let files = row.result_files.take().filter(|files| row.columns.is_some() && files["rows"].is_object());
    let inline = row.rows_inline.take();
    let head = json!({
        "custom_id": row.custom_id, "question_id": row.question_id, "status": row.status, "sql": row.sql, "columns": row.columns,
    });
    let tail = json!({ "row_count": row.row_count, "truncated": row.truncated, "error": row.error });
    // An object in two halves, with the rows between them.
    let (mut begin, end) = (head.to_string(), tail.to_string());
    begin.pop();
    let end = end.strip_prefix('{').unwrap_or_default().to_owned();
    let whole = |rows: &str| Bytes::from(format!("{begin},\"rows\":{rows},{end}\n"));
    if row.columns.is_none() {
        return Ok(once(whole("null")));
    }
    if let Some(bytes) = inline {
        let rows: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()).collect();
        let rows = rows.join(&b","[..]);
        return Ok(once(whole(&format!("[{}]", String::from_utf8_lossy(&rows)))));
    }
    let Some(files) = files else { return Ok(once(whole("[]"))) };
    let stored = serde_json::from_value(files["rows"].clone()).map_err(|error| ApiError::internal(&error))?;
    let Ok(batches) = lines::of(app, Rows::File(stored), 0).await else {
        let lost = json!({ "code": "result_expired", "message": "the answer was lost with its file" });
        let tail = json!({ "row_count": row.row_count, "truncated": row.truncated, "error": lost }).to_string();
        return Ok(once(Bytes::from(format!("{begin},\"rows\":null,{}\n", tail.strip_prefix('{').unwrap_or_default()))));
    };
    let mut any = false;
    let rows = batches.map_ok(move |batch| {
        let mut text = Vec::new();
        for row in batch {
            if any {
                text.push(b',');
            }
            text.extend_from_slice(&row);
            any = true;
        }
        Bytes::from(text)
    });
    let (begin, end) = (format!("{begin},\"rows\":["), format!("],{end}\n"));
    Ok(once(Bytes::from(begin)).chain(rows).chain(once(Bytes::from(end))).boxed())
}

fn once(bytes: Bytes) -> Chunks {
    stream::once(async move { Ok(bytes) }).boxed()
}

/// The columns of the table forms. `value` is the only value of an answer that is one value, and of this kind.
fn columns(value: ColumnKind) -> Vec<Column> {
    let column = |(name, kind): (&str, ColumnKind)| Column { name: name.to_owned(), type_name: String::new(), kind };
    [
        ("custom_id", ColumnKind::Text),
        ("question_id", ColumnKind::Text),
        ("status", ColumnKind::Text),
        ("value", value),
        ("row_count", ColumnKind::Integer),
        ("truncated", ColumnKind::Boolean),
        ("error_code", ColumnKind::Text),
        ("error_message", ColumnKind::Text),
        ("sql", ColumnKind::Text),
        ("columns", ColumnKind::Text),
        ("rows", ColumnKind::Text),
    ]
    .map(column)
    .into()
}

/// Whether the only value of an answer is a number: exact ones are texts in JSON.
fn is_amount(row: &ResultRow) -> bool {
    let Some([only]) = row.columns.as_ref().and_then(Value::as_array).map(Vec::as_slice) else { return false };
    only["kind"].as_str().and_then(|kind| kind.parse().ok()).is_some_and(ColumnKind::is_numeric)
}

/// Where a number stands in a line of the table forms.
const VALUE: usize = 3;
/// Digits that a workbook's numbers hold.
const EXACT: usize = 15;

/// A line of a workbook, whose columns have no kinds of their own: a number is one there too, as far as all of its digits fit.
fn cells_of_book(row: &ResultRow) -> Row {
    let mut cells = cells(row);
    let number = match &cells[VALUE] {
        Value::String(text) if is_amount(row) && text.bytes().filter(u8::is_ascii_digit).count() <= EXACT => text.parse::<f64>().ok(),
        _ => None,
    };
    if let Some(number) = number.filter(|number| number.is_finite()) {
        cells[VALUE] = json!(number);
    }
    cells
}

/// A line of the table forms.
fn cells(row: &ResultRow) -> Row {
    let names: Option<Vec<&Value>> =
        row.columns.as_ref().and_then(Value::as_array).map(|columns| columns.iter().map(|c| &c["name"]).collect());
    let first = row.first_rows.as_ref().filter(|_| row.columns.is_some());
    let only = || {
        let [row] = first?.as_array()?.as_slice() else { return None };
        let [value] = row.as_array()?.as_slice() else { return None };
        Some(value.clone())
    };
    let error = |name: &str| row.error.as_ref().map_or(Value::Null, |error| error[name].clone());
    vec![
        json!(row.custom_id),
        json!(row.question_id),
        json!(row.status),
        only().filter(|_| row.row_count == Some(1)).unwrap_or_default(),
        json!(row.row_count),
        json!(row.columns.is_some().then_some(row.truncated)),
        error("code"),
        error("message"),
        json!(row.sql),
        json!(names.map(|names| json!(names).to_string())),
        json!(first.map(Value::to_string)),
    ]
}

/// A line for each, as CSV, with a byte order mark if one is wanted.
pub(super) fn as_csv(app: &App, batch: &Batch, bom: bool) -> Response {
    let (others, amounts) = (columns(ColumnKind::Other), columns(ColumnKind::Number));
    let begin = format!("{}{}", if bom { csv::BOM } else { "" }, csv::header(&others));
    let lines = pages(app, batch.user_id, batch.id, false).map_ok(move |rows| {
        let line = |row: &ResultRow| csv::row(if is_amount(row) { &amounts } else { &others }, &cells(row));
        Bytes::from(rows.iter().map(line).collect::<String>())
    });
    (named("results.csv", CSV_TYPE), streamed(once(Bytes::from(begin)).chain(lines))).into_response()
}

/// The same as a workbook.
///
/// # Errors
/// 500 if the disk is full.
pub(super) async fn as_xlsx(app: &App, batch: &Batch) -> Result<Response> {
    let _turn = WRITERS.acquire().await.map_err(|error| ApiError::internal(&error))?;
    let about = About {
        title: String::new(),
        row_count: u64::try_from(batch.total).unwrap_or_default(),
        truncated: false,
        language: Language::English,
        picture: None,
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    let writer = tokio::task::spawn_blocking(move || write(receiver, &about));
    let mut pages = std::pin::pin!(pages(app, batch.user_id, batch.id, false));
    while let Some(page) = pages.next().await {
        let rows: Vec<Row> = page?.iter().map(cells_of_book).collect();
        // A writer whose sheet is full, or who failed, listens no longer.
        if sender.send(rows).await.is_err() {
            break;
        }
    }
    drop(sender);
    let file = writer.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    Ok((named("results.xlsx", XLSX_TYPE), sent(file)?).into_response())
}

fn write(mut pages: mpsc::Receiver<Vec<Row>>, about: &About) -> std::result::Result<File, ExportError> {
    let mut book = ResultBook::new(columns(ColumnKind::Other), about.language)?;
    'rows: while let Some(page) = pages.blocking_recv() {
        for row in page {
            if !book.push(&row)? {
                break 'rows;
            }
        }
    }
    book.finish(about)
}

fn named(name: &str, content_type: &'static str) -> [(header::HeaderName, HeaderValue); 2] {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ]
}

// An error in the middle cuts the connection, so that a client does not take the part for the whole.
fn streamed(body: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Body {
    Body::from_stream(body.map(|chunk| chunk.map_err(|error| std::io::Error::other(format!("{error:?}")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, value: &Value) -> ResultRow {
        ResultRow {
            line: 1,
            custom_id: Some("a".to_owned()),
            question_id: None,
            status: "success".to_owned(),
            sql: None,
            row_count: Some(1),
            truncated: false,
            error: None,
            connection_id: None,
            policy_version: None,
            current_policy_version: None,
            provenance: None,
            columns: Some(json!([{ "name": "n", "type": "", "kind": kind }])),
            first_rows: Some(json!([[value]])),
            rows_inline: None,
            result_files: None,
        }
    }

    #[test]
    fn a_number_is_one_however_it_is_stored_and_a_text_is_none() {
        for (kind, value, in_csv, in_book) in [
            ("number", json!("-12.50"), "-12.50", json!(-12.5)),
            ("integer", json!("-9007199254740993"), "-9007199254740993", json!("-9007199254740993")),
            ("integer", json!(-7), "-7", json!(-7)),
            ("number", json!("NaN"), "NaN", json!("NaN")),
            ("text", json!("-12.50"), "'-12.50", json!("-12.50")),
            ("text", json!("007"), "007", json!("007")),
            ("number", json!("=1+1"), "'=1+1", json!("=1+1")),
        ] {
            let row = answer(kind, &value);
            let columns = columns(if is_amount(&row) { ColumnKind::Number } else { ColumnKind::Other });
            let line = csv::row(&columns, &cells(&row));
            assert_eq!(line.split(',').nth(VALUE), Some(in_csv), "{line}");
            assert_eq!(cells_of_book(&row)[VALUE], in_book, "{value}");
        }
    }
}
