//! `events`: durable events, read in the order of their commits and never past one that is still open.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Result;
use crate::{
    events::{Event, Point, SOURCE, sequence},
    ids::{EventId, JobId, UserId},
};

/// Writes an event in the commit that it tells of, with the deliveries to those of its owner's webhooks that want it, and, where a
/// question with a callback URL ends, with that callback. How many deliveries there are: after the commit, let the owner's next jobs of
/// the lane `webhook` in (the sweep does so too).
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
) -> Result<i64> {
    insert_with_callback(conn, event_type, subject, user, job, data, None).await
}

/// The same, calling this URL back: for what has a callback URL and is no question.
///
/// # Errors
/// As [`insert`].
pub async fn insert_with_callback(
    conn: &mut PgConnection,
    event_type: &str,
    subject: &str,
    user: UserId,
    job: Option<JobId>,
    data: &Value,
    callback_url: Option<&str>,
) -> Result<i64> {
    let question: Option<Uuid> = if event_type.starts_with("question.") { subject.parse().ok() } else { None };
    let told = sqlx::query_scalar!(
        r#"WITH told AS (
               INSERT INTO events (id, type, subject, user_id, job_id, data) VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq, id, type, user_id
           ), called AS (
               SELECT coalesce($7::text, (SELECT q.callback_url FROM query_history q WHERE q.id = $8 AND q.job_id = $5)) AS url
           )
           SELECT tell_webhooks(t.seq, t.id, t.type, t.user_id, c.url) AS "told!" FROM told t CROSS JOIN called c
           WHERE c.url IS NOT NULL OR EXISTS (SELECT FROM webhook_endpoints w WHERE w.user_id = t.user_id AND w.is_active)"#,
        EventId::new().0,
        event_type,
        subject,
        user.0,
        job.map(|id| id.0),
        data,
        callback_url,
        question
    )
    .fetch_optional(conn)
    .await?;
    Ok(told.unwrap_or(0))
}

/// Which events a reader asks for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Whose; none: everybody's (admins).
    pub user: Option<UserId>,
    /// After which point, exclusively.
    pub after: Option<Point>,
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
/// Only those below `pg_snapshot_xmin` (`event_horizon()`, which a restore moves on) are read: a transaction that began earlier may still be open, and its events would
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
             AND xid < event_horizon(pg_current_snapshot())
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
/// It is an event's, never a transaction number alone: numbers that were given out and not written to disk are given out again after
/// a crash of PostgreSQL, and events that came then would lie before the reader.
///
/// # Errors
/// If the database fails.
pub async fn now(pool: &PgPool) -> Result<Point> {
    let last = sqlx::query!(
        r#"SELECT xid::text AS "xid!", seq FROM events WHERE xid < event_horizon(pg_current_snapshot()) ORDER BY xid DESC, seq DESC LIMIT 1"#
    )
    .fetch_optional(pool)
    .await?;
    Ok(last.map_or((0, 0), |last| (last.xid.parse().unwrap_or(0), last.seq)))
}

/// What the one reader of a process, which hands events on to many, gets at once.
#[derive(Debug)]
pub struct Page {
    /// The next events and whose they are, oldest first.
    pub events: Vec<(UserId, Event)>,
    /// Whether there were as many as asked for: there may be more.
    pub full: bool,
    /// Everything up to here was read; where to go on.
    pub reached: Point,
    /// The oldest transaction that was open, by the server's own count: nothing from it on was read.
    pub oldest_open: u64,
    /// The first transaction that had not begun: every event that was committed by now is of an earlier one.
    pub newest: u64,
}

/// The next events of these users (none: of everybody) after a point, by the rule of [`after`], and how far that reaches. Other
/// users' events are passed over, so that they are not met again.
///
/// # Errors
/// If the database fails.
pub async fn page(pool: &PgPool, users: Option<&[Uuid]>, after: Point, limit: i64) -> Result<Page> {
    let rows = sqlx::query!(
        r#"SELECT pg_snapshot_xmin(s.snapshot)::text AS "oldest_open!", pg_snapshot_xmax(s.snapshot)::text AS "newest!",
                  m.xid::text AS "last_xid?", m.seq AS "last_seq?", e.xid::text AS "xid?", e.seq AS "seq?", e.id AS "id?", e.type AS "event_type?", e.subject AS "subject?",
                  e.user_id AS "user_id?", e.data AS "data?", e.created_at AS "created_at?"
           FROM (SELECT pg_current_snapshot() AS snapshot) s
           LEFT JOIN LATERAL (
               SELECT * FROM events
               WHERE (xid, seq) > ($1::text::xid8, $2)
                 AND xid < event_horizon(s.snapshot)
                 AND ($3::uuid[] IS NULL OR user_id = ANY($3))
               ORDER BY xid, seq LIMIT $4
           ) e ON true
           LEFT JOIN LATERAL (
               SELECT xid, seq FROM events WHERE xid < event_horizon(s.snapshot) ORDER BY xid DESC, seq DESC LIMIT 1
           ) m ON true
           ORDER BY e.xid, e.seq"#,
        after.0.to_string(),
        after.1,
        users,
        limit
    )
    .fetch_all(pool)
    .await?;
    let (oldest, newest) = rows.first().map(|row| (row.oldest_open.clone(), row.newest.clone())).unwrap_or_default();
    let read = rows.first().and_then(|row| Some((row.last_xid.as_deref()?.parse().ok()?, row.last_seq?)));
    let mut events = Vec::with_capacity(rows.len());
    let mut last = after;
    for row in rows {
        // The one row without an event says only how far was read.
        let (Some(xid), Some(seq), Some(id), Some(event_type)) = (row.xid, row.seq, row.id, row.event_type) else { continue };
        let (Some(subject), Some(user), Some(data), Some(created_at)) = (row.subject, row.user_id, row.data, row.created_at) else {
            continue;
        };
        last = (xid.parse().unwrap_or(0), seq);
        events.push((UserId(user), Record { xid, seq, id, event_type, subject, data, created_at }.into()));
    }
    let full = i64::try_from(events.len()).is_ok_and(|count| count >= limit);
    // A page that is not full has read everything below the oldest open transaction, up to the last event of anybody there.
    let reached = if full { last } else { read.map_or(last, |read: Point| last.max(read)) };
    Ok(Page { events, full, reached, oldest_open: oldest.parse().unwrap_or(0), newest: newest.parse().unwrap_or(0) })
}

/// Which of these questions and jobs have not ended: one look for all who wait for one. What is gone has ended.
///
/// # Errors
/// If the database fails.
pub async fn pending_among(pool: &PgPool, questions: &[Uuid], jobs: &[Uuid]) -> Result<Vec<Uuid>> {
    let pending = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM query_history WHERE id = ANY($1) AND status = 'pending'
           UNION ALL
           SELECT id FROM jobs WHERE id = ANY($2) AND finished_at IS NULL"#,
        questions,
        jobs
    )
    .fetch_all(pool)
    .await?;
    Ok(pending)
}
