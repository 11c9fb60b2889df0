//! The lines of a batch with what became of them, in the order in which they were sent.

use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::stop::reason;
use crate::{
    ids::BatchId,
    model::questions::{Failure, FailureCode},
    store::Result,
};

/// A line and its question.
#[derive(Clone, Debug)]
pub struct ResultRow {
    /// Its number.
    pub line: i32,
    /// The sender's name of it.
    pub custom_id: Option<String>,
    /// The question that answers it, once it is made.
    pub question_id: Option<Uuid>,
    /// `waiting`, `running`, `success`, `error`, `timeout` or `cancelled`.
    pub status: String,
    /// The statement that ran.
    pub sql: Option<String>,
    /// Rows of the whole result.
    pub row_count: Option<i32>,
    /// Whether a limit cut it off.
    pub truncated: bool,
    /// Why there is no answer.
    pub error: Option<Value>,
    /// Whose question it is.
    pub connection_id: Option<Uuid>,
    /// The permissions that the rows were read under.
    pub policy_version: Option<String>,
    /// The policy's version now.
    pub current_policy_version: Option<String>,
    /// What was read.
    pub provenance: Option<Value>,
    /// The result's columns; none: there is no answer.
    pub columns: Option<Value>,
    /// Its first rows.
    pub first_rows: Option<Value>,
    /// All of its rows as JSON lines, where these are asked for and kept here.
    pub rows_inline: Option<Vec<u8>>,
    /// Where they lie else.
    pub result_files: Option<Value>,
}

/// The next lines after one, at most so many; `whole`: with all rows of those answers that are kept in the database.
///
/// # Errors
/// If the database fails.
pub async fn results(pool: &PgPool, batch: BatchId, after: i32, limit: i64, whole: bool) -> Result<Vec<ResultRow>> {
    let rows = sqlx::query!(
        r#"SELECT i.line, i.custom_id, i.question_id, i.error AS line_error, i.first_line < b.next_line AS "is_made!", b.stopped_by,
                  q.id AS "found?", q.status AS "status?", q.generated_sql, q.row_count, coalesce(q.truncated, false) AS "truncated!",
                  q.error AS question_error, q.connection_id, q.policy_version, q.provenance,
                  policy_version(q.user_id, q.connection_id) AS current_policy_version, j.state AS "job_state?",
                  a.columns AS "columns?", a.first_rows AS "first_rows?", CASE WHEN $4 THEN a.rows_inline END AS rows_inline, a.result_files
           FROM batches b JOIN batch_items i ON i.batch_id = b.id
           LEFT JOIN query_history q ON q.id = i.question_id AND i.first_line < b.next_line
           LEFT JOIN jobs j ON j.id = q.job_id
           LEFT JOIN analysis_results a ON a.job_id = q.job_id AND q.status = 'success'
           WHERE b.id = $1 AND i.line > $2 ORDER BY i.line LIMIT $3"#,
        batch.0,
        after,
        limit,
        whole
    )
    .fetch_all(pool)
    .await?;
    let shown = rows.into_iter().map(|row| {
        let is_stopped = row.stopped_by.is_some();
        let (status, error) = match (row.question_id, row.status) {
            (None, _) => ("error", row.line_error),
            (_, None) if !row.is_made && is_stopped => ("cancelled", told(reason(row.stopped_by.as_deref()))),
            (_, None) if !row.is_made => ("waiting", None),
            (_, None) => ("error", told(Some(gone("the question was removed")))),
            (_, Some(status)) if status == "pending" => {
                (if row.job_state.as_deref() == Some("running") { "running" } else { "waiting" }, None)
            }
            (_, Some(status)) if status == "success" && row.columns.is_none() => {
                ("success", told(Some(gone("the answer was kept for its time and is gone"))))
            }
            (_, Some(status)) => (word(&status), row.question_error),
        };
        ResultRow {
            line: row.line,
            custom_id: row.custom_id,
            question_id: row.found,
            status: status.to_owned(),
            sql: row.generated_sql,
            row_count: row.row_count,
            truncated: row.truncated,
            error,
            connection_id: row.connection_id,
            policy_version: row.policy_version,
            current_policy_version: row.current_policy_version,
            provenance: row.provenance,
            columns: row.columns,
            first_rows: row.first_rows,
            rows_inline: row.rows_inline,
            result_files: row.result_files,
        }
    });
    Ok(shown.collect())
}

fn word(status: &str) -> &'static str {
    match status {
        "success" => "success",
        "timeout" => "timeout",
        "cancelled" => "cancelled",
        _ => "error",
    }
}

fn gone(what: &str) -> Failure {
    Failure::new(FailureCode::ResultExpired, what)
}

fn told(failure: Option<Failure>) -> Option<Value> {
    failure.and_then(|failure| serde_json::to_value(failure).ok())
}
