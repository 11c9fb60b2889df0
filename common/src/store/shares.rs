//! `shares`: who may read a question, or what was found in a file, besides its owner.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{
    Result,
    files::File,
    questions::{Filter, QuestionLine},
};
use crate::{
    ids::{FileId, QuestionId, UserId},
    model::questions::QuestionStatus,
};

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// A question.
    Question(QuestionId),
    /// What was found in a file, and not the file.
    Analysis(FileId),
}

impl Shared {
    /// Its id; those of questions and files are never the same.
    #[must_use]
    pub fn id(self) -> Uuid {
        match self {
            Self::Question(id) => id.0,
            Self::Analysis(id) => id.0,
        }
    }

    fn columns(self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Self::Question(id) => (Some(id.0), None),
            Self::Analysis(id) => (None, Some(id.0)),
        }
    }
}

/// Somebody who may read what is shared.
#[derive(Clone, Debug)]
pub struct Share {
    /// Who.
    pub user_id: UserId,
    /// His name.
    pub username: String,
    /// Who let him; none: a user who is gone.
    pub shared_by: Option<Uuid>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// Whose it is, and the connection of a question; none: there is none, or for a question it is the analysis of a file.
///
/// # Errors
/// If the database fails.
pub async fn owner(pool: &PgPool, what: Shared) -> Result<Option<(UserId, Option<Uuid>)>> {
    let (question, file) = what.columns();
    let row = sqlx::query!(
        r#"SELECT user_id AS "user_id!", connection_id FROM query_history WHERE id = $1 AND file_info IS NULL
           UNION ALL SELECT user_id, NULL FROM files WHERE id = $2"#,
        question,
        file
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| (UserId(row.user_id), row.connection_id)))
}

/// What came of sharing.
#[derive(Clone, Debug)]
pub enum Given {
    /// He may read it from now on.
    New(Share),
    /// He could before.
    Before(Share),
    /// There is no such user, or he is not active.
    Nobody,
}

/// Lets a user read it.
///
/// # Errors
/// [`super::StoreError::Constraint`] with `shares_question_id_fkey` or `shares_file_id_fkey` where it is gone meanwhile.
pub async fn give(conn: &mut PgConnection, what: Shared, to: UserId, by: UserId) -> Result<Given> {
    let (question, file) = what.columns();
    let is_new = sqlx::query!(
        "INSERT INTO shares (question_id, file_id, user_id, shared_by) SELECT $1, $2, id, $4 FROM users WHERE id = $3 AND is_active
         ON CONFLICT DO NOTHING",
        question,
        file,
        to.0,
        by.0
    )
    .execute(&mut *conn)
    .await?
    .rows_affected()
        > 0;
    Ok(match find(conn, what, to).await? {
        Some(share) if is_new => Given::New(share),
        Some(share) => Given::Before(share),
        None => Given::Nobody,
    })
}

async fn find(conn: &mut PgConnection, what: Shared, reader: UserId) -> Result<Option<Share>> {
    let share = sqlx::query_as!(
        Share,
        r#"SELECT s.user_id AS "user_id: UserId", u.username, s.shared_by, s.created_at FROM shares s JOIN users u ON u.id = s.user_id
           WHERE (s.question_id = $1 OR s.file_id = $1) AND s.user_id = $2"#,
        what.id(),
        reader.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(share)
}

/// Takes it from a user; whether he could read it.
///
/// # Errors
/// If the database fails.
pub async fn take(conn: &mut PgConnection, what: Shared, from: UserId) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM shares WHERE (question_id = $1 OR file_id = $1) AND user_id = $2", what.id(), from.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Who may read it, newest users first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn readers(pool: &PgPool, what: Shared, before: Option<UserId>, limit: i64) -> Result<Vec<Share>> {
    let shares = sqlx::query_as!(
        Share,
        r#"SELECT s.user_id AS "user_id: UserId", u.username, s.shared_by, s.created_at FROM shares s JOIN users u ON u.id = s.user_id
           WHERE (s.question_id = $1 OR s.file_id = $1) AND ($2::uuid IS NULL OR s.user_id < $2) ORDER BY s.user_id DESC LIMIT $3"#,
        what.id(),
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(shares)
}

/// Whose it is, if it is shared with this user.
///
/// # Errors
/// If the database fails.
pub async fn shared_by_owner(pool: &PgPool, what: Shared, reader: UserId) -> Result<Option<UserId>> {
    let owner = sqlx::query_scalar!(
        r#"SELECT coalesce(q.user_id, f.user_id) AS "owner!" FROM shares s
           LEFT JOIN query_history q ON q.id = s.question_id LEFT JOIN files f ON f.id = s.file_id
           WHERE (s.question_id = $1 OR s.file_id = $1) AND s.user_id = $2"#,
        what.id(),
        reader.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(owner.map(UserId))
}

/// Those of these questions and readers that are shared still: one look for all open streams.
///
/// # Errors
/// If the database fails.
pub async fn among(pool: &PgPool, questions: &[Uuid], readers: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"SELECT s.question_id AS "question_id!", s.user_id FROM UNNEST($1::uuid[], $2::uuid[]) AS w(question_id, user_id)
           JOIN shares s ON s.question_id = w.question_id AND s.user_id = w.user_id"#,
        questions,
        readers
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.question_id, row.user_id)).collect())
}

