//! Lets waiting jobs in: the queue is fair and bounded (invariant 8).
//!
//! What waits stays in PostgreSQL. Of each owner's jobs of a lane at most a window is in flight (rung or running), and of a batch's
//! at most a window of its own; in a lane that several of an owner's batches share, they take turns. So it is with deliveries to several
//! targets, the window of one that fails being small.

use std::collections::HashMap;

use sqlx::PgPool;
use uuid::Uuid;

use super::Ring;
use crate::{
    ids::{JobId, UserId},
    jobs::JobKind,
    model::jobs::Lane,
    store::{Result, StoreError},
};

/// Whose jobs of a lane share a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// In which lane.
    pub lane: Lane,
    /// Whose.
    pub user_id: UserId,
}

/// A flow, and how many of its jobs may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Whose.
    pub flow: Flow,
    /// Jobs rung or running at once.
    pub size: u32,
}

/// The first half of the advisory locks of a lane's windows; the second is the owner's hash. Any numbers that nothing else in the
/// database uses in pairs.
pub(super) fn lock_class(lane: Lane) -> i32 {
    0x6467_0000
        + match lane {
            Lane::Interactive => 1,
            Lane::Bulk => 2,
            Lane::Maintenance => 3,
            Lane::Webhook => 4,
        }
}

/// The parameters of `next_jobs()`.
pub(super) struct Flows {
    pub classes: Vec<i32>,
    pub lanes: Vec<String>,
    pub owners: Vec<Uuid>,
    pub sizes: Vec<i32>,
    pub kinds: Vec<String>,
    pub kind_lanes: Vec<String>,
}

impl Flows {
    pub(super) fn of(windows: &[Window]) -> Self {
        Self {
            classes: windows.iter().map(|window| lock_class(window.flow.lane)).collect(),
            lanes: windows.iter().map(|window| window.flow.lane.as_str().to_owned()).collect(),
            owners: windows.iter().map(|window| window.flow.user_id.0).collect(),
            sizes: windows.iter().map(|window| i32::try_from(window.size).unwrap_or(i32::MAX)).collect(),
            kinds: JobKind::places().map(|(kind, _)| kind.as_str().to_owned()).collect(),
            kind_lanes: JobKind::places().map(|(_, lane)| lane.as_str().to_owned()).collect(),
        }
    }
}

/// Lets in the next due jobs of these flows, as far as their windows have room; they count as rung: the caller rings.
///
/// Two calls for one flow wait for each other, so that they don't fill the same room twice. The commit may wait for the disk or not
/// (`synchronous_commit`): one that is lost leaves the jobs waiting, and the sweep lets them in.
///
/// # Errors
/// If the database fails.
pub async fn admit(pool: &PgPool, windows: &[Window], batch_window: u32) -> Result<Vec<Ring>> {
    if windows.is_empty() {
        return Ok(Vec::new());
    }
    let flows = Flows::of(windows);
    let rows = sqlx::query!(
        "UPDATE jobs SET state = 'queued', in_flight = true, rung_at = dg_now()
         FROM next_jobs($1, $2, $3, $4, $4, '{}', $5, $6, $7) AS n(id) WHERE jobs.id = n.id AND NOT coalesce(jobs.in_flight, true)
         RETURNING jobs.id, jobs.kind, jobs.lane, jobs.traceparent",
        &flows.classes,
        &flows.lanes,
        &flows.owners,
        &flows.sizes,
        i64::from(batch_window),
        &flows.kinds,
        &flows.kind_lanes
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |what| move |detail| StoreError::Unreadable { what, detail };
            Ok(Ring {
                job_id: JobId(row.id),
                kind: row.kind.parse().map_err(unreadable("jobs.kind"))?,
                lane: row.lane.parse().map_err(unreadable("jobs.lane"))?,
                traceparent: row.traceparent,
            })
        })
        .collect()
}

/// Owners who have something waiting in a lane, in the order of their ids after `after`: the sweep goes round them.
///
/// # Errors
/// If the database fails.
pub async fn owners(pool: &PgPool, lane: Lane, after: Option<UserId>, limit: i64) -> Result<Vec<UserId>> {
    // One index entry an owner, however much waits.
    let owners = sqlx::query_scalar!(
        r#"WITH RECURSIVE owners(id) AS (
               (SELECT user_id FROM jobs WHERE NOT in_flight AND lane = $1 AND ($2::uuid IS NULL OR user_id > $2)
                ORDER BY user_id LIMIT 1)
               UNION ALL
               SELECT (SELECT user_id FROM jobs WHERE NOT in_flight AND lane = $1 AND user_id > owners.id ORDER BY user_id LIMIT 1)
               FROM owners WHERE owners.id IS NOT NULL
           )
           SELECT id AS "id!" FROM owners WHERE id IS NOT NULL LIMIT $3"#,
        lane.as_str(),
        after.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(owners.into_iter().map(UserId).collect())
}

/// Jobs in flight, by lane.
///
/// # Errors
/// If the database fails.
pub async fn in_flight(pool: &PgPool) -> Result<HashMap<Lane, i64>> {
    let rows = sqlx::query!(r#"SELECT lane, count(*) AS "jobs!" FROM jobs WHERE in_flight GROUP BY lane"#).fetch_all(pool).await?;
    let counted = rows.into_iter().filter_map(|row| Some((row.lane.parse().ok()?, row.jobs)));
    Ok(counted.collect())
}

/// How many jobs of a user, or of all, wait or are rung; counting stops at `most`.
///
/// # Errors
/// If the database fails.
pub async fn waiting(pool: &PgPool, user: Option<UserId>, most: i64) -> Result<i64> {
    let waiting = match user {
        Some(user) => {
            // By lane, as the index begins with it.
            sqlx::query_scalar!(
                r#"SELECT coalesce(sum(n), 0)::int8 AS "waiting!" FROM UNNEST($2::text[]) AS l(lane) CROSS JOIN LATERAL (
                       SELECT (SELECT count(*) FROM (SELECT FROM jobs WHERE NOT in_flight AND lane = l.lane AND user_id = $1 LIMIT $3) w)
                            + (SELECT count(*) FROM jobs WHERE in_flight AND lane = l.lane AND user_id = $1 AND state = 'queued') AS n
                   ) c"#,
                user.0,
                // Deliveries that wait for their next attempt keep nobody from asking.
                &Lane::ALL.iter().filter(|&&lane| lane != Lane::Webhook).map(|lane| lane.as_str().to_owned()).collect::<Vec<_>>(),
                most
            )
            .fetch_one(pool)
            .await?
        }
        None => {
            sqlx::query_scalar!(
                r#"SELECT (SELECT count(*) FROM (SELECT FROM jobs WHERE NOT in_flight AND lane <> 'webhook' LIMIT $1) w)
                        + (SELECT count(*) FROM jobs WHERE in_flight AND lane <> 'webhook' AND state = 'queued') AS "waiting!""#,
                most
            )
            .fetch_one(pool)
            .await?
        }
    };
    Ok(waiting)
}
