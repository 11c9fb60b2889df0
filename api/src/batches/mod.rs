//! Batches: thousands of questions at once.

pub mod cancel;
pub mod create;
mod draft;
mod exported;
pub mod get;
pub mod list;
mod read;
pub mod results;
mod rows;
mod spool;
mod take;

pub use self::read::{Summary, check_options};

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    batches::{BatchStatus, Budget, OnInvalid},
    ids::{BatchId, UserId},
    store::batches::{self, Batch, BatchLine, Counts, Spent},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::etagged,
};

/// Lines by state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchCounts {
    /// All.
    total: i64,
    /// That wait for their turn.
    waiting: i64,
    /// Whose question runs.
    running: i64,
    /// Answered.
    success: i64,
    /// Ended without an answer, or refused.
    error: i64,
    /// Ended by a time limit.
    timeout: i64,
    /// Not asked to the end.
    cancelled: i64,
}

impl From<Counts> for BatchCounts {
    fn from(c: Counts) -> Self {
        Self {
            total: c.total,
            waiting: c.waiting,
            running: c.running,
            success: c.success,
            error: c.error,
            timeout: c.timeout,
            cancelled: c.cancelled,
        }
    }
}

/// What a batch may cost.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchBudget {
    /// Tokens read and written by the model, together.
    tokens: Option<i64>,
    /// In the currency of the configured prices.
    cost: Option<f64>,
}

impl From<Budget> for BatchBudget {
    fn from(b: Budget) -> Self {
        Self { tokens: b.tokens, cost: b.cost }
    }
}

/// What a batch has cost so far; lines that share an answer count once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchUsage {
    /// Tokens read.
    prompt_tokens: i64,
    /// Tokens written.
    completion_tokens: i64,
    /// In the currency of the configured prices.
    cost: f64,
}

impl From<Spent> for BatchUsage {
    fn from(s: Spent) -> Self {
        Self { prompt_tokens: s.prompt_tokens, completion_tokens: s.completion_tokens, cost: s.cost }
    }
}

/// How far a batch is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchProgress {
    /// Lines that have ended.
    done: i64,
    /// All lines.
    total: i64,
    /// `lines`.
    unit: &'static str,
}

impl BatchProgress {
    fn of(counts: &Counts) -> Self {
        Self { done: counts.total - counts.waiting - counts.running, total: counts.total, unit: "lines" }
    }
}

/// A batch as shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchView {
    /// Its id.
    id: Uuid,
    /// Whose.
    user_id: Uuid,
    /// `running`, `cancelling`, `completed`, `cancelled` or `budget_spent`.
    #[schema(value_type = String)]
    status: BatchStatus,
    /// Lines by state.
    counts: BatchCounts,
    /// How far it is.
    progress: BatchProgress,
    /// Questions to compute: lines that are the same share one.
    questions: i32,
    /// Lines that were refused (`on_invalid: "skip"`); they count as errors.
    invalid: i32,
    /// `reject` or `skip`.
    #[schema(value_type = String)]
    on_invalid: OnInvalid,
    /// The connection of lines that name none.
    connection_id: Option<Uuid>,
    /// What it may cost.
    budget: Option<BatchBudget>,
    /// What it has cost so far.
    usage: BatchUsage,
    /// When it was taken in.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

/// A batch of the list, as it was last counted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BatchLineView {
    /// Its id.
    id: Uuid,
    /// Whose.
    user_id: Uuid,
    /// `running`, `cancelling`, `completed`, `cancelled` or `budget_spent`.
    #[schema(value_type = String)]
    status: BatchStatus,
    /// Lines by state: of a running batch up to some seconds old, after the end as of then.
    counts: BatchCounts,
    /// The connection of lines that name none.
    connection_id: Option<Uuid>,
    /// What it may cost.
    budget: Option<BatchBudget>,
    /// What it has cost so far.
    usage: BatchUsage,
    /// When it was taken in.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

impl From<BatchLine> for BatchLineView {
    fn from(b: BatchLine) -> Self {
        Self {
            id: b.id,
            user_id: b.user_id,
            status: b.status,
            counts: b.tally.counts.into(),
            connection_id: b.connection_id,
            budget: b.budget.map(BatchBudget::from),
            usage: b.tally.usage.into(),
            created_at: b.created_at,
            finished_at: b.finished_at,
        }
    }
}

/// Whose batches the caller may see: his own, an admin everybody's (by a key: one with the scope `admin`).
fn owner(caller: &Caller) -> Option<UserId> {
    (!caller.administers()).then_some(caller.user_id)
}

/// A batch that the caller may see, all of whose connections his key may use.
async fn seen(app: &App, caller: &Caller, id: BatchId) -> Result<Batch> {
    let found = batches::find(&app.pool, owner(caller), id).await?;
    let found = found.filter(|batch| batch.connections.iter().all(|id| caller.may_see(Some(*id))));
    found.ok_or_else(|| ApiError::not_found("batch"))
}

/// The batch as it is now; `accepted`: as 202, with where and when to look.
async fn show(app: &App, batch: Batch, accepted: bool, headers: &HeaderMap) -> Result<Response> {
    let tally = batches::tally(&app.pool, batch.id).await?.ok_or_else(|| ApiError::not_found("batch"))?;
    let view = BatchView {
        id: batch.id.0,
        user_id: batch.user_id.0,
        status: batch.status,
        progress: BatchProgress::of(&tally.counts),
        counts: tally.counts.into(),
        questions: batch.questions,
        invalid: batch.invalid,
        on_invalid: batch.on_invalid,
        connection_id: batch.connection_id,
        budget: batch.budget.map(BatchBudget::from),
        usage: tally.usage.into(),
        created_at: batch.created_at,
        finished_at: batch.finished_at,
    };
    if !accepted {
        return etagged(StatusCode::OK, headers, &view);
    }
    let mut response = etagged(StatusCode::ACCEPTED, headers, &view)?;
    let location = HeaderValue::from_str(&format!("/v1/batches/{}", view.id)).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(Duration::from_secs(1).as_secs()));
    Ok(response)
}
