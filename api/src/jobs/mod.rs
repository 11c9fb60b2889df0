//! Jobs: every kind, in one shape.

pub mod cancel;
pub mod cancel_many;
pub mod get;
pub mod list;
pub mod retry;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use datagenie_common::store::ledger::view::{AttemptView as StoredAttempt, JobView as StoredJob};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use self::get::{as_it_is, changeable, just_made, owned};
use crate::{
    error::{ApiError, Result},
    extract::etagged,
    questions::QueueView,
};

/// A job as shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: Uuid,
    /// `answer_question`, `probe_connection`, `sync_schema` …
    #[schema(value_type = crate::openapi::words::JobKind)]
    pub kind: String,
    /// `interactive`, `bulk`, `maintenance` or `webhook`.
    #[schema(value_type = crate::openapi::words::Lane)]
    pub lane: String,
    /// `waiting`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = crate::openapi::words::JobState)]
    pub state: String,
    /// What a running job is doing.
    pub stage: Option<String>,
    /// `{done, total, unit}`, where it can be known.
    #[schema(value_type = Option<crate::openapi::shapes::Progress>)]
    pub progress: Option<Value>,
    /// While it waits; not in lists.
    pub queue: Option<QueueView>,
    /// Whose it is.
    pub user_id: Uuid,
    /// The connection that it works on.
    pub connection_id: Option<Uuid>,
    /// What it is about: a question or a connection.
    pub subject_id: Option<Uuid>,
    /// The batch that it is of.
    pub batch_id: Option<Uuid>,
    /// The name of its line there; of lines that are the same, the first one's.
    pub custom_id: Option<String>,
    /// Attempts begun.
    pub attempt: i16,
    /// Attempts that it may cost.
    pub max_attempts: i16,
    /// Whether it is among the dead jobs, which can be retried.
    pub dead: bool,
    /// Why it has no result.
    #[schema(value_type = Option<crate::openapi::shapes::Failure>)]
    pub error: Option<Value>,
    /// The job that it repeats.
    pub replay_of: Option<Uuid>,
    /// When it may begin.
    pub run_at: DateTime<Utc>,
    /// When it is given up.
    pub deadline: DateTime<Utc>,
    /// When it came into being.
    pub created_at: DateTime<Utc>,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Attempts that are over, oldest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<AttemptView>>,
}

/// How an attempt ended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AttemptView {
    /// Which attempt, from 1.
    pub attempt: i16,
    /// Who made it.
    pub worker: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// `succeeded`, `failed`, `retry`, `later`, `crashed`, `cancelled` or `given_back`.
    pub outcome: String,
    /// What it was doing.
    pub stage: Option<String>,
    /// Why it brought no result.
    #[schema(value_type = Option<crate::openapi::shapes::Failure>)]
    pub error: Option<Value>,
}

impl From<StoredAttempt> for AttemptView {
    fn from(a: StoredAttempt) -> Self {
        Self {
            attempt: a.attempt,
            worker: a.worker,
            started_at: a.started_at,
            ended_at: a.ended_at,
            outcome: a.outcome,
            stage: a.stage,
            error: a.error,
        }
    }
}

impl From<StoredJob> for JobView {
    fn from(j: StoredJob) -> Self {
        Self {
            id: j.id,
            kind: j.kind,
            lane: j.lane,
            state: j.state,
            stage: j.stage,
            progress: j.progress,
            queue: QueueView::of(j.queue_position, j.queue_head_ms),
            user_id: j.user_id,
            connection_id: j.connection_id,
            subject_id: j.subject_id,
            batch_id: j.batch_id,
            custom_id: j.custom_id,
            attempt: j.attempt,
            max_attempts: j.max_attempts,
            dead: j.dead,
            error: j.error,
            replay_of: j.replay_of,
            run_at: j.run_at,
            deadline: j.deadline,
            created_at: j.created_at,
            started_at: j.started_at,
            finished_at: j.finished_at,
            attempts: None,
        }
    }
}

/// `202 Accepted`, with where and when to look.
///
/// # Errors
/// Never in practice: an id is a valid header.
pub fn accepted(job: &JobView, headers: &HeaderMap) -> Result<Response> {
    let mut response = etagged(StatusCode::ACCEPTED, headers, job)?;
    let location = HeaderValue::from_str(&format!("/v1/jobs/{}", job.id)).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    Ok(response)
}
