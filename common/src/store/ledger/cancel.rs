//! Stopping jobs: one by its id, or all that a filter names, in steps that hold few locks.

use chrono::{DateTime, Utc};
use sqlx::{Acquire, PgConnection, PgPool};
use uuid::Uuid;

use super::finish::{Ended, Job, Outcome, write};
use crate::{
    ids::{ConnectionId, JobId, UserId},
    jobs::JobKind,
    model::jobs::{JobState, Lane},
    store::{Result, StoreError},
    word_enum,
};

/// What came of asking a job to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It had not begun: it is over.
    AtOnce(Ended),
    /// It is running: its worker will stop it.
    Asked,
    /// It was over before.
    TooLate,
    /// There is no such job, or it is not this user's.
    Unknown,
}

/// Asks a job to stop.
///
/// # Errors
/// If the database fails.
pub async fn cancel(conn: &mut PgConnection, owner: Option<UserId>, id: JobId) -> Result<Cancelled> {
    let row = sqlx::query!(
        "SELECT kind, state, user_id, subject_id, connection_id FROM jobs WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE",
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Cancelled::Unknown) };
    let state: JobState = row.state.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.state", detail })?;
    match state {
        JobState::Waiting | JobState::Queued => {
            let job = not_begun(id.0, &row.kind, row.user_id, row.subject_id, row.connection_id)?;
            Ok(Cancelled::AtOnce(write(conn, &job, None, &Outcome::Cancelled).await?))
        }
        JobState::Running => {
            ask(conn, &[id]).await?;
            Ok(Cancelled::Asked)
        }
        JobState::Succeeded | JobState::Failed | JobState::Cancelled => Ok(Cancelled::TooLate),
    }
}

fn not_begun(id: Uuid, kind: &str, user_id: Uuid, subject_id: Option<Uuid>, connection_id: Option<Uuid>) -> Result<Job> {
    Ok(Job {
        id: JobId(id),
        lease_id: None,
        kind: kind.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.kind", detail })?,
        user_id: UserId(user_id),
        subject_id,
        connection_id,
    })
}

/// Flags running jobs, whose rows are locked: their workers look.
async fn ask(conn: &mut PgConnection, ids: &[JobId]) -> Result<()> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!("UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, dg_now()) WHERE id = ANY($1)", &ids)
        .execute(conn)
        .await?;
    Ok(())
}

word_enum! {
    /// Which jobs that are not over.
    pub enum Unfinished {
        /// Those that have not begun: waiting or queued.
        Waiting = "waiting",
        /// Those that a worker holds.
        Running = "running",
    }
}

/// Which jobs to stop; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct CancelFilter {
    /// Of this user.
    pub user_id: Option<UserId>,
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// In this lane.
    pub lane: Option<Lane>,
    /// Only those that have not begun, or only those that run.
    pub state: Option<Unfinished>,
    /// On this connection.
    pub connection_id: Option<ConnectionId>,
    /// Made before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// On these connections or on none: what the caller's key may see.
    pub usable: Option<Vec<Uuid>>,
}

/// One of the ledger's partial indexes, in one lane.
#[derive(Clone, Copy)]
struct Part {
    lane: Lane,
    in_flight: bool,
}

impl CancelFilter {
    /// What there is to walk: every lane's waiting jobs, then what was rung or runs, and all of it once more for rows that were locked.
    fn parts(&self) -> Vec<Part> {
        let lanes = Lane::ALL.iter().copied().filter(|lane| self.lane.is_none_or(|only| only == *lane));
        let once: Vec<Part> = lanes
            .flat_map(|lane| [false, true].map(|in_flight| Part { lane, in_flight }))
            .filter(|part| part.in_flight || self.state != Some(Unfinished::Running))
            .collect();
        [once.clone(), once].concat()
    }

    fn kinds(&self) -> Vec<String> {
        self.kind.map_or_else(JobKind::known, |kind| vec![kind.as_str().to_owned()])
    }

