//! The log as a file, made as it is sent.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    exports::{CSV_TYPE, csv},
    store::audit::{
        self, Entry,
        search::{self, Found, Place},
    },
};
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{AuditLine, AuditQuery, Format, Search, took_too_long};
use crate::{
    access::Caller,
    app::App,
    audited::Seen,
    error::{ApiError, Code, Result},
    frame::Framed,
};

/// Files made at once by this process: each reads much of the log.
static TURNS: std::sync::LazyLock<std::sync::Arc<Semaphore>> = std::sync::LazyLock::new(|| std::sync::Arc::new(Semaphore::new(2)));
/// Lines of a file; a search that finds more is to be narrowed.
const MOST: usize = 500_000;
/// Lines read at once.
const AT_ONCE: i64 = 1_000;

const COLUMNS: [&str; 12] = [
    "created_at",
    "id",
    "user_id",
    "username",
    "action",
    "resource_type",
    "resource_id",
    "result",
    "ip_address",
    "user_agent",
    "request_id",
    "details",
];

/// All that is found. That it is taken out is in the log before the first line goes.
///
/// # Errors
/// 422 for more than may be found, 503 while others are at it, and what the store says.
pub async fn export(app: &App, framed: &Framed, caller: &Caller, query: &AuditQuery, search: Search, format: Format) -> Result<Response> {
    let busy =
        || ApiError::new(Code::Unavailable, "other exports are being made; try again").retry_after(std::time::Duration::from_secs(5));
    let turn = TURNS.clone().try_acquire_owned().map_err(|_| busy())?;
    let first = read(app, &search, search.before).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "audit.exported",
        resource_type: "audit_log",
        resource_id: None,
        success: true,
        details: json!({ "filter": query }),
    };
    let mut conn = app.pool.acquire().await?;
    audit::insert(&mut conn, &framed.origin, entry).await?;
    drop(conn);
    let (content_type, name, head) = match format {
        Format::Csv => (CSV_TYPE, "audit-logs.csv", csv::line(COLUMNS.iter().map(|name| (*name).to_owned()))),
        _ => ("application/jsonl", "audit-logs.jsonl", String::new()),
    };
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).map_err(|error| ApiError::internal(&error))?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type)), (header::CONTENT_DISPOSITION, disposition)];
    let head = stream::once(async move { Ok(Bytes::from(head)) });
    let body = Body::from_stream(head.chain(pages(app.clone(), search, format, first, turn)));
    // Its own line is written.
    Ok(Seen { nothing: true, ..Seen::default() }.on((headers, body).into_response()))
}

async fn read(app: &App, search: &Search, before: Place) -> Result<Vec<Found>> {
    search::page(&app.pool, &search.filter, search.from, before, AT_ONCE).await?.ok_or_else(took_too_long)
}

struct Progress {
    app: App,
    search: Search,
    format: Format,
    next: Option<Vec<Found>>,
    sent: usize,
    _turn: OwnedSemaphorePermit,
}

// An error in the middle cuts the connection, so that nobody takes the part for the whole.
fn pages(
    app: App,
    search: Search,
    format: Format,
    first: Vec<Found>,
    turn: OwnedSemaphorePermit,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let begin = Progress { app, search, format, next: Some(first), sent: 0, _turn: turn };
    stream::try_unfold(begin, |mut progress| async move {
        let Some(found) = progress.next.take().filter(|found| !found.is_empty()) else { return Ok(None) };
        progress.sent += found.len();
        let whole = i64::try_from(found.len()).is_ok_and(|count| count == AT_ONCE);
        if let Some(last) = found.last().filter(|_| whole) {
            if progress.sent >= MOST {
                return Err(std::io::Error::other("more is found than an export holds; narrow the search"));
            }
            let next = read(&progress.app, &progress.search, last.place()).await;
            progress.next = Some(next.map_err(|error| std::io::Error::other(format!("{error:?}")))?);
        }
        let text: String = found.into_iter().map(|line| shown(progress.format, line.into())).collect();
        Ok(Some((Bytes::from(text), progress)))
    })
}

fn shown(format: Format, line: AuditLine) -> String {
    if format == Format::Jsonl {
        return format!("{}\n", json!(line));
    }
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    csv::line(
        [
            line.created_at.to_rfc3339(),
            line.id.to_string(),
            id(line.user_id),
            line.username.unwrap_or_default(),
            line.action,
            line.resource_type,
            line.resource_id.unwrap_or_default(),
            line.result.unwrap_or_default(),
            line.ip_address.unwrap_or_default(),
            line.user_agent.unwrap_or_default(),
            id(line.request_id),
            line.details.to_string(),
        ]
        .into_iter(),
    )
}
