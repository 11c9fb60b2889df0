//! `events`: durable events, read in the order of their commits and never past one that is still open.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Result;
use crate::{
    events::{Event, SOURCE, sequence},
    ids::{EventId, JobId, UserId},
};

/// Writes an event in the commit that it tells of.
///
/// # Errors
/// [`super::StoreError::Constraint`] with `events_once` if the job has had its terminal event.
pub async fn insert(
    conn: &mut PgConnection,
    event_type: &str,
    subject: &str,
    user: UserId,
    job: Option<JobId>,
    data: &Value,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO events (id, type, subject, user_id, job_id, data) VALUES ($1, $2, $3, $4, $5, $6)",
        EventId::new().0,
        event_type,
        subject,
        user.0,
        job.map(|id| id.0),
        data
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which events a reader asks for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Whose; none: everybody's (admins).
    pub user: Option<UserId>,
    /// After which point, exclusively.
    pub after: Option<(u64, i64)>,
}

struct Record {
    xid: String,
    seq: i64,
    id: Uuid,
    event_type: String,
    subject: String,
    data: Value,
    created_at: DateTime<Utc>,
}

impl From<Record> for Event {
    fn from(r: Record) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: EventId(r.id),
            source: SOURCE.to_owned(),
            event_type: r.event_type,
            time: r.created_at,
            subject: r.subject,
            // An xid8 is a number of 64 bits, by PostgreSQL's own rendering.
            sequence: Some(sequence(r.xid.parse().unwrap_or(0), r.seq)),
            data: r.data,
        }
    }
}

/// The next events after a point, oldest first.
///
/// Only those below `pg_snapshot_xmin` are read: a transaction that began earlier may still be open, and its events would
/// be skipped by a reader that went past them.
///
/// # Errors
/// If the database fails.
pub async fn after(pool: &PgPool, wanted: &Wanted, limit: i64) -> Result<Vec<Event>> {
    let (xid, seq) = wanted.after.unwrap_or((0, 0));
    let records = sqlx::query_as!(
        Record,
        r#"SELECT xid::text AS "xid!", seq, id, type AS event_type, subject, data, created_at FROM events
           WHERE (xid, seq) > ($1::text::xid8, $2)
             AND xid < pg_snapshot_xmin(pg_current_snapshot())
             AND ($3::uuid IS NULL OR user_id = $3)
           ORDER BY xid, seq LIMIT $4"#,
        xid.to_string(),
        seq,
        wanted.user.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(records.into_iter().map(Event::from).collect())
}

/// The terminal event of a job, if it has ended.
///
/// # Errors
/// If the database fails.
pub async fn of_job(pool: &PgPool, job: JobId) -> Result<Option<Event>> {
    let record = sqlx::query_as!(
        Record,
        r#"SELECT xid::text AS "xid!", seq, id, type AS event_type, subject, data, created_at FROM events WHERE job_id = $1"#,
        job.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(record.map(Event::from))
}

/// The point that every event written from now on comes after: where a reader without `after` begins.
///
/// # Errors
/// If the database fails.
pub async fn now(pool: &PgPool) -> Result<(u64, i64)> {
    let xmin = sqlx::query_scalar!(r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS "xmin!""#).fetch_one(pool).await?;
    Ok((xmin.parse::<u64>().unwrap_or(0).saturating_sub(1), i64::MAX))
}
