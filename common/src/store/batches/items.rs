//! `batch_items`: the lines, written before their batch is.

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::json;
use crate::{batches::Checked, ids::BatchId, store::Result};

/// A line as stored.
#[derive(Clone, Debug)]
pub struct ItemRow {
    line: i32,
    custom_id: Option<String>,
    question_id: Option<Uuid>,
    first_line: i32,
    payload: Option<Value>,
    deadline_seconds: Option<f64>,
    error: Option<Value>,
}

impl ItemRow {
    /// About how many bytes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        let text = |value: Option<&Value>, name| value.and_then(|value| value[name].as_str()).map_or(0, str::len);
        let payload = self.payload.as_ref();
        self.custom_id.as_ref().map_or(0, String::len) + text(payload, "question") + text(payload, "sql") + 200
    }

    /// A checked line as a row.
    ///
    /// # Errors
    /// Never in practice: everything in it can be written as JSON.
    pub fn of(checked: &Checked) -> Result<Self> {
        let number = |line: u32| i32::try_from(line).unwrap_or(i32::MAX);
        let (line, custom_id) = (number(checked.line), checked.custom_id.clone());
        Ok(match &checked.outcome {
            Ok(asked) => Self {
                line,
                custom_id,
                question_id: Some(asked.question_id.0),
                first_line: number(asked.first_line),
                payload: asked.payload.as_ref().map(|payload| json(payload, "batch_items.payload")).transpose()?,
                deadline_seconds: asked.deadline_seconds,
                error: None,
            },
            Err(error) => Self {
                line,
                custom_id,
                question_id: None,
                first_line: line,
                payload: None,
                deadline_seconds: None,
                error: Some(json(error, "batch_items.error")?),
            },
        })
    }
}

/// Stores lines of a batch, in a commit of their own or in that of the batch.
///
/// # Errors
/// If the database fails.
pub async fn insert_items(executor: impl PgExecutor<'_>, batch: BatchId, items: &[ItemRow]) -> Result<()> {
    let lines: Vec<i32> = items.iter().map(|item| item.line).collect();
    let names: Vec<Option<String>> = items.iter().map(|item| item.custom_id.clone()).collect();
    let questions: Vec<Option<Uuid>> = items.iter().map(|item| item.question_id).collect();
    let firsts: Vec<i32> = items.iter().map(|item| item.first_line).collect();
    let payloads: Vec<Option<Value>> = items.iter().map(|item| item.payload.clone()).collect();
    let deadlines: Vec<Option<f64>> = items.iter().map(|item| item.deadline_seconds).collect();
    let errors: Vec<Option<Value>> = items.iter().map(|item| item.error.clone()).collect();
    sqlx::query!(
        "INSERT INTO batch_items (batch_id, line, custom_id, question_id, first_line, payload, deadline_seconds, error)
         SELECT $1, t.* FROM UNNEST($2::int4[], $3::text[], $4::uuid[], $5::int4[], $6::jsonb[], $7::float8[], $8::jsonb[]) AS t",
        batch.0,
        &lines,
        &names as &[Option<String>],
        &questions as &[Option<Uuid>],
        &firsts,
        &payloads as &[Option<Value>],
        &deadlines as &[Option<f64>],
        &errors as &[Option<Value>]
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Removes the lines of a batch that came to nothing, at most so many; how many. Those of a batch that has its row stay.
///
/// # Errors
/// If the database fails.
pub async fn discard(executor: impl PgExecutor<'_>, batch: BatchId, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM batch_items WHERE batch_id = $1 AND line IN (SELECT line FROM batch_items WHERE batch_id = $1 LIMIT $2)
           AND NOT EXISTS (SELECT FROM batches b WHERE b.id = $1)",
        batch.0,
        limit
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