/// A question that somebody else shares: what it is, and nothing of its answer.
#[derive(Clone, Debug)]
pub struct SharedLine {
    /// Its line; without a count of rows, and with its connection only where the reader may know of that.
    pub line: QuestionLine,
    /// The name of its owner.
    pub owner: String,
}

/// A page of the questions that are shared with a user, newest first, before a cursor; of these connections and of none, where `usable`
/// names some. `is_admin`: he knows of every connection.
///
/// # Errors
/// If the database fails.
pub async fn questions(
    pool: &PgPool,
    reader: (UserId, bool),
    filter: &Filter,
    usable: Option<&[Uuid]>,
    before: Option<QuestionId>,
    limit: i64,
) -> Result<Vec<SharedLine>> {
    let rows = sqlx::query!(
        r#"SELECT q.id, q.question, q.file_id, q.status, q.created_at, q.finished_at, q.job_id, u.username,
                  CASE WHEN $8 OR p.user_id IS NOT NULL THEN q.connection_id END AS connection_id
           FROM shares s JOIN query_history q ON q.id = s.question_id JOIN users u ON u.id = q.user_id
           LEFT JOIN connection_permissions p ON p.user_id = s.user_id AND p.connection_id = q.connection_id
           WHERE s.user_id = $1 AND s.question_id IS NOT NULL AND ($2::text IS NULL OR q.status = $2)
             AND ($3::uuid IS NULL OR q.connection_id = $3 AND ($8 OR p.user_id IS NOT NULL)) AND ($4::uuid IS NULL OR s.question_id < $4)
             AND ($6::uuid[] IS NULL OR q.connection_id IS NULL OR q.connection_id = ANY($6)) AND ($7::uuid IS NULL OR q.file_id = $7)
           ORDER BY s.question_id DESC LIMIT $5"#,
        reader.0.0,
        filter.status.map(QuestionStatus::as_str),
        filter.connection_id.map(|id| id.0),
        before.map(|id| id.0),
        limit,
        usable,
        filter.file_id.map(|id| id.0),
        reader.1
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SharedLine {
            line: QuestionLine {
                id: row.id,
                question: row.question,
                connection_id: row.connection_id,
                file_id: row.file_id,
                status: row.status,
                row_count: None,
                summary_text: None,
                created_at: row.created_at,
                finished_at: row.finished_at,
                job_id: row.job_id,
            },
            owner: row.username,
        })
        .collect())
}

/// A page of the files whose analyses are shared with a user, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn files(pool: &PgPool, reader: UserId, before: Option<FileId>, limit: i64) -> Result<Vec<File>> {
    let rows = sqlx::query_as!(
        File,
        r#"SELECT f.id, f.workbook_id, f.name, w.kind, w.size, w.sha256, w.include_hidden, w.read_at IS NOT NULL AS "analysed!", f.created_at
           FROM shares s JOIN files f ON f.id = s.file_id JOIN workbooks w ON w.id = f.workbook_id
           WHERE s.user_id = $1 AND s.file_id IS NOT NULL AND ($2::uuid IS NULL OR s.file_id < $2) ORDER BY s.file_id DESC LIMIT $3"#,
        reader.0,
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}
