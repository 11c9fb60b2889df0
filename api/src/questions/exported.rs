//! Whole results as files: JSON, CSV and xlsx. The first two are made as they are sent; a workbook is made on disk and then sent.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    exports::{About, CSV_TYPE, ExportError, ResultBook, XLSX_TYPE, csv},
    model::results::{Column, Row},
};
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::io::ReaderStream;

use super::lines::Batches;
use crate::error::{ApiError, Result};

/// Workbooks made at once by this process: each takes a core and some disk. The others wait.
static WRITERS: Semaphore = Semaphore::const_new(2);
/// Batches that wait for a workbook's writer.
const AHEAD: usize = 4;
/// Bytes of a file sent at once.
const PIECE: usize = 64 * 1024;

/// The whole result as one document, `{columns, rows, row_count, truncated, next_cursor: null}`.
pub fn as_json(columns: &[Column], rows: Batches, about: &About) -> Response {
    let begin = format!("{{\"columns\":{},\"rows\":[", json!(columns));
    let end = format!("],\"row_count\":{},\"truncated\":{},\"next_cursor\":null}}", about.row_count, about.truncated);
    let mut any = false;
    let lines = rows.map(move |batch| {
        let mut text = Vec::new();
        for line in batch? {
            text.extend_from_slice(if any { b",\n" } else { b"\n" });
            text.extend_from_slice(&line);
            any = true;
        }
        Ok(Bytes::from(text))
    });
    let body = once(begin).chain(lines).chain(once(end));
    (named("result.json", "result-truncated.json", about, "application/json"), streamed(body)).into_response()
}

/// The whole result as CSV, with a byte order mark if one is wanted.
pub fn as_csv(columns: Vec<Column>, rows: Batches, about: &About, bom: bool) -> Response {
    let begin = format!("{}{}", if bom { csv::BOM } else { "" }, csv::header(&columns));
    let lines = rows.map(move |batch| {
        let mut text = String::new();
        for line in batch? {
            let row: Row = serde_json::from_slice(&line).map_err(|error| ApiError::internal(&error))?;
            text.push_str(&csv::row(&columns, &row));
        }
        Ok(Bytes::from(text))
    });
    (named("result.csv", "result-truncated.csv", about, CSV_TYPE), streamed(once(begin).chain(lines))).into_response()
}

/// The whole result as a workbook, as far as a sheet has room.
///
/// # Errors
/// 507 if the disk is full, 500 if the rows cannot be read.
pub async fn as_xlsx(columns: Vec<Column>, mut rows: Batches, about: About) -> Result<Response> {
    let headers = named("result.xlsx", "result-truncated.xlsx", &about, XLSX_TYPE);
    let _turn = WRITERS.acquire().await.map_err(|error| ApiError::internal(&error))?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let writer = tokio::task::spawn_blocking(move || write(columns, receiver, &about));
    while let Some(batch) = rows.next().await {
        // A writer whose sheet is full, or who failed, listens no longer.
        if sender.send(batch?).await.is_err() {
            break;
        }
    }
    drop(sender);
    let file = writer.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::of_files(&error))?;
    Ok((headers, sent(file)?).into_response())
}

fn write(columns: Vec<Column>, mut rows: mpsc::Receiver<Vec<Bytes>>, about: &About) -> std::result::Result<std::fs::File, ExportError> {
    let mut book = ResultBook::new(columns, about.language)?;
    'rows: while let Some(batch) = rows.blocking_recv() {
        for line in batch {
            let row: Row = serde_json::from_slice(&line).map_err(std::io::Error::from)?;
            if !book.push(&row)? {
                break 'rows;
            }
        }
    }
    book.finish(about)
}

/// A file as the body of a reply, with its length.
///
/// # Errors
/// 500 if it cannot be read.
pub fn sent(file: std::fs::File) -> Result<Response> {
    let length = file.metadata().map_err(|error| ApiError::internal(&error))?.len();
    let body = Body::from_stream(ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE));
    Ok(([(header::CONTENT_LENGTH, HeaderValue::from(length))], body).into_response())
}

// What the file is called says whether a limit cut it off: the rows alone cannot.
fn named(whole: &str, part: &str, about: &About, content_type: &'static str) -> [(header::HeaderName, HeaderValue); 2] {
    let name = if about.truncated { part } else { whole };
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ]
}

fn once(text: String) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::once(async move { Ok(Bytes::from(text)) })
}

// An error in the middle cuts the connection, so that a client does not take the part for the whole.
fn streamed(body: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Body {
    Body::from_stream(body.map(|chunk| chunk.map_err(|error| std::io::Error::other(format!("{error:?}")))))
}
