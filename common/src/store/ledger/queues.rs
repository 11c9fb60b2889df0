//! How much waits and runs, lane by lane: counted in the ledger's two partial indexes, whatever else the table holds.

use sqlx::PgPool;

use crate::{
    model::jobs::Lane,
    store::{Result, StoreError},
};

/// How much waits and runs in a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneDepth {
    /// Which lane.
    pub lane: Lane,
    /// Jobs that are due and not rung yet.
    pub waiting: i64,
    /// Jobs whose time has not come.
    pub delayed: i64,
    /// Jobs that are rung and not claimed yet.
    pub queued: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// Seconds since the oldest of those that are due could have begun; none: nothing that is due waits.
    pub oldest_seconds: Option<f64>,
}

/// Counts these lanes, in their order: exactly, and in one scan of each index. A million waiting jobs take some tenths of a second.
///
/// # Errors
/// If the database fails.
pub async fn depths(pool: &PgPool, lanes: &[Lane]) -> Result<Vec<LaneDepth>> {
    let names: Vec<String> = lanes.iter().map(|lane| lane.as_str().to_owned()).collect();
    // The clock is read once, not once a row.
    let rows = sqlx::query!(
        r#"WITH waiting AS (
               SELECT lane, count(*) FILTER (WHERE run_at <= (SELECT dg_now())) AS due,
                   count(*) FILTER (WHERE run_at > (SELECT dg_now())) AS delayed, min(run_at) AS oldest
               FROM jobs WHERE NOT in_flight AND lane = ANY($1) GROUP BY lane
           ), flying AS (
               SELECT lane, count(*) FILTER (WHERE state = 'queued') AS queued, count(*) FILTER (WHERE state = 'running') AS running,
                   min(run_at) FILTER (WHERE state = 'queued') AS oldest
               FROM jobs WHERE in_flight AND lane = ANY($1) GROUP BY lane
           )
           SELECT l.name AS "lane!", coalesce(w.due, 0) AS "waiting!", coalesce(w.delayed, 0) AS "delayed!",
               coalesce(f.queued, 0) AS "queued!", coalesce(f.running, 0) AS "running!",
               extract(epoch FROM dg_now() - least(w.oldest, f.oldest))::float8 AS "oldest?"
           FROM UNNEST($1::text[]) WITH ORDINALITY AS l(name, place)
           LEFT JOIN waiting w ON w.lane = l.name LEFT JOIN flying f ON f.lane = l.name
           ORDER BY l.place"#,
        &names
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LaneDepth {
                lane: row.lane.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.lane", detail })?,
                waiting: row.waiting,
                delayed: row.delayed,
                queued: row.queued,
                running: row.running,
                // The oldest of a lane where all are delayed is not due.
                oldest_seconds: row.oldest.filter(|seconds| *seconds >= 0.0),
            })
        })
        .collect()
}
