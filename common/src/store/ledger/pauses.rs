//! `queue_pauses`: lanes and kinds of jobs that are not to be claimed. What is paused stays in the ledger, and its deadlines run on.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{ids::UserId, jobs::JobKind, model::jobs::Lane, store::Result};

/// What can be paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Everything that rings in a lane.
    Lane(Lane),
    /// Every job of a kind, in whatever lane.
    Kind(JobKind),
}

impl Queue {
    /// The queue of this name; none: there is no such lane or kind.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        name.parse().map(Self::Lane).or_else(|_| name.parse().map(Self::Kind)).ok()
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lane(lane) => lane.as_str(),
            Self::Kind(kind) => kind.as_str(),
        }
    }
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The lane or kind.
    pub name: String,
    /// Who paused it.
    pub paused_by: Option<Uuid>,
    /// Why, in his words.
    pub reason: Option<String>,
    /// Since when.
    pub paused_at: DateTime<Utc>,
}

/// Pauses a lane or kind: nothing of it is claimed from this commit on; what runs goes on. False: it was paused before, and stays so
/// as it was.
///
/// # Errors
/// If the database fails.
pub async fn pause(conn: &mut PgConnection, queue: Queue, by: UserId, reason: Option<&str>) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO queue_pauses (name, paused_by, reason) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        queue.name(),
        by.0,
        reason
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends a pause; false: there was none. What was rung meanwhile waits again, to be rung by the next sweep: its bells were heard and
/// found nothing to claim.
///
/// # Errors
/// If the database fails.
pub async fn resume(conn: &mut PgConnection, queue: Queue) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM queue_pauses WHERE name = $1", queue.name()).execute(&mut *conn).await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    unring(conn, queue).await?;
    Ok(true)
}

/// Lets what is rung wait again, to be rung by the next sweep; how many. Done once more after the commit of a [`resume`]: what was rung
/// while it was under way was heard under the pause.
///
/// # Errors
/// If the database fails; the bells are then rung again when they are stale.
pub async fn unring(conn: &mut PgConnection, queue: Queue) -> Result<u64> {
    let (lane, kind) = match queue {
        Queue::Lane(lane) => (Some(lane.as_str()), None),
        Queue::Kind(kind) => (None, Some(kind.as_str())),
    };
    // A locked row is being claimed, or ended.
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'waiting', in_flight = false, rung_at = NULL
         FROM (SELECT id FROM jobs WHERE in_flight AND state = 'queued' AND (lane = $1 OR kind = $2) FOR UPDATE SKIP LOCKED) rung
         WHERE jobs.id = rung.id",
        lane,
        kind
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Lets what is rung and paused wait again; how many. Nobody claims it, and rung it would hold the places of its owner's other jobs in the
/// lane, for as long as the pause lasts.
///
/// # Errors
/// If the database fails; the next sweep does it.
pub async fn unring_paused(pool: &PgPool) -> Result<u64> {
    // Without any pause nothing is read. A locked row is being ended.
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'waiting', in_flight = false, rung_at = NULL
         FROM (SELECT id FROM jobs WHERE in_flight AND state = 'queued' AND EXISTS (SELECT FROM queue_pauses)
                   AND (lane IN (SELECT name FROM queue_pauses) OR kind IN (SELECT name FROM queue_pauses)) FOR UPDATE SKIP LOCKED) rung
         WHERE jobs.id = rung.id"
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Every pause, by name.
///
/// # Errors
/// If the database fails.
pub async fn all(pool: &PgPool) -> Result<Vec<Pause>> {
    let rows = sqlx::query_as!(Pause, "SELECT name, paused_by, reason, paused_at FROM queue_pauses ORDER BY name").fetch_all(pool).await?;
    Ok(rows)
}

/// Whether jobs of this kind in this lane are not to be claimed.
///
/// # Errors
/// If the database fails.
pub async fn is_paused(pool: &PgPool, lane: Lane, kind: JobKind) -> Result<bool> {
    let names = [lane.as_str().to_owned(), kind.as_str().to_owned()];
    let paused = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM queue_pauses WHERE name = ANY($1)) AS "paused!""#, &names[..])
        .fetch_one(pool)
        .await?;
    Ok(paused)
}
