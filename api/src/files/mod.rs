//! Uploaded spreadsheets: their contents lie in file storage, workers read them. Each is its owner's alone.

pub mod analyse;
pub mod analysis;
pub mod chart;
pub mod delete;
mod draft;
mod exported;
pub mod get;
pub mod list;
mod names;
mod paced;
mod receive;
mod stored;
mod turns;
pub mod upload;

use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::FileId,
    store::files::{self, File},
};
use serde::Serialize;
use uuid::Uuid;

pub use self::turns::Uploads;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
};

/// A file as shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FileView {
    /// Its id.
    pub id: Uuid,
    /// As it was called, without a path and without characters that can't be seen.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of its content, in hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// `xlsx`, `xlsm`, `xlsb`, `xls`, `ods`, `csv` or `tsv`: by its content, whatever its name says.
    #[schema(value_type = crate::openapi::words::FileKind)]
    pub kind: String,
    /// Whether hidden sheets are read too.
    pub include_hidden: bool,
    /// Whether its content was analysed, by this upload or an earlier one of the same content.
    pub analysed: bool,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

impl From<File> for FileView {
    fn from(f: File) -> Self {
        Self {
            id: f.id,
            name: f.name,
            size: f.size,
            sha256: f.sha256,
            kind: f.kind,
            include_hidden: f.include_hidden,
            analysed: f.analysed,
            created_at: f.created_at,
        }
    }
}

/// A file of the caller; administrators see only their own, too.
///
/// # Errors
/// 404, and what the store says.
pub async fn owned(app: &App, caller: &Caller, id: FileId) -> Result<File> {
    files::find(&app.pool, caller.user_id, id).await?.ok_or_else(|| ApiError::not_found("file"))
}