    /// The users as a range, which an index can be searched for whether it is one of them or all.
    fn users(&self) -> (Uuid, Uuid) {
        self.user_id.map_or((Uuid::nil(), Uuid::max()), |user| (user.0, user.0))
    }
}

/// Where a walk over the jobs of a filter stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    part: usize,
    // The whole key of the index that is walked: of what is in flight only the id counts.
    after: Option<(Uuid, Uuid, DateTime<Utc>, Uuid)>,
}

impl Walk {
    /// Whether everything was seen twice.
    #[must_use]
    pub fn is_over(&self, filter: &CancelFilter) -> bool {
        self.part >= filter.parts().len()
    }
}

/// What a step did.
#[derive(Debug, Default)]
pub struct Step {
    /// Jobs that had not begun: they are over.
    pub ended: Vec<Ended>,
    /// Running jobs that were asked to stop.
    pub asked: Vec<JobId>,
    /// Whose all these are, each once.
    pub owners: Vec<UserId>,
    /// Where the next step goes on, once this one is committed.
    pub walk: Walk,
}

/// A row to stop.
struct Found {
    id: Uuid,
    kind: String,
    is_running: bool,
    user_id: Uuid,
    subject_id: Option<Uuid>,
    connection_id: Option<Uuid>,
    flow: Uuid,
    run_at: DateTime<Utc>,
}

/// Stops the next jobs of a walk, at most `limit`: what has not begun is over, what runs is asked to stop. Rows that somebody else has
/// locked are passed over, and met again in the second half of the walk. `carefully`: each job within a savepoint, so that one that can't
/// be ended keeps nobody; slower, and so only for a step that has failed.
///
/// # Errors
/// If the database fails; nothing of the step holds then.
pub async fn step(conn: &mut PgConnection, filter: &CancelFilter, mut walk: Walk, limit: i64, carefully: bool) -> Result<Step> {
    let parts = filter.parts();
    while let Some(part) = parts.get(walk.part).copied() {
        let found = find(conn, filter, part, walk, limit).await?;
        let is_last = i64::try_from(found.len()).is_ok_and(|count| count < limit);
        let after = found.last().map(|row| (row.user_id, row.flow, row.run_at, row.id));
        walk = if is_last { Walk { part: walk.part + 1, after: None } } else { Walk { part: walk.part, after } };
        if !found.is_empty() {
            let mut step = stop(conn, found, carefully).await?;
            step.walk = walk;
            return Ok(step);
        }
    }
    Ok(Step { walk, ..Step::default() })
}

async fn find(conn: &mut PgConnection, filter: &CancelFilter, part: Part, walk: Walk, limit: i64) -> Result<Vec<Found>> {
    let (first, last) = filter.users();
    let (user, flow, run_at, id) = walk.after.unwrap_or((first, Uuid::nil(), DateTime::UNIX_EPOCH, Uuid::nil()));
    let connection = filter.connection_id.map(|id| id.0);
    let rows = if part.in_flight {
        sqlx::query_as!(
            Found,
            r#"SELECT id, kind, state = 'running' AS "is_running!", user_id, subject_id, connection_id,
                   coalesce(batch_id, user_id) AS "flow!", run_at
               FROM jobs WHERE in_flight AND lane = $1 AND user_id BETWEEN $2 AND $3 AND id > $4
                 AND (state <> 'running' OR cancel_requested_at IS NULL) AND ($5::text IS NULL OR (state = 'running') = ($5 = 'running'))
                 AND kind = ANY($6) AND ($7::uuid IS NULL OR connection_id = $7) AND ($8::timestamptz IS NULL OR created_at < $8)
                 AND ($9::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($9))
               ORDER BY id LIMIT $10 FOR UPDATE SKIP LOCKED"#,
            part.lane.as_str(),
            first,
            last,
            id,
            filter.state.map(Unfinished::as_str),
            &filter.kinds(),
            connection,
            filter.created_before,
            filter.usable.as_deref(),
            limit
        )
        .fetch_all(conn)
        .await?
    } else {
        sqlx::query_as!(
            Found,
            r#"SELECT id, kind, false AS "is_running!", user_id, subject_id, connection_id, coalesce(batch_id, user_id) AS "flow!", run_at
               FROM jobs WHERE NOT in_flight AND lane = $1 AND user_id BETWEEN $2 AND $3
                 AND (user_id, coalesce(batch_id, user_id), run_at, id) > ($4, $5, $6, $7)
                 AND kind = ANY($8) AND ($9::uuid IS NULL OR connection_id = $9) AND ($10::timestamptz IS NULL OR created_at < $10)
                 AND ($11::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($11))
               ORDER BY user_id, coalesce(batch_id, user_id), run_at, id LIMIT $12 FOR UPDATE SKIP LOCKED"#,
            part.lane.as_str(),
            first,
            last,
            user,
            flow,
            run_at,
            id,
            &filter.kinds(),
            connection,
            filter.created_before,
            filter.usable.as_deref(),
            limit
        )
        .fetch_all(conn)
        .await?
    };
    Ok(rows)
}

