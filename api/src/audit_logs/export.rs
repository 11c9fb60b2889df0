//! The log as a file, made as it is sent.

use std::io;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    exports::{CSV_TYPE, csv},
    store::audit::{
        self, Entry,
        search::{Found, Walk},
    },
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
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

/// All that is found, however much that is. That it is taken out is in the log before the first line goes. It breaks off within a second
/// of the end of the caller's session or key.
///
/// # Errors
/// 422 where the log is too large to be looked through, 503 while others are at it, and what the store says.
pub async fn export(app: &App, framed: &Framed, caller: &Caller, query: &AuditQuery, search: Search, format: Format) -> Result<Response> {
    let busy =
        || ApiError::new(Code::Unavailable, "other exports are being made; try again").retry_after(std::time::Duration::from_secs(5));
    let turn = TURNS.clone().try_acquire_owned().map_err(|_| busy())?;
    let mut walk = Walk::new(search.filter, search.from, search.before);
    let first = walk.next(&app.pool, AT_ONCE).await?.ok_or_else(took_too_long)?;
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
    let (watching, watched) = (app.clone(), caller.clone());
    let signed_out = async move { watching.hub.until_signed_out(&watched).await }.boxed();
    let progress = Progress { app: app.clone(), walk, format, next: first, signed_out, _turn: turn };
    let body = Body::from_stream(head.chain(stream::try_unfold(progress, Progress::pass)));
    // Its own line is written.
    Ok(Seen { nothing: true, ..Seen::default() }.on((headers, body).into_response()))
}

struct Progress {
    app: App,
    walk: Walk,
    format: Format,
    /// What is sent next; nothing: that was all.
    next: Vec<Found>,
    signed_out: BoxFuture<'static, ()>,
    _turn: OwnedSemaphorePermit,
}

impl Progress {
    // An error in the middle cuts the connection, so that nobody takes the part for the whole.
    async fn pass(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.next.is_empty() {
            return Ok(None);
        }
        let next = tokio::select! {
            biased;
            () = &mut self.signed_out => return Err(io::Error::other("the session or key has ended")),
            next = self.walk.next(&self.app.pool, AT_ONCE) => next,
        };
        let next = next.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "an export of the audit log broke off");
            io::Error::other("the log could not be read")
        })?;
        let next = next.ok_or_else(|| io::Error::other("the log took too long to read"))?;
        let found = std::mem::replace(&mut self.next, next);
        let text: String = found.into_iter().map(|line| shown(self.format, line.into())).collect();
        Ok(Some((Bytes::from(text), self)))
    }
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
