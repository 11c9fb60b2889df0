//! The list of batches, as they were last counted.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Tally, budget, status};
use crate::{
    batches::{BatchStatus, Budget},
    ids::{BatchId, ConnectionId, UserId},
    store::{Result, StoreError},
};

/// A line of the list.
#[derive(Clone, Debug)]
pub struct BatchLine {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Where it stands.
    pub status: BatchStatus,
    /// Of lines that name none.
    pub connection_id: Option<Uuid>,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// As last counted: after the end as of then.
    pub tally: Tally,
    /// When it was taken in.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Which batches a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub status: Option<BatchStatus>,
    /// With a line that is asked of this connection.
    pub connection_id: Option<ConnectionId>,
}

/// A page of batches, newest first, before a cursor: of this user or (none) of everybody; where `usable` names connections, those that
/// are asked of none but these.
///
/// # Errors
/// If the database fails.
pub async fn list(
    pool: &PgPool,
    owner: Option<UserId>,
    filter: &Filter,
    usable: Option<&[Uuid]>,
    before: Option<BatchId>,
    limit: i64,
) -> Result<Vec<BatchLine>> {
    let rows = sqlx::query!(
        "SELECT id, user_id, status, connection_id, budget_tokens, budget_cost, tally, created_at, finished_at FROM batches
         WHERE ($1::uuid IS NULL OR user_id = $1) AND ($2::text IS NULL OR status = $2)
           AND ($3::uuid IS NULL OR connections @> ARRAY[$3]) AND ($4::uuid[] IS NULL OR connections <@ $4)
           AND ($5::uuid IS NULL OR id < $5)
         ORDER BY id DESC LIMIT $6",
        owner.map(|id| id.0),
        filter.status.map(BatchStatus::as_str),
        filter.connection_id.map(|id| id.0),
        usable,
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |error: serde_json::Error| StoreError::Unreadable { what: "batches.tally", detail: error.to_string() };
            Ok(BatchLine {
                id: row.id,
                user_id: row.user_id,
                status: status(&row.status)?,
                connection_id: row.connection_id,
                budget: budget(row.budget_tokens, row.budget_cost),
                tally: serde_json::from_value(row.tally).map_err(unreadable)?,
                created_at: row.created_at,
                finished_at: row.finished_at,
            })
        })
        .collect()
}
