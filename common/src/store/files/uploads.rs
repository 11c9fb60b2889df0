//! Uploads, as their owners see them.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    ids::{FileId, UserId, WorkbookId},
    store::Result,
};

/// A file with its content's facts.
#[derive(Clone, Debug)]
pub struct File {
    /// Which.
    pub id: Uuid,
    /// The content that it is one upload of.
    pub workbook_id: Uuid,
    /// As its owner called it.
    pub name: String,
    /// `xlsx` and so on.
    pub kind: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// Whether hidden sheets are read too.
    pub include_hidden: bool,
    /// Whether its content was read and analysed.
    pub analysed: bool,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

/// An upload whose content lies in file storage.
#[derive(Clone, Debug)]
pub struct NewFile<'a> {
    /// Minted before the commit, so that an unknown outcome can be resent.
    pub id: FileId,
    /// Whose.
    pub user_id: UserId,
    /// As he calls it: 1 to 255 characters.
    pub name: &'a str,
    /// Its content.
    pub content: NewContent<'a>,
}

/// A content that may be there already.
#[derive(Clone, Debug)]
pub struct NewContent<'a> {
    /// The id that it gets if it is new.
    pub workbook_id: WorkbookId,
    /// `xlsx` and so on.
    pub kind: &'a str,
    /// Bytes.
    pub size: i64,
    /// SHA-256, in hex.
    pub sha256: &'a str,
    /// Whether hidden sheets are read too.
    pub include_hidden: bool,
    /// Where it lies in file storage.
    pub path: &'a str,
}

/// Stores an upload, as one of a content that the same user uploaded before, or of a new one: then its `workbook_id` is the given one.
///
/// # Errors
/// If the database fails.
pub async fn insert(conn: &mut PgConnection, file: &NewFile<'_>) -> Result<File> {
    let workbook = content(conn, file.user_id, &file.content).await?;
    let created_at = sqlx::query_scalar!(
        "INSERT INTO files (id, user_id, workbook_id, name) VALUES ($1, $2, $3, $4) RETURNING created_at",
        file.id.0,
        file.user_id.0,
        workbook.id,
        file.name
    )
    .fetch_one(conn)
    .await?;
    Ok(File {
        id: file.id.0,
        workbook_id: workbook.id,
        name: file.name.to_owned(),
        kind: workbook.kind,
        size: file.content.size,
        sha256: file.content.sha256.to_owned(),
        include_hidden: file.content.include_hidden,
        analysed: workbook.analysed,
        created_at,
    })
}

struct Content {
    id: Uuid,
    kind: String,
    analysed: bool,
}

// The update changes nothing; it locks the row against who deletes the content's last file at the same time.
async fn content(conn: &mut PgConnection, user: UserId, new: &NewContent<'_>) -> Result<Content> {
    let row = sqlx::query_as!(
        Content,
        r#"INSERT INTO workbooks (id, user_id, sha256, kind, size, include_hidden, content_path) VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT ON CONSTRAINT workbooks_once DO UPDATE SET sha256 = EXCLUDED.sha256
           RETURNING id, kind, read_at IS NOT NULL AS "analysed!""#,
        new.workbook_id.0,
        user.0,
        new.sha256,
        new.kind,
        new.size,
        new.include_hidden,
        new.path
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// A file of this user.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, owner: UserId, id: FileId) -> Result<Option<File>> {
    let row = sqlx::query_as!(
        File,
        r#"SELECT f.id, f.workbook_id, f.name, w.kind, w.size, w.sha256, w.include_hidden, w.read_at IS NOT NULL AS "analysed!", f.created_at
           FROM files f JOIN workbooks w ON w.id = f.workbook_id WHERE f.id = $1 AND f.user_id = $2"#,
        id.0,
        owner.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// A page of a user's files, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, owner: UserId, before: Option<FileId>, limit: i64) -> Result<Vec<File>> {
    let rows = sqlx::query_as!(
        File,
        r#"SELECT f.id, f.workbook_id, f.name, w.kind, w.size, w.sha256, w.include_hidden, w.read_at IS NOT NULL AS "analysed!", f.created_at
           FROM files f JOIN workbooks w ON w.id = f.workbook_id
           WHERE f.user_id = $1 AND ($2::uuid IS NULL OR f.id < $2) ORDER BY f.id DESC LIMIT $3"#,
        owner.0,
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// Makes a file one of another content row: of the same bytes, but read with (or without) hidden sheets. Says which row it is one of now
/// (the given one if it is new), and which row was left empty and is gone. None: there is no such file of his.
///
/// # Errors
/// If the database fails.
pub async fn move_to(
    conn: &mut PgConnection,
    owner: UserId,
    id: FileId,
    content_row: &NewContent<'_>,
) -> Result<Option<(WorkbookId, Option<WorkbookId>)>> {
    let Some(old) = lock(conn, owner, id).await? else { return Ok(None) };
    let new = content(conn, owner, content_row).await?;
    sqlx::query!("UPDATE files SET workbook_id = $2 WHERE id = $1", id.0, new.id).execute(&mut *conn).await?;
    let emptied = if new.id == old.0 { None } else { drop_if_empty(conn, old).await? };
    Ok(Some((WorkbookId(new.id), emptied)))
}

/// Locks a file of this user, so that nobody moves or deletes it meanwhile; its content.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, owner: UserId, id: FileId) -> Result<Option<WorkbookId>> {
    let workbook = sqlx::query_scalar!("SELECT workbook_id FROM files WHERE id = $1 AND user_id = $2 FOR UPDATE", id.0, owner.0)
        .fetch_optional(conn)
        .await?;
    Ok(workbook.map(WorkbookId))
}

/// Deletes a content that no file is one of any more. Says whether it did.
///
/// # Errors
/// If the database fails.
pub(super) async fn drop_if_empty(conn: &mut PgConnection, id: WorkbookId) -> Result<Option<WorkbookId>> {
    // In a statement of its own: the next one then sees the file of an upload that held the row until now.
    sqlx::query!("SELECT id FROM workbooks WHERE id = $1 FOR UPDATE", id.0).fetch_optional(&mut *conn).await?;
    let gone =
        sqlx::query!("DELETE FROM workbooks w WHERE w.id = $1 AND NOT EXISTS (SELECT FROM files f WHERE f.workbook_id = w.id)", id.0)
            .execute(conn)
            .await?;
    Ok((gone.rows_affected() > 0).then_some(id))
}
