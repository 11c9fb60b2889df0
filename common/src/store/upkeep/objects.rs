//! What lies in file storage and what the rows say of it: files that no row names, and rows whose file is gone.

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    ids::{JobId, WorkbookId},
    store::Result,
};

/// Objects of the storage as the rows know them: the jobs and workbooks whose folders they lie in, and their paths.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Jobs below `results/` and of pictures below `charts/`.
    pub jobs: Vec<Uuid>,
    /// Workbooks below `workbooks/`.
    pub workbooks: Vec<Uuid>,
}

/// The paths that rows of these jobs and workbooks name, and (as `results/{job}`) the jobs that are not over: what they have written may
/// be named soon.
///
/// # Errors
/// If the database fails.
pub async fn named(pool: &PgPool, of: &Named) -> Result<Vec<String>> {
    let paths = sqlx::query_scalar!(
        r#"SELECT coalesce(f.value ->> 'path', f.value #>> '{}') AS "path!"
           FROM analysis_results a, jsonb_each(a.result_files) f WHERE a.job_id = ANY($1)
           UNION ALL
           SELECT 'results/' || id FROM jobs WHERE id = ANY($1) AND finished_at IS NULL
           UNION ALL
           SELECT p.path FROM workbooks w, LATERAL (VALUES (w.content_path), (w.database_path), (w.analysis_path)) p(path)
           WHERE w.id = ANY($2) AND p.path IS NOT NULL
           UNION ALL
           SELECT 'workbooks/' || f.workbook_id FROM files f JOIN query_history q ON q.file_id = f.id
           WHERE f.workbook_id = ANY($2) AND q.status = 'pending'"#,
        &of.jobs,
        &of.workbooks
    )
    .fetch_all(pool)
    .await?;
    Ok(paths)
}

/// A row with something in file storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The job of an answer, or the workbook.
    pub id: Uuid,
    /// The paths that it names, each with its name there (`rows`, `chart.svg`, `content`, `database`, `analysis`).
    pub paths: Vec<(String, String)>,
}

/// Answers with files, by their jobs, after this one.
///
/// # Errors
/// If the database fails.
pub async fn answers_with_files(pool: &PgPool, after: Uuid, limit: i64) -> Result<Vec<Gone>> {
    let rows = sqlx::query!(
        r#"SELECT a.job_id, ARRAY(SELECT f.key FROM jsonb_each(a.result_files) f ORDER BY f.key) AS "names!",
               ARRAY(SELECT coalesce(f.value ->> 'path', f.value #>> '{}') FROM jsonb_each(a.result_files) f ORDER BY f.key) AS "paths!"
           FROM analysis_results a WHERE a.result_files <> '{}' AND a.job_id > $1 ORDER BY a.job_id LIMIT $2"#,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| Gone { id: row.job_id, paths: row.names.into_iter().zip(row.paths).collect() }).collect())
}

/// Workbooks, after this one.
///
/// # Errors
/// If the database fails.
pub async fn readings_with_files(pool: &PgPool, after: Uuid, limit: i64) -> Result<Vec<Gone>> {
    let rows = sqlx::query!(
        "SELECT id, content_path, database_path, analysis_path FROM workbooks WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    let paths = |content: String, database: Option<String>, analysis: Option<String>| {
        let named = [("content", Some(content)), ("database", database), ("analysis", analysis)];
        named.into_iter().filter_map(|(name, path)| Some((name.to_owned(), path?))).collect()
    };
    Ok(rows.into_iter().map(|row| Gone { id: row.id, paths: paths(row.content_path, row.database_path, row.analysis_path) }).collect())
}

/// Removes answers whose rows are gone: their results are 410 from then on, and can be asked for again. Says which there still were: one
/// that expired meanwhile has lost nothing.
///
/// # Errors
/// If the database fails.
pub async fn drop_answers(pool: &PgPool, jobs: &[JobId]) -> Result<Vec<JobId>> {
    let jobs: Vec<Uuid> = jobs.iter().map(|id| id.0).collect();
    let dropped =
        sqlx::query_scalar!("DELETE FROM analysis_results WHERE job_id = ANY($1) RETURNING job_id", &jobs).fetch_all(pool).await?;
    Ok(dropped.into_iter().map(JobId).collect())
}

/// Forgets a picture that is gone: it is drawn again when somebody asks for it.
///
/// # Errors
/// If the database fails.
pub async fn forget_pictures(pool: &PgPool, pictures: &[(JobId, String)]) -> Result<u64> {
    let (jobs, names): (Vec<Uuid>, Vec<String>) = pictures.iter().map(|(job, name)| (job.0, name.clone())).unzip();
    let done = sqlx::query!(
        "UPDATE analysis_results a SET result_files = a.result_files - ARRAY(SELECT p.name FROM unnest($1::uuid[], $2::text[]) p(job, name)
             WHERE p.job = a.job_id)
         WHERE a.job_id = ANY($1)",
        &jobs,
        &names
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets what was made of workbooks where it is gone: they are read again when somebody asks them.
///
/// # Errors
/// If the database fails.
pub async fn forget_readings(pool: &PgPool, workbooks: &[WorkbookId]) -> Result<u64> {
    let ids: Vec<Uuid> = workbooks.iter().map(|id| id.0).collect();
    let done = sqlx::query!(
        "UPDATE workbooks SET tables = NULL, database_path = NULL, database_bytes = NULL, analysis_path = NULL, analysis_bytes = NULL,
             read_at = NULL WHERE id = ANY($1) AND read_at IS NOT NULL",
        &ids
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