async fn stop(conn: &mut PgConnection, found: Vec<Found>, carefully: bool) -> Result<Step> {
    let mut step = Step::default();
    for row in found {
        if row.is_running {
            step.asked.push(JobId(row.id));
            step.owners.push(UserId(row.user_id));
            continue;
        }
        let job = not_begun(row.id, &row.kind, row.user_id, row.subject_id, row.connection_id)?;
        if carefully {
            step.ended.extend(end(conn, &job).await?);
        } else {
            step.ended.push(write(conn, &job, None, &Outcome::Cancelled).await?);
        }
    }
    if !step.asked.is_empty() {
        ask(conn, &step.asked).await?;
    }
    step.owners.extend(step.ended.iter().map(|ended| ended.user_id));
    step.owners.sort_unstable();
    step.owners.dedup();
    Ok(step)
}

/// Ends one of many within a savepoint; none: it can't be ended, which is said.
async fn end(conn: &mut PgConnection, job: &Job) -> Result<Option<Ended>> {
    let mut savepoint = conn.begin().await?;
    match write(&mut savepoint, job, None, &Outcome::Cancelled).await {
        Ok(ended) => {
            savepoint.commit().await?;
            Ok(Some(ended))
        }
        Err(error) if error.is_outage() => Err(error),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, job_id = %job.id, "a job can't be cancelled");
            savepoint.rollback().await?;
            Ok(None)
        }
    }
}

/// Whether jobs of a filter are left that were not asked to stop yet: rows that stayed locked, and what came meanwhile.
///
/// # Errors
/// If the database fails.
pub async fn is_left(pool: &PgPool, filter: &CancelFilter) -> Result<bool> {
    let (first, last) = filter.users();
    let lanes: Vec<String> =
        Lane::ALL.iter().filter(|lane| filter.lane.is_none_or(|only| only == **lane)).map(ToString::to_string).collect();
    let left = sqlx::query_scalar!(
        r#"SELECT (EXISTS (
               SELECT FROM jobs WHERE NOT in_flight AND lane = ANY($1) AND user_id BETWEEN $2 AND $3 AND ($4::text IS NULL OR $4 = 'waiting')
                 AND kind = ANY($5) AND ($6::uuid IS NULL OR connection_id = $6) AND ($7::timestamptz IS NULL OR created_at < $7)
                 AND ($8::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($8))
           ) OR EXISTS (
               SELECT FROM jobs WHERE in_flight AND lane = ANY($1) AND user_id BETWEEN $2 AND $3
                 AND (state <> 'running' OR cancel_requested_at IS NULL) AND ($4::text IS NULL OR (state = 'running') = ($4 = 'running'))
                 AND kind = ANY($5) AND ($6::uuid IS NULL OR connection_id = $6) AND ($7::timestamptz IS NULL OR created_at < $7)
                 AND ($8::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($8))
           )) AS "left!""#,
        &lanes,
        first,
        last,
        filter.state.map(Unfinished::as_str),
        &filter.kinds(),
        filter.connection_id.map(|id| id.0),
        filter.created_before,
        filter.usable.as_deref()
    )
    .fetch_one(pool)
    .await?;
    Ok(left)
}
