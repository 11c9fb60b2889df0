//! Walks over tables in the order of their ids, which are ordered by the time of their making: what is old is found by the primary key,
//! without an index on a time. A step looks a page of ids up, and then removes those of them that are past their time.

use sqlx::PgPool;
use uuid::Uuid;

use crate::store::Result;

/// A table that is walked over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Walked {
    /// `query_history`.
    Questions,
    /// `analysis_results`, by their jobs.
    Answers,
    /// `jobs`.
    Jobs,
    /// `webhook_deliveries`.
    Deliveries,
}

/// The ids after one, in their order, up to those made so many days ago; a day more than that, because an id has the time of the machine
/// that made it.
///
/// # Errors
/// If the database fails.
pub(super) async fn page(pool: &PgPool, of: Walked, days: i32, after: Uuid, limit: i64) -> Result<Vec<Uuid>> {
    let up_to = days.saturating_sub(1);
    macro_rules! ids {
        ($statement:tt) => {
            sqlx::query_scalar!($statement, after, up_to, limit).fetch_all(pool).await?
        };
    }
    Ok(match of {
        Walked::Questions => {
            ids!("SELECT id FROM query_history WHERE id > $1 AND id < uuid7_at(dg_now() - make_interval(days => $2)) ORDER BY id LIMIT $3")
        }
        Walked::Answers => {
            ids!(
                "SELECT job_id FROM analysis_results WHERE job_id > $1 AND job_id < uuid7_at(dg_now() - make_interval(days => $2)) ORDER BY job_id LIMIT $3"
            )
        }
        Walked::Jobs => {
            ids!("SELECT id FROM jobs WHERE id > $1 AND id < uuid7_at(dg_now() - make_interval(days => $2)) ORDER BY id LIMIT $3")
        }
        Walked::Deliveries => {
            ids!(
                "SELECT id FROM webhook_deliveries WHERE id > $1 AND id < uuid7_at(dg_now() - make_interval(days => $2)) ORDER BY id LIMIT $3"
            )
        }
    })
}
