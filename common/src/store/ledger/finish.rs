//! The end of a job: one fenced commit holds the result, the terminal state, the attempt and the one terminal event.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Claimed, Lease};
use crate::{
    events::terminal_type,
    ids::{DeliveryId, JobId, LeaseId, QuestionId, UserId},
    jobs::JobKind,
    model::{
        jobs::JobState,
        questions::{Failure, FailureCode, QuestionStatus, Stage},
    },
    store::{Result, StoreError, answers, audit, connections, questions, webhooks},
};

/// How a job ends, with all that its end writes.
#[derive(Debug)]
pub enum Outcome {
    /// A question is answered.
    Answered {
        /// What its row says.
        ending: Box<questions::Ending>,
        /// Its answer.
        answer: Box<answers::Answer>,
    },
    /// A connection was looked at (a probe or a sync), whatever was found.
    Looked {
        /// The configuration that was looked at.
        config_version: i64,
        /// What was found.
        found: Box<connections::Found>,
    },
    /// A webhook was delivered.
    Delivered(webhooks::Attempt),
    /// It ends without a result.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether it goes to the dead jobs, to be looked at and replayed.
        dead: bool,
        /// What was drafted so far.
        ending: Option<Box<questions::Ending>>,
    },
    /// Its owner wanted it stopped.
    Cancelled,
}

impl Outcome {
    pub(super) fn state(&self) -> JobState {
        match self {
            Self::Answered { .. } | Self::Delivered(_) => JobState::Succeeded,
            Self::Looked { found, .. } => match **found {
                connections::Found::Ready { .. } => JobState::Succeeded,
                connections::Found::Unusable { .. } => JobState::Failed,
            },
            Self::Failed { .. } => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::Looked { found, .. } => match &**found {
                connections::Found::Unusable { error, .. } => Some(error),
                connections::Found::Ready { .. } => None,
            },
            Self::Answered { .. } | Self::Delivered(_) | Self::Cancelled => None,
        }
    }
}

/// Who is to be told of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which job.
    pub job_id: JobId,
    /// Whose.
    pub user_id: UserId,
    /// The resource that it was about.
    pub subject: String,
    /// How it ended.
    pub state: JobState,
    /// Whether webhooks of its owner are to be told: let his next jobs of the lane `webhook` in.
    pub tells_webhooks: bool,
}

/// What came of a finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is written: now, or by an earlier send of the same finish.
    Written(Ended),
    /// The lease was lost; nothing was touched.
    LeaseLost,
}

