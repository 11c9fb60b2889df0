//! `workers`: the worker processes, as they last told of themselves.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;

use super::Result;
use crate::{model::jobs::Lane, word_enum};

word_enum! {
    /// What a worker process says of itself.
    pub enum WorkerState {
        /// It takes jobs.
        Up = "up",
        /// It finishes what it has begun, and takes nothing new.
        Draining = "draining",
    }
}

/// What a worker offers a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneSlots {
    /// Jobs at once.
    pub slots: u32,
    /// How many of them one user may hold.
    pub share: u32,
}

/// What a worker process tells of itself.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Its name in the ledger and the logs.
    pub instance: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its process's number there.
    pub pid: i32,
    /// The program's version.
    pub version: String,
    /// The lanes that it serves.
    pub lanes: BTreeMap<Lane, LaneSlots>,
    /// Whether it takes jobs.
    pub state: WorkerState,
    /// Attempts under way.
    pub running: i32,
}

/// Notes that a worker is there, and what it does.
///
/// # Errors
/// If the database fails.
pub async fn tell(pool: &PgPool, presence: &Presence) -> Result<()> {
    let lanes = serde_json::to_value(&presence.lanes).unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
    sqlx::query!(
        "INSERT INTO workers (instance, host, pid, version, lanes, state, running) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (instance) DO UPDATE SET lanes = EXCLUDED.lanes, state = EXCLUDED.state, running = EXCLUDED.running, seen_at = dg_now()",
        presence.instance,
        presence.host,
        presence.pid,
        presence.version,
        lanes,
        presence.state.as_str(),
        presence.running
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that a worker has stopped in order.
///
/// # Errors
/// If the database fails; the worker is then shown as lost for a while.
pub async fn leave(pool: &PgPool, instance: &str) -> Result<()> {
    sqlx::query!("DELETE FROM workers WHERE instance = $1", instance).execute(pool).await?;
    Ok(())
}

/// Seconds after which a worker that tells nothing counts as lost.
pub const LOST_AFTER_SECONDS: f64 = 10.0;

/// A worker as shown.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// Its name in the ledger and the logs.
    pub instance: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its process's number there.
    pub pid: i32,
    /// The program's version.
    pub version: String,
    /// `up`, `draining`, or `lost` when it has told nothing for ten seconds.
    pub state: String,
    /// `{"interactive": {"slots", "share"}, …}`.
    pub lanes: Value,
    /// Attempts under way when it last told.
    pub running: i32,
    /// When it first told.
    pub started_at: DateTime<Utc>,
    /// When it last told.
    pub seen_at: DateTime<Utc>,
}

/// The most workers that a list holds.
const LISTED: i64 = 1_000;

/// All workers that are known, the newest first; at most 1,000.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<WorkerView>> {
    let rows = sqlx::query_as!(
        WorkerView,
        r#"SELECT instance, host, pid, version, lanes, running, started_at, seen_at,
               CASE WHEN seen_at < dg_now() - $1 * interval '1 second' THEN 'lost' ELSE state END AS "state!"
           FROM workers ORDER BY started_at DESC, instance LIMIT $2"#,
        LOST_AFTER_SECONDS,
        LISTED
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// What all workers together offer a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneShare {
    /// Which lane.
    pub lane: Lane,
    /// Jobs at once.
    pub slots: u32,
    /// How many of them one user may hold.
    pub share: u32,
    /// The workers that serve it.
    pub workers: u32,
}

/// What the workers that are up, and have told so within ten seconds, offer each lane. A lane that nobody serves is not among them.
///
/// # Errors
/// If the database fails.
pub async fn shares(pool: &PgPool) -> Result<Vec<LaneShare>> {
    let rows = sqlx::query!(
        r#"SELECT l.key AS "lane!", sum((l.value ->> 'slots')::int8)::int8 AS "slots!", sum((l.value ->> 'share')::int8)::int8 AS "share!",
               count(*) AS "workers!"
           FROM workers w CROSS JOIN LATERAL jsonb_each(w.lanes) l
           WHERE w.state = 'up' AND w.seen_at >= dg_now() - $1 * interval '1 second'
           GROUP BY l.key"#,
        LOST_AFTER_SECONDS
    )
    .fetch_all(pool)
    .await?;
    // A lane that only a newer program knows is no lane of ours.
    let count = |sum: i64| u32::try_from(sum.max(0)).unwrap_or(u32::MAX);
    let known = rows.into_iter().filter_map(|row| {
        let lane = row.lane.parse().ok()?;
        Some(LaneShare { lane, slots: count(row.slots), share: count(row.share), workers: count(row.workers) })
    });
    Ok(known.collect())
}

/// How many workers take jobs.
///
/// # Errors
/// If the database fails.
pub async fn up(pool: &PgPool) -> Result<i64> {
    let up = sqlx::query_scalar!(
        r#"SELECT count(*) AS "up!" FROM workers WHERE state = 'up' AND seen_at >= dg_now() - $1 * interval '1 second'"#,
        LOST_AFTER_SECONDS
    )
    .fetch_one(pool)
    .await?;
    Ok(up)
}

/// Removes workers that have told nothing for so many seconds; how many.
///
/// # Errors
/// If the database fails.
pub async fn forget(pool: &PgPool, after_seconds: f64) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM workers WHERE seen_at < dg_now() - $1 * interval '1 second'", after_seconds).execute(pool).await?;
    Ok(done.rows_affected())
}
