//! Analyses of files: rows of `query_history` with an empty question, told from questions by their `file_info`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    ids::{FileId, JobId, QuestionId, UserId},
    store::Result,
};

/// An analysis as asked for.
#[derive(Clone, Debug)]
pub struct NewAnalysis {
    /// Minted before the commit.
    pub id: QuestionId,
    /// Likewise.
    pub job_id: JobId,
    /// Who asks.
    pub user_id: UserId,
    /// Of which file.
    pub file_id: FileId,
    /// `{name, kind, size, sha256, include_hidden}`.
    pub file_info: Value,
}

/// Adds an analysis, in the transaction of its job.
///
/// # Errors
/// If the database fails.
pub async fn ask(conn: &mut PgConnection, new: &NewAnalysis) -> Result<()> {
    sqlx::query!(
        "INSERT INTO query_history (id, user_id, question, query_type, job_id, file_id, file_info) VALUES ($1, $2, '', 'excel', $3, $4, $5)",
        new.id.0,
        new.user_id.0,
        new.job_id.0,
        new.file_id.0,
        new.file_info
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest analysis of a file, with the state of its job, and where what was found lies.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `query_history.id`.
    pub id: Uuid,
    /// Its newest job.
    pub job_id: Uuid,
    /// `pending`, `success`, `error`, `timeout` or `cancelled`.
    pub status: String,
    /// What a running job is doing.
    pub stage: Option<String>,
    /// How far it is.
    pub progress: Option<Value>,
    /// Why nothing was found.
    pub error: Option<Value>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
    /// Whether hidden sheets are read.
    pub include_hidden: bool,
    /// The language of the sentences.
    pub language: Option<String>,
    /// Where the stored analysis lies; none: there is none (any more).
    pub analysis_path: Option<String>,
}

/// The newest analysis of a file of this user; none: none was asked for.
///
/// # Errors
/// If the database fails.
pub async fn newest(pool: &PgPool, owner: UserId, file: FileId) -> Result<Option<Asked>> {
    let row = sqlx::query_as!(
        Asked,
        r#"SELECT q.id, q.job_id, q.status, j.stage, j.progress, q.error, q.created_at, q.finished_at, w.sha256, w.include_hidden, w.language,
                  w.analysis_path
           FROM files f JOIN workbooks w ON w.id = f.workbook_id JOIN query_history q ON q.file_id = f.id AND q.file_info IS NOT NULL
           LEFT JOIN jobs j ON j.id = q.job_id
           WHERE f.id = $1 AND f.user_id = $2 ORDER BY q.id DESC LIMIT 1"#,
        file.0,
        owner.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}
