//! A stored analysis, read from file storage or from the cache.

use datagenie_common::{
    analyses::AnalysisChart,
    cache::{CacheKey, MAX_VALUE_BYTES},
    files::{FilesError, ObjectPath},
    store::files::Asked,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
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

/// What an analysis that succeeded has found.
///
/// # Errors
/// 410 where it is gone, 500 where it can't be read.
pub(super) async fn read(app: &App, caller: &Caller, asked: &Asked) -> Result<Stored> {
    let gone = || ApiError::new(Code::Gone, "what the analysis found was kept for its time and is gone; analyse the file again");
    let path = asked.analysis_path.as_deref().ok_or_else(gone)?;
    let (session, hash) = key(caller, asked, path);
    let key = CacheKey::ExcelAnalysis { session, file_hash: &hash };
    if let Some(stored) = app.cache.get_json(&key).await {
        return Ok(stored);
    }
    let path: ObjectPath = path.parse().map_err(|error: FilesError| ApiError::internal(&error))?;
    let bytes = app.files.get_bytes(path).await.map_err(|error| match error {
        FilesError::NotFound(_) => gone(),
        error => ApiError::internal(&error),
    })?;
    let fits = bytes.len() <= MAX_VALUE_BYTES;
    // Milliseconds for every MiB.
    let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice::<Stored>(&bytes));
    let stored = parsed.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))?;
    if fits {
        app.cache.set_json(&key, &stored).await;
    }
    Ok(stored)
}

/// Forgets the cached analysis of a file that is deleted. Nobody could read it any more, and in an hour it is gone by itself.
pub(super) async fn forget(app: &App, caller: &Caller, asked: &Asked) {
    if let Some(path) = &asked.analysis_path {
        let (session, hash) = key(caller, asked, path);
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
