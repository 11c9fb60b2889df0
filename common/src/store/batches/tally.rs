//! How far a batch is, counted from the rows of its questions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;

use super::json;
use crate::{ids::BatchId, store::Result};

/// Lines by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub total: i64,
    /// That wait for their turn.
    pub waiting: i64,
    /// Whose question runs.
    pub running: i64,
    /// Answered.
    pub success: i64,
    /// Ended without an answer, or refused.
    pub error: i64,
    /// Ended by a time limit.
    pub timeout: i64,
    /// Not asked to the end.
    pub cancelled: i64,
}

/// What its questions cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Tokens read.
    pub prompt_tokens: i64,
    /// Tokens written.
    pub completion_tokens: i64,
    /// In the currency of the configured prices.
    pub cost: f64,
}

/// How far a batch is and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Lines by state.
    pub counts: Counts,
    /// What it cost.
    pub usage: Spent,
}

impl Tally {
    /// Before anything was asked.
    #[must_use]
    pub fn at_first(total: u32, invalid: u32) -> Self {
        let (total, error) = (i64::from(total), i64::from(invalid));
        Self { counts: Counts { total, error, waiting: total - error, ..Counts::default() }, usage: Spent::default() }
    }
}

pub(super) fn stored(tally: &Tally) -> Result<Value> {
    json(tally, "batches.tally")
}

/// Counts a batch; none: there is no such batch. Looks at every line: not to be called for each end of a question.
///
/// # Errors
/// If the database fails.
pub async fn tally(executor: impl PgExecutor<'_>, batch: BatchId) -> Result<Option<Tally>> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "total!", count(*) FILTER (WHERE s = 'waiting') AS "waiting!", count(*) FILTER (WHERE s = 'running') AS "running!",
               count(*) FILTER (WHERE s = 'success') AS "success!", count(*) FILTER (WHERE s = 'error') AS "error!",
               count(*) FILTER (WHERE s = 'timeout') AS "timeout!", count(*) FILTER (WHERE s = 'cancelled') AS "cancelled!",
               coalesce(sum((usage ->> 'prompt_tokens')::int8) FILTER (WHERE line = first_line), 0)::int8 AS "prompt!",
               coalesce(sum((usage ->> 'completion_tokens')::int8) FILTER (WHERE line = first_line), 0)::int8 AS "completion!",
               coalesce(sum((usage ->> 'cost')::float8) FILTER (WHERE line = first_line), 0)::float8 AS "cost!"
           FROM (
               SELECT i.line, i.first_line, q.usage, CASE
                   WHEN i.question_id IS NULL THEN 'error'
                   WHEN i.first_line >= b.next_line THEN CASE WHEN b.stopped_by IS NULL THEN 'waiting' ELSE 'cancelled' END
                   WHEN q.id IS NULL THEN 'error'
                   WHEN q.status = 'pending' THEN CASE WHEN r.subject_id IS NOT NULL THEN 'running' ELSE 'waiting' END
                   ELSE q.status END AS s
               FROM batches b JOIN batch_items i ON i.batch_id = b.id
               LEFT JOIN query_history q ON q.id = i.question_id AND i.first_line < b.next_line
               LEFT JOIN (
                   SELECT DISTINCT j.subject_id FROM batches o JOIN jobs j ON j.in_flight AND j.lane = 'bulk' AND j.user_id = o.user_id
                       AND j.batch_id = o.id AND j.state = 'running' WHERE o.id = $1
               ) r ON r.subject_id = q.id
               WHERE b.id = $1
           ) counted"#,
        batch.0
    )
    .fetch_one(executor)
    .await?;
    let counts = Counts {
        total: row.total,
        waiting: row.waiting,
        running: row.running,
        success: row.success,
        error: row.error,
        timeout: row.timeout,
        cancelled: row.cancelled,
    };
    let usage = Spent { prompt_tokens: row.prompt, completion_tokens: row.completion, cost: row.cost };
    // A batch has lines.
    Ok((counts.total > 0).then_some(Tally { counts, usage }))
}
