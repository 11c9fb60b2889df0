//! `batches` and `batch_items`: batches of questions. A batch has its row once all of its lines are stored; its questions and jobs are made a
//! few at a time, as earlier ones end, so that a long batch is neither a long transaction nor a long queue.

mod items;
mod listed;
mod results;
mod settle;
mod stop;
mod tally;
mod verdicts;

pub use self::{
    items::{ItemRow, discard, insert_items},
    listed::{BatchLine, Filter, list},
    results::{ResultRow, results},
    settle::{Settled, has_ended, settle, wanting},
    stop::{Stopped, stop},
    tally::{Counts, Spent, Tally, tally},
    verdicts::verdicts,
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError};
use crate::{
    batches::{BatchStatus, Budget, OnInvalid},
    ids::{BatchId, UserId},
};

/// Jobs of a batch that wait at most, beside those in flight: the next lines are made when fewer do.
const LOW: i64 = 256;
/// Lines made, or jobs ended, in one transaction.
const STEP: i64 = 512;

/// A batch whose lines are stored.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// Minted before.
    pub id: BatchId,
    /// Whose.
    pub user_id: UserId,
    /// What became of bad lines.
    pub on_invalid: OnInvalid,
    /// Of lines that name none.
    pub connection_id: Option<Uuid>,
    /// Every connection that a line is asked of.
    pub connections: Vec<Uuid>,
    /// Called once at its end.
    pub callback_url: Option<String>,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// Lines.
    pub total: u32,
    /// Of them refused.
    pub invalid: u32,
    /// Questions to compute.
    pub questions: u32,
    /// The number of the last line.
    pub last_line: u32,
    /// The trace that its jobs continue.
    pub traceparent: Option<String>,
}

/// Makes a batch: the commit of this is what takes it in.
///
/// # Errors
/// If the database fails.
pub async fn insert(conn: &mut PgConnection, new: &NewBatch) -> Result<()> {
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let budget = new.budget.unwrap_or_default();
    sqlx::query!(
        "INSERT INTO batches (id, user_id, on_invalid, connection_id, connections, callback_url, budget_tokens, budget_cost, total, invalid,
                              questions, last_line, tally, traceparent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        new.id.0,
        new.user_id.0,
        new.on_invalid.as_str(),
        new.connection_id,
        &new.connections,
        new.callback_url,
        budget.tokens,
        budget.cost,
        number(new.total),
        number(new.invalid),
        number(new.questions),
        number(new.last_line),
        tally::stored(&Tally::at_first(new.total, new.invalid))?,
        new.traceparent
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A batch as stored.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// Whose.
    pub user_id: UserId,
    /// Where it stands.
    pub status: BatchStatus,
    /// What becomes of bad lines.
    pub on_invalid: OnInvalid,
    /// Of lines that name none.
    pub connection_id: Option<Uuid>,
    /// Every connection that a line is asked of.
    pub connections: Vec<Uuid>,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// Lines.
    pub total: i32,
    /// Of them refused.
    pub invalid: i32,
    /// Questions to compute.
    pub questions: i32,
    /// When it was taken in.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A batch, of this user or (none) of anybody.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, owner: Option<UserId>, id: BatchId) -> Result<Option<Batch>> {
    let row = sqlx::query!(
        "SELECT id, user_id, status, on_invalid, connection_id, connections, budget_tokens, budget_cost, total, invalid, questions,
                created_at, finished_at
         FROM batches WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2)",
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Batch {
        id: BatchId(row.id),
        user_id: UserId(row.user_id),
        status: status(&row.status)?,
        on_invalid: row.on_invalid.parse().map_err(|detail| StoreError::Unreadable { what: "batches.on_invalid", detail })?,
        connection_id: row.connection_id,
        connections: row.connections,
        budget: budget(row.budget_tokens, row.budget_cost),
        total: row.total,
        invalid: row.invalid,
        questions: row.questions,
        created_at: row.created_at,
        finished_at: row.finished_at,
    }))
}

/// How many batches of a user have not ended; counting stops at `most`.
///
/// # Errors
/// If the database fails.
pub async fn open_count(pool: &PgPool, owner: UserId, most: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "open!" FROM (SELECT FROM batches WHERE finished_at IS NULL AND user_id = $1 LIMIT $2) b"#,
        owner.0,
        most
    );
    Ok(count.fetch_one(pool).await?)
}

fn status(word: &str) -> Result<BatchStatus> {
    word.parse().map_err(|detail| StoreError::Unreadable { what: "batches.status", detail })
}

fn budget(tokens: Option<i64>, cost: Option<f64>) -> Option<Budget> {
    (tokens.is_some() || cost.is_some()).then_some(Budget { tokens, cost })
}

fn json(value: &impl serde::Serialize, what: &'static str) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| StoreError::Unreadable { what, detail: error.to_string() })
}
