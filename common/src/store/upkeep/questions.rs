//! Questions and answers past their keeping time, with the paths of what they have in file storage: that is deleted after the commit, and
//! what a crash between leaves there is found by the look through the storage.

use sqlx::PgPool;
use uuid::Uuid;

use super::walk::{self, Walked};
use crate::{ids::QuestionId, store::Result};

/// A step of a walk over questions or answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Rows removed.
    pub removed: u64,
    /// Paths in file storage that nobody names any more.
    pub paths: Vec<String>,
    /// Where the next step goes on; none: the walk is over.
    pub next: Option<Uuid>,
}

/// Removes questions that were asked so many days ago and have ended, with their answers, walking by their ids.
///
/// # Errors
/// If the database fails.
pub async fn old_questions(pool: &PgPool, days: i32, after: Uuid, limit: i64) -> Result<Page> {
    let page = walk::page(pool, Walked::Questions, days, after, limit).await?;
    let removed = remove_questions(pool, days, &page).await?;
    Ok(Page { next: page.last().copied(), ..removed })
}

/// Removes ended questions that were asked so many days ago by their own time. Those whose ids are of another time (imported ones) are
/// not met by the walk.
///
/// # Errors
/// If the database fails.
pub async fn old_questions_by_time(pool: &PgPool, days: i32, limit: i64) -> Result<Page> {
    let old = sqlx::query_scalar!(
        "SELECT id FROM query_history WHERE created_at < dg_now() - make_interval(days => $1) AND status <> 'pending'
         LIMIT $2 FOR UPDATE SKIP LOCKED",
        days,
        limit
    );
    remove_questions(pool, days, &old.fetch_all(pool).await?).await
}

/// Removes those of these questions that are past their keeping time, have ended, and are in nobody's hands.
async fn remove_questions(pool: &PgPool, days: i32, among: &[Uuid]) -> Result<Page> {
    let row = sqlx::query!(
        r#"WITH old AS (
               SELECT id FROM query_history
               WHERE id = ANY($1) AND created_at < dg_now() - make_interval(days => $2) AND status <> 'pending' FOR UPDATE SKIP LOCKED
           ), answers AS (
               DELETE FROM analysis_results a USING old WHERE a.query_history_id = old.id RETURNING a.result_files
           ), gone AS (
               DELETE FROM query_history q USING old WHERE q.id = old.id RETURNING q.id
           )
           SELECT (SELECT count(*) FROM gone) AS "removed!",
               ARRAY(SELECT coalesce(f.value ->> 'path', f.value #>> '{}') FROM answers, jsonb_each(answers.result_files) f) AS "paths!""#,
        among,
        days
    )
    .fetch_one(pool)
    .await?;
    Ok(Page { removed: u64::try_from(row.removed).unwrap_or_default(), paths: row.paths, next: None })
}

/// Removes answers that were given so many days ago, walking by the ids of their jobs; their questions stay, and can be asked again.
///
/// # Errors
/// If the database fails.
pub async fn expired_results(pool: &PgPool, days: i32, after: Uuid, limit: i64) -> Result<Page> {
    let page = walk::page(pool, Walked::Answers, days, after, limit).await?;
    let gone = sqlx::query_scalar!(
        r#"WITH old AS (
               SELECT job_id FROM analysis_results
               WHERE job_id = ANY($1) AND created_at < dg_now() - make_interval(days => $2) FOR UPDATE SKIP LOCKED
           ), gone AS (
               DELETE FROM analysis_results a USING old WHERE a.job_id = old.job_id RETURNING a.result_files
           )
           SELECT ARRAY(SELECT coalesce(f.value ->> 'path', f.value #>> '{}') FROM jsonb_each(gone.result_files) f) AS "paths!" FROM gone"#,
        &page,
        days
    )
    .fetch_all(pool)
    .await?;
    let removed = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    Ok(Page { removed, paths: gone.into_iter().flatten().collect(), next: page.last().copied() })
}

/// Whether a question of this id would be past its keeping time, by the time that the id was made: all that can be said of one that is
/// not there.
///
/// # Errors
/// If the database fails.
pub async fn question_is_past(pool: &PgPool, id: QuestionId, days: i32) -> Result<bool> {
    // Another version of ids says nothing of a time.
    if id.0.get_version_num() != 7 {
        return Ok(false);
    }
    let past = sqlx::query_scalar!(r#"SELECT $1 < uuid7_at(dg_now() - make_interval(days => $2)) AS "past!""#, id.0, days);
    Ok(past.fetch_one(pool).await?)
}
