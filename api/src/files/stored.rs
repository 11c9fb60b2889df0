//! A stored analysis, read from file storage or from the cache.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use datagenie_common::{
    analyses::AnalysisChart,
    cache::{CacheKey, MAX_VALUE_BYTES},
    files::{FilesError, ObjectPath},
    store::{files::Asked, sessions},
};
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use crate::{
    access::{Caller, Via},
    app::App,
    error::{ApiError, Code, Result},
};

/// The stored analysis. What is only passed on stays text.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    pub tables: Box<RawValue>,
    pub relations: Box<RawValue>,
    pub charts: Vec<AnalysisChart>,
    pub summary: String,
    pub insights: Box<RawValue>,
    pub skipped: Box<RawValue>,
    pub notes: Vec<String>,
}

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;
/// Large analyses in memory at once, each with some tens of MiB for as long as its reply takes; the others wait.
static LARGE: Semaphore = Semaphore::const_new(2);
/// Sessions of one user whose cached copies are deleted.
const SESSIONS: i64 = 100;

/// An analysis, and its place among the large ones.
pub(super) struct Held {
    pub found: Stored,
    pub place: Option<SemaphorePermit<'static>>,
}

impl Held {
    /// A reply with this text, which keeps the place until it is sent.
    pub fn reply(place: Option<SemaphorePermit<'static>>, text: Vec<u8>) -> Body {
        let Some(place) = place else { return Body::from(text) };
        let pieces = stream::unfold((Bytes::from(text), place), |(mut rest, place)| async move {
            let piece = rest.split_to(rest.len().min(PIECE));
            (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), (rest, place)))
        });
        Body::from_stream(pieces)
    }
}

/// What an analysis that succeeded has found.
///
/// # Errors
/// 410 where it is gone, 500 where it can't be read.
pub(super) async fn read(app: &App, caller: &Caller, asked: &Asked) -> Result<Held> {
    let gone = || ApiError::new(Code::Gone, "what the analysis found was kept for its time and is gone; analyse the file again");
    let path = asked.analysis_path.as_deref().ok_or_else(gone)?;
    let (session, hash) = key(caller, asked, path);
    let key = CacheKey::ExcelAnalysis { session, file_hash: &hash };
    if let Some(found) = app.cache.get_json(&key).await {
        return Ok(Held { found, place: None });
    }
    let path: ObjectPath = path.parse().map_err(|error: FilesError| ApiError::internal(&error))?;
    let failed = |error: FilesError| match error {
        FilesError::NotFound(_) => gone(),
        error => error.into(),
    };
    let is_small = app.files.size(path).await.map_err(failed)? <= MAX_VALUE_BYTES as u64;
    let place = if is_small { None } else { Some(LARGE.acquire().await.map_err(|error| ApiError::internal(&error))?) };
    let bytes = app.files.get_bytes(path).await.map_err(failed)?;
    // Milliseconds for every MiB.
    let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice::<Stored>(&bytes));
    let found = parsed.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    if is_small {
        app.cache.set_json(&key, &found).await;
    }
    Ok(Held { found, place })
}

/// Forgets the cached analysis of a file that is deleted, under every key that its owner may have read it by. Nobody could read it any
/// more, and what is missed here is gone by itself in an hour.
pub(super) async fn forget(app: &App, caller: &Caller, asked: &Asked) {
    let Some(path) = &asked.analysis_path else { return };
    let (own, hash) = key(caller, asked, path);
    let sessions = match sessions::ids(&app.pool, caller.user_id, SESSIONS).await {
        Ok(sessions) => sessions,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cached analyses are left to their end");
            Vec::new()
        }
    };
    for session in sessions.into_iter().map(|session| session.0).chain([own, caller.user_id.0]) {
        app.cache.delete(&CacheKey::ExcelAnalysis { session, file_hash: &hash }).await;
    }
}

/// The hash is of the content and of what was made of it: another language, or hidden sheets, are another reading.
fn key(caller: &Caller, asked: &Asked, path: &str) -> (Uuid, String) {
    let session = match &caller.via {
        Via::Session(session) => session.0,
        Via::ApiKey { .. } => caller.user_id.0,
    };
    let digest = Sha256::digest(format!("{} {} {path}", asked.sha256, asked.include_hidden));
    (session, digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