/// Ends a job, if the lease still holds. Sent again with the same lease, it is a success that changes nothing.
///
/// # Errors
/// If the database fails: then nothing of it is written, or all (an unknown outcome): send it again.
pub async fn finish(pool: &PgPool, lease: Lease, stage: Option<Stage>, outcome: &Outcome) -> Result<Finished> {
    let mut tx = pool.begin().await?;
    let fenced = sqlx::query!(
        "SELECT state, kind, user_id, subject_id, connection_id FROM jobs WHERE id = $1 AND lease_id = $2 FOR UPDATE",
        lease.job_id.0,
        lease.lease_id.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = fenced else { return Ok(Finished::LeaseLost) };
    let job = Job {
        id: lease.job_id,
        lease_id: Some(lease.lease_id.0),
        kind: row.kind.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.kind", detail })?,
        user_id: UserId(row.user_id),
        subject_id: row.subject_id,
        connection_id: row.connection_id,
    };
    let state: JobState = row.state.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.state", detail })?;
    if state != JobState::Running {
        return Ok(Finished::Written(job.ended(state, false)));
    }
    let ended = write(&mut tx, &job, stage, outcome).await?;
    tx.commit().await?;
    Ok(Finished::Written(ended))
}

/// The parts of a locked ledger row that its end needs.
pub(super) struct Job {
    pub id: JobId,
    pub lease_id: Option<Uuid>,
    pub kind: JobKind,
    pub user_id: UserId,
    pub subject_id: Option<Uuid>,
    pub connection_id: Option<Uuid>,
}

impl Job {
    fn subject(&self) -> String {
        self.subject_id.unwrap_or(self.id.0).to_string()
    }

    fn ended(&self, state: JobState, tells_webhooks: bool) -> Ended {
        Ended { job_id: self.id, user_id: self.user_id, subject: self.subject(), state, tells_webhooks }
    }
}

/// Writes the end of a job whose row the transaction has locked. The only place where a job becomes terminal.
pub(super) async fn write(conn: &mut PgConnection, job: &Job, stage: Option<Stage>, outcome: &Outcome) -> Result<Ended> {
    let state = outcome.state();
    let error = outcome.failure().map(serde_json::to_value).transpose().unwrap_or_default();
    let dead = matches!(outcome, Outcome::Failed { dead: true, .. });
    write_subject(conn, job, outcome).await?;
    audit_run(conn, job, stage, outcome).await?;
    if let Some(lease_id) = job.lease_id {
        sqlx::query!(
            "INSERT INTO job_attempts (job_id, lease_id, attempt, worker, started_at, outcome, stage, error)
             SELECT id, $2, attempt, worker, coalesce(claimed_at, dg_now()), $3, $4, $5 FROM jobs WHERE id = $1
             ON CONFLICT (job_id, lease_id) DO NOTHING",
            job.id.0,
            lease_id,
            state.as_str(),
            stage.map(Stage::as_str),
            error
        )
        .execute(&mut *conn)
        .await?;
    }
    // The lease's id stays on the row: by it a resent finish knows itself.
    sqlx::query!(
        "UPDATE jobs SET state = $2, in_flight = NULL, finished_at = dg_now(), error = $3, dead = $4, stage = NULL, progress = NULL
         WHERE id = $1",
        job.id.0,
        state.as_str(),
        error,
        dead
    )
    .execute(&mut *conn)
    .await?;
    let mut deliveries = 0;
    if let Some(event_type) = terminal_type(job.kind, state) {
        let data = event_data(job, state, outcome);
        deliveries = crate::store::events::insert(conn, &event_type, &job.subject(), job.user_id, Some(job.id), &data).await?;
    }
    Ok(job.ended(state, deliveries > 0))
}

/// A statement that ran on a customer's data is in the audit log.
async fn audit_run(conn: &mut PgConnection, job: &Job, stage: Option<Stage>, outcome: &Outcome) -> Result<()> {
    let (ending, success) = match outcome {
        Outcome::Answered { ending, .. } => (&**ending, true),
        Outcome::Failed { ending: Some(ending), .. } if stage == Some(Stage::Executing) => (&**ending, false),
        _ => return Ok(()),
    };
    let (Some(subject), Some(sql), JobKind::AnswerQuestion) = (job.subject_id, &ending.sql, job.kind) else { return Ok(()) };
    let sql: String = sql.chars().take(LONGEST_AUDITED_SQL).collect();
    let rows = ending.row_count.filter(|_| success);
    let details =
        json!({ "connection_id": job.connection_id, "job_id": job.id, "sql": sql, "rows": rows, "cached": ending.cached && success });
    let entry = audit::Entry {
        user_id: Some(job.user_id),
        action: "sql.run",
        resource_type: "question",
        resource_id: Some(subject.to_string()),
        success,
        details,
    };
    audit::insert(conn, &audit::Origin::default(), entry).await
}

/// Characters of a statement that the audit log keeps; the question has all of it.
const LONGEST_AUDITED_SQL: usize = 4_000;

async fn write_subject(conn: &mut PgConnection, job: &Job, outcome: &Outcome) -> Result<()> {
    let Some(subject) = job.subject_id else { return Ok(()) };
    match (job.kind, outcome) {
        (JobKind::AnswerQuestion | JobKind::AnalyseFile, Outcome::Answered { ending, answer }) => {
            questions::succeed(conn, QuestionId(subject), job.id, ending).await?;
            answers::insert(conn, QuestionId(subject), job.id, answer).await
        }
        (JobKind::AnswerQuestion | JobKind::AnalyseFile, Outcome::Failed { failure, ending, .. }) => {
            let status = if failure.code == FailureCode::Timeout { QuestionStatus::Timeout } else { QuestionStatus::Error };
            questions::fail(conn, QuestionId(subject), job.id, status, Some(failure), ending.as_deref()).await
        }
        (JobKind::AnswerQuestion | JobKind::AnalyseFile, Outcome::Cancelled) => {
            questions::fail(conn, QuestionId(subject), job.id, QuestionStatus::Cancelled, None, None).await
        }
        (JobKind::ProbeConnection | JobKind::SyncSchema, Outcome::Looked { config_version, found }) => {
            connections::found(conn, crate::ids::ConnectionId(subject), *config_version, job.user_id, found).await.map(drop)
        }
        (JobKind::ProbeConnection, Outcome::Cancelled) => {
            let failure = Failure::new(FailureCode::ConnectionNotReady, "the look at the connection was cancelled").hint("test it again");
            connections::probe_failed(conn, crate::ids::ConnectionId(subject), &failure).await
        }
        (JobKind::ProbeConnection, Outcome::Failed { failure, .. }) => {
            connections::probe_failed(conn, crate::ids::ConnectionId(subject), failure).await
        }
        (JobKind::DeliverWebhook, Outcome::Delivered(attempt)) => {
            // A delivery that works is always an attempt's.
            let Some(lease) = job.lease_id.map(LeaseId) else { return Ok(()) };
            webhooks::succeeded(conn, DeliveryId(subject), job.id, lease, attempt).await
        }
        (JobKind::DeliverWebhook, Outcome::Failed { .. }) => webhooks::ended(conn, DeliveryId(subject), job.id, "failed").await,
        (JobKind::DeliverWebhook, Outcome::Cancelled) => webhooks::ended(conn, DeliveryId(subject), job.id, "cancelled").await,
        _ => Ok(()),
    }
}

fn event_data(job: &Job, state: JobState, outcome: &Outcome) -> Value {
    data(job.id, job.kind, job.subject_id, job.connection_id, state, outcome)
}

/// What the terminal event of a claimed job says.
pub(super) fn event_data_of(job: &Claimed, state: JobState, outcome: &Outcome) -> Value {
    data(job.lease.job_id, job.kind, job.subject_id, job.connection_id.map(|id| id.0), state, outcome)
}

fn data(job_id: JobId, kind: JobKind, subject_id: Option<Uuid>, connection_id: Option<Uuid>, state: JobState, outcome: &Outcome) -> Value {
    let mut data = json!({ "job_id": job_id, "kind": kind, "state": state, "connection_id": connection_id });
    match kind {
        JobKind::AnswerQuestion | JobKind::AnalyseFile => data["question_id"] = json!(subject_id),
        JobKind::ProbeConnection | JobKind::SyncSchema | JobKind::DeliverWebhook => {}
    }
    match outcome {
        // Nothing of the answer itself: an event outlives the permission to read it, the resource is read under the policy of now.
        Outcome::Answered { .. } => data["status"] = json!(QuestionStatus::Success),
        Outcome::Failed { failure, .. } => {
            let status = if failure.code == FailureCode::Timeout { QuestionStatus::Timeout } else { QuestionStatus::Error };
            data["status"] = json!(status);
        }
        Outcome::Cancelled => data["status"] = json!(QuestionStatus::Cancelled),
        Outcome::Looked { .. } | Outcome::Delivered(_) => {}
    }
    if let Some(failure) = outcome.failure() {
        data["error"] = json!(failure);
    }
    data
}
