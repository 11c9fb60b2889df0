//! What a worker needs of an uploaded workbook, and what it made of it.

use sqlx::{PgPool, types::Json};

use crate::{
    ids::{FileId, JobId, LeaseId, UserId, WorkbookId},
    model::{language::Language, workbooks::Prepared},
    store::{Result, StoreError},
};

/// A workbook, as a worker reads it.
#[derive(Clone, Debug)]
pub struct Workbook {
    /// Which.
    pub id: WorkbookId,
    /// Whose.
    pub user_id: UserId,
    /// The file's name, as its owner gave it.
    pub name: String,
    /// Its kind, `xlsx` and so on.
    pub kind: String,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// Bytes.
    pub size: i64,
    /// Whether hidden sheets are read too.
    pub include_hidden: bool,
    /// Where the content lies in file storage.
    pub content_path: String,
    /// What was made of it; none: it was not read yet.
    pub reading: Option<Reading>,
}

/// What was made of a workbook.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What the SQLite file holds.
    pub prepared: Prepared,
    /// Where it lies in file storage.
    pub database_path: String,
    /// Its bytes.
    pub database_bytes: i64,
    /// Where the analysis lies.
    pub analysis_path: String,
    /// Its bytes.
    pub analysis_bytes: i64,
    /// The language of the analysis.
    pub language: Language,
}

/// The workbook of a user's file; none: there is no such file of his.
///
/// # Errors
/// If the database fails.
pub async fn of_file(pool: &PgPool, user: UserId, file: FileId) -> Result<Option<Workbook>> {
    let row = sqlx::query!(
        r#"SELECT w.id, w.user_id, f.name, w.kind, w.sha256, w.size, w.include_hidden, w.content_path, w.tables AS "tables: Json<Prepared>",
                  w.database_path, w.database_bytes, w.analysis_path, w.analysis_bytes, w.language
           FROM files f JOIN workbooks w ON w.id = f.workbook_id WHERE f.id = $1 AND f.user_id = $2"#,
        file.0,
        user.0
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let reading = match (row.tables, row.database_path, row.analysis_path) {
        (Some(Json(prepared)), Some(database_path), Some(analysis_path)) => Some(Reading {
            prepared,
            database_path,
            database_bytes: row.database_bytes.unwrap_or_default(),
            analysis_path,
            analysis_bytes: row.analysis_bytes.unwrap_or_default(),
            language: row
                .language
                .as_deref()
                .unwrap_or("en")
                .parse()
                .map_err(|detail| StoreError::Unreadable { what: "workbooks.language", detail })?,
        }),
        _ => None,
    };
    Ok(Some(Workbook {
        id: WorkbookId(row.id),
        user_id: UserId(row.user_id),
        name: row.name,
        kind: row.kind,
        sha256: row.sha256,
        size: row.size,
        include_hidden: row.include_hidden,
        content_path: row.content_path,
        reading,
    }))
}

/// Whether a user's file is still there.
///
/// # Errors
/// If the database fails.
pub async fn is_there(pool: &PgPool, user: UserId, file: FileId) -> Result<bool> {
    let there = sqlx::query_scalar!("SELECT true FROM files WHERE id = $1 AND user_id = $2", file.0, user.0).fetch_optional(pool).await?;
    Ok(there.is_some())
}

/// Lets one attempt at a time read a workbook, over all processes. False: another one does, whose lease holds: what it brings is there soon,
/// or its lease falls. Nobody gives the claim back; it goes with the lease.
///
/// # Errors
/// If the database fails.
pub async fn claim(pool: &PgPool, workbook: WorkbookId, job: JobId, lease: LeaseId) -> Result<bool> {
    let claimed = sqlx::query!(
        "UPDATE workbooks w SET reading_job = $2, reading_lease = $3
         WHERE w.id = $1 AND (w.reading_lease IS NOT DISTINCT FROM $3 OR NOT EXISTS (
             SELECT FROM jobs j WHERE j.id = w.reading_job AND j.lease_id = w.reading_lease AND j.state = 'running' AND j.lease_until > dg_now()))",
        workbook.0,
        job.0,
        lease.0
    )
    .execute(pool)
    .await?;
    Ok(claimed.rows_affected() > 0)
}

/// Forgets the reading with this database, whose files are gone from storage, so that the workbook is read again. False: another one has
/// its place already.
///
/// # Errors
/// If the database fails.
pub async fn forget(pool: &PgPool, workbook: WorkbookId, database_path: &str) -> Result<bool> {
    let forgotten = sqlx::query!(
        "UPDATE workbooks SET tables = NULL, database_path = NULL, database_bytes = NULL, analysis_path = NULL, analysis_bytes = NULL,
             read_at = NULL WHERE id = $1 AND database_path = $2",
        workbook.0,
        database_path
    )
    .execute(pool)
    .await?;
    Ok(forgotten.rows_affected() > 0)
}

/// What came of publishing a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is the workbook's now. The files of an earlier reading (another language's) that it replaced, to be deleted.
    Ours {
        /// Paths in file storage.
        replaced: Vec<String>,
    },
    /// Somebody else's was there first, or the workbook is gone: the caller deletes its own files.
    TooLate,
}

/// Publishes what was made of a workbook, unless another reading took the place of the one (`instead_of`, its database's path) that the
/// caller saw.
///
/// # Errors
/// If the database fails: then nothing of it is published, or all; send it again.
pub async fn publish(pool: &PgPool, workbook: WorkbookId, instead_of: Option<&str>, reading: &Reading) -> Result<Published> {
    let prepared = serde_json::to_value(&reading.prepared)
        .map_err(|error| StoreError::Unreadable { what: "workbooks.tables", detail: error.to_string() })?;
    let row = sqlx::query!(
        r#"WITH old AS (SELECT id, database_path, analysis_path FROM workbooks WHERE id = $1 FOR UPDATE)
           UPDATE workbooks w SET tables = $3, database_path = $4, database_bytes = $5, analysis_path = $6, analysis_bytes = $7,
                                  language = $8, read_at = dg_now()
           FROM old WHERE w.id = old.id AND (old.database_path IS NOT DISTINCT FROM $2 OR old.database_path = $4)
           RETURNING old.database_path AS "old_database", old.analysis_path AS "old_analysis""#,
        workbook.0,
        instead_of,
        prepared,
        reading.database_path,
        reading.database_bytes,
        reading.analysis_path,
        reading.analysis_bytes,
        reading.language.as_str()
    )
    .fetch_optional(pool)
    .await?;
    Ok(match row {
        Some(row) => {
            let old = [row.old_database, row.old_analysis].into_iter().flatten();
            Published::Ours { replaced: old.filter(|path| *path != reading.database_path && *path != reading.analysis_path).collect() }
        }
        None => Published::TooLate,
    })
}
