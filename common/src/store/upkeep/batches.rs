//! Batches past their keeping time, and lines without a batch: of those, and of uploads that came to nothing.

use sqlx::PgPool;
use uuid::Uuid;

use crate::{ids::BatchId, store::Result};

/// Removes batches that ended so many days ago; how many. Their lines are left, to be removed as those of no batch.
///
/// # Errors
/// If the database fails.
pub async fn old_batches(pool: &PgPool, days: i32, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM batches WHERE id IN (
             SELECT id FROM batches WHERE id < uuid7_at(dg_now() - make_interval(days => $1))
               AND finished_at < dg_now() - make_interval(days => $1)
             ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        days,
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// A step of a walk over the batches that there are lines of.
#[derive(Clone, Debug, Default)]
pub struct Strays {
    /// Those that there is no batch of any more, or none after an hour.
    pub found: Vec<BatchId>,
    /// Where the next step goes on; none: the walk is over.
    pub next: Option<Uuid>,
}

/// Looks for lines without a batch, in the order of the batches' ids after this one, so many batches at once.
///
/// # Errors
/// If the database fails.
pub async fn stray_lines(pool: &PgPool, after: Uuid, limit: i64) -> Result<Strays> {
    // One index entry a batch, however many lines it has.
    let rows = sqlx::query!(
        r#"WITH RECURSIVE ids(id) AS (
               (SELECT batch_id FROM batch_items WHERE batch_id > $1 ORDER BY batch_id LIMIT 1)
               UNION ALL
               SELECT (SELECT batch_id FROM batch_items WHERE batch_id > ids.id ORDER BY batch_id LIMIT 1) FROM ids WHERE ids.id IS NOT NULL
           )
           SELECT i.id AS "id!", i.id < uuid7_at(dg_now() - interval '1 hour') AND NOT EXISTS (SELECT FROM batches b WHERE b.id = i.id) AS "is_stray!"
           FROM (SELECT id FROM ids WHERE id IS NOT NULL LIMIT $2) i"#,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
    let next = rows.last().map(|row| row.id).filter(|_| is_full);
    Ok(Strays { found: rows.into_iter().filter(|row| row.is_stray).map(|row| BatchId(row.id)).collect(), next })
}
