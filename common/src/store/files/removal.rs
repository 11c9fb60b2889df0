//! The end of a file and of all that came of it.

use sqlx::PgConnection;
use uuid::Uuid;

use super::uploads::{drop_if_empty, lock};
use crate::{
    ids::{FileId, JobId, UserId, WorkbookId},
    store::{
        Result,
        ledger::cancel::{self, Cancelled},
    },
};

/// What a deleted file leaves to be done after the commit.
#[derive(Clone, Debug, Default)]
pub struct Removed {
    /// Its content, if this was the last file of it: to be deleted from file storage.
    pub workbook: Option<WorkbookId>,
    /// Objects of answers, by their paths in file storage.
    pub objects: Vec<String>,
    /// Jobs that were stopped, or asked to stop.
    pub stopped: Vec<(JobId, Cancelled)>,
    /// How many questions and analyses went with it.
    pub questions: usize,
}

/// Deletes a file of this user with its questions, their answers and their jobs; jobs that are not over are stopped first. None: there is
/// no such file of his.
///
/// # Errors
/// If the database fails.
pub async fn remove(conn: &mut PgConnection, owner: UserId, id: FileId) -> Result<Option<Removed>> {
    let Some(workbook) = lock(conn, owner, id).await? else { return Ok(None) };
    let mut removed = Removed::default();
    // The newest job of each question; earlier ones are over.
    let jobs = sqlx::query!(
        r#"SELECT q.id, j.id AS "job_id?", j.finished_at IS NOT NULL AS "is_over!" FROM query_history q LEFT JOIN jobs j ON j.id = q.job_id
           WHERE q.file_id = $1 ORDER BY j.id"#,
        id.0
    )
    .fetch_all(&mut *conn)
    .await?;
    removed.questions = jobs.len();
    // In the order of their ids, and before the questions: the end of a job locks it first, too.
    for job in jobs.iter().filter(|row| !row.is_over).filter_map(|row| row.job_id) {
        let stopped = cancel::cancel(conn, Some(owner), JobId(job)).await?;
        if matches!(stopped, Cancelled::AtOnce(_) | Cancelled::Asked) {
            removed.stopped.push((JobId(job), stopped));
        }
    }
    removed.objects = sqlx::query_scalar!(
        r#"SELECT coalesce(o.value ->> 'path', o.value #>> '{}') AS "path!"
           FROM query_history q JOIN analysis_results a ON a.query_history_id = q.id, jsonb_each(a.result_files) o
           WHERE q.file_id = $1 AND jsonb_typeof(a.result_files) = 'object'"#,
        id.0
    )
    .fetch_all(&mut *conn)
    .await?;
    let over: Vec<Uuid> = jobs.iter().filter(|row| row.is_over).filter_map(|row| row.job_id).collect();
    sqlx::query!("DELETE FROM files WHERE id = $1", id.0).execute(&mut *conn).await?;
    // Their payloads repeat the questions.
    sqlx::query!("DELETE FROM jobs WHERE id = ANY($1)", &over).execute(&mut *conn).await?;
    removed.workbook = drop_if_empty(conn, workbook).await?;
    Ok(Some(removed))
}
