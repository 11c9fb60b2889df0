//! `query_history`: questions, as their owner sees them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::Result;
use crate::{
    ids::{ConnectionId, FileId, JobId, QuestionId, UserId},
    model::questions::{Failure, QuestionStatus},
};

/// A question with the state of its newest job and, when it has ended well, its answer.
#[derive(Clone, Debug)]
pub struct Question {
    /// `query_history.id`.
    pub id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// The database it is asked of.
    pub connection_id: Option<Uuid>,
    /// The file it is asked of.
    pub file_id: Option<Uuid>,
    /// In the asker's words; empty where only a statement was given.
    pub question: String,
    /// The statement that ran.
    pub generated_sql: Option<String>,
    /// `database`, `excel` or `general`.
    pub query_type: String,
    /// `pending`, `success`, `error`, `timeout` or `cancelled`.
    pub status: String,
    /// Rows of the result.
    pub row_count: Option<i32>,
    /// Milliseconds on the customer's database.
    pub execution_time_ms: Option<i32>,
    /// When it was asked.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its newest job.
    pub job_id: Uuid,
    /// The question it refers to.
    pub follows: Option<Uuid>,
    /// Why it has no answer.
    pub error: Option<Value>,
    /// The SQL's dialect.
    pub dialect: Option<String>,
    /// 0 to 1.
    pub confidence: Option<f32>,
    /// Model, tables, attempts.
    pub provenance: Option<Value>,
    /// Tokens and cost.
    pub usage: Option<Value>,
    /// Milliseconds by stage.
    pub timings: Option<Value>,
    /// Whether the rows come from the cache.
    pub cached: bool,
    /// Whether a limit cut the rows off.
    pub truncated: bool,
    /// The permissions that the rows were read under.
    pub policy_version: Option<String>,
    /// The policy's version now; none: the connection is gone, or there is none.
    pub current_policy_version: Option<String>,
    /// State of the job.
    pub job_state: Option<String>,
    /// What a running job is doing.
    pub stage: Option<String>,
    /// How far it is.
    pub progress: Option<Value>,
    /// The job that this one repeats.
    pub replay_of: Option<Uuid>,
    /// The batch that it is of.
    pub batch_id: Option<Uuid>,
    /// The name of its line there; of lines that are the same, the first one's.
    pub custom_id: Option<String>,
    /// Jobs of its owner (or batch) before it in its lane, while it waits; at most 1,000 are counted; 0 once it is rung.
    pub queue_position: Option<i64>,
    /// How long the first of them has waited, in milliseconds.
    pub queue_head_ms: Option<i64>,
    /// Columns of the result.
    pub columns: Option<Value>,
    /// First page of the result.
    pub first_rows: Option<Value>,
    /// `bar`, `table` …
    pub chart_type: Option<String>,
    /// Vega-Lite specification.
    pub chart_config: Option<Value>,
    /// In the language of the question.
    pub summary_text: Option<String>,
    /// Computed observations.
    pub insights: Option<Value>,
}

/// A question of this user; admins see everybody's (`owner` none).
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, owner: Option<UserId>, id: QuestionId) -> Result<Option<Question>> {
    let row = sqlx::query_as!(
        Question,
        r#"SELECT q.id, q.user_id, q.connection_id, q.file_id, q.question, q.generated_sql, q.query_type, q.status, q.row_count, q.execution_time_ms,
                  q.created_at, q.finished_at, q.job_id, q.follows, q.error, q.dialect, q.confidence, q.provenance, q.usage, q.timings,
                  q.cached, q.truncated, q.policy_version,
                  policy_version(q.user_id, q.connection_id) AS current_policy_version,
                  j.state AS "job_state?", j.stage, j.progress, j.replay_of, j.batch_id, j.payload ->> 'custom_id' AS custom_id,
                  CASE j.state WHEN 'queued' THEN 0::int8 WHEN 'waiting' THEN
                      (SELECT count(*) FROM (SELECT FROM jobs w WHERE NOT w.in_flight AND w.lane = j.lane AND w.user_id = j.user_id
                           AND coalesce(w.batch_id, w.user_id) = coalesce(j.batch_id, j.user_id)
                           AND (w.run_at, w.id) < (j.run_at, j.id) LIMIT 1000) ahead)
                  END AS queue_position,
                  CASE j.state WHEN 'queued' THEN (extract(epoch FROM dg_now() - j.run_at) * 1000)::int8 WHEN 'waiting' THEN
                      (SELECT (extract(epoch FROM dg_now() - w.run_at) * 1000)::int8 FROM jobs w WHERE NOT w.in_flight AND w.lane = j.lane
                           AND w.user_id = j.user_id AND coalesce(w.batch_id, w.user_id) = coalesce(j.batch_id, j.user_id)
                       ORDER BY w.run_at, w.id LIMIT 1)
                  END AS queue_head_ms,
                  a.columns AS "columns?", a.first_rows AS "first_rows?", a.chart_type, a.chart_config, a.summary_text, a.insights
           FROM query_history q
           LEFT JOIN jobs j ON j.id = q.job_id
           LEFT JOIN analysis_results a ON a.job_id = q.job_id
           WHERE q.id = $1 AND ($2::uuid IS NULL OR q.user_id = $2)"#,
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Whether a question has ended, for those who wait for it.
///
/// # Errors
/// If the database fails.
pub async fn has_ended(pool: &PgPool, id: QuestionId) -> Result<bool> {
    let status = sqlx::query_scalar!("SELECT status FROM query_history WHERE id = $1", id.0).fetch_optional(pool).await?;
    Ok(status.is_none_or(|status| status != QuestionStatus::Pending.as_str()))
}

/// A line of the list of questions.
#[derive(Clone, Debug)]
pub struct QuestionLine {
    /// `query_history.id`.
    pub id: Uuid,
    /// In the asker's words.
    pub question: String,
    /// The database it is asked of.
    pub connection_id: Option<Uuid>,
    /// The file it is asked of.
    pub file_id: Option<Uuid>,
    /// `pending`, `success`, `error`, `timeout` or `cancelled`.
    pub status: String,
    /// Rows of the result.
    pub row_count: Option<i32>,
    /// In the language of the question.
    pub summary_text: Option<String>,
    /// When it was asked.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Its newest job.
    pub job_id: Uuid,
}

/// Which questions a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this state.
    pub status: Option<QuestionStatus>,
    /// Asked of this connection.
    pub connection_id: Option<ConnectionId>,
    /// Asked of this file.
    pub file_id: Option<FileId>,
}

/// A page of a user's questions, newest first, before a cursor; of these connections and of none, where `usable` names some. Analyses of
/// files are no questions.
///
/// # Errors
/// If the database fails.
pub async fn list(
    pool: &PgPool,
    owner: UserId,
    filter: &Filter,
    usable: Option<&[Uuid]>,
    before: Option<QuestionId>,
    limit: i64,
) -> Result<Vec<QuestionLine>> {
    let rows = sqlx::query_as!(
        QuestionLine,
        "SELECT q.id, q.question, q.connection_id, q.file_id, q.status, q.row_count, a.summary_text, q.created_at, q.finished_at, q.job_id
         FROM query_history q LEFT JOIN analysis_results a ON a.job_id = q.job_id
         WHERE q.user_id = $1 AND ($2::text IS NULL OR q.status = $2) AND ($3::uuid IS NULL OR q.connection_id = $3)
           AND ($4::uuid IS NULL OR q.id < $4)
           AND ($6::uuid[] IS NULL OR q.connection_id IS NULL OR q.connection_id = ANY($6))
           AND ($7::uuid IS NULL OR q.file_id = $7) AND q.file_info IS NULL
         ORDER BY q.id DESC LIMIT $5",
        owner.0,
        filter.status.map(QuestionStatus::as_str),
        filter.connection_id.map(|id| id.0),
        before.map(|id| id.0),
        limit,
        usable,
        filter.file_id.map(|id| id.0)
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// What an earlier question was, for one that follows it; only its own user's.
///
/// # Errors
/// If the database fails.
pub async fn previous(pool: &PgPool, owner: UserId, id: QuestionId) -> Result<Option<(String, Option<String>)>> {
    let row = sqlx::query!("SELECT question, generated_sql FROM query_history WHERE id = $1 AND user_id = $2", id.0, owner.0)
        .fetch_optional(pool)
        .await?;
    Ok(row.map(|r| (r.question, r.generated_sql)))
}

/// Everything that an answered question stores beside its rows.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The statement that ran.
    pub sql: Option<String>,
    /// Its dialect.
    pub dialect: Option<String>,
    /// Rows of the result.
    pub row_count: Option<i32>,
    /// Milliseconds on the customer's database.
    pub execution_time_ms: Option<i32>,
    /// Key of the cached result.
    pub result_hash: Option<String>,
    /// 0 to 1.
    pub confidence: Option<f32>,
    /// Model, tables, attempts.
    pub provenance: Value,
    /// Tokens and cost.
    pub usage: Value,
    /// Milliseconds by stage.
    pub timings: Value,
    /// Whether the rows come from the cache.
    pub cached: bool,
    /// Whether a limit cut the rows off.
    pub truncated: bool,
    /// The permissions that the rows were read under.
    pub policy_version: Option<String>,
}

/// Ends a question well, in the transaction of the fenced finish.
///
/// # Errors
/// If the database fails.
pub async fn succeed(conn: &mut PgConnection, id: QuestionId, job: JobId, end: &Ending) -> Result<()> {
    sqlx::query!(
        "UPDATE query_history SET status = 'success', generated_sql = $3, dialect = $4, row_count = $5, execution_time_ms = $6,
             result_hash = $7, confidence = $8, provenance = $9, usage = $10, timings = $11, cached = $12, truncated = $13,
             policy_version = $14, error = NULL, error_message = NULL, finished_at = dg_now()
         WHERE id = $1 AND job_id = $2",
        id.0,
        job.0,
        end.sql,
        end.dialect,
        end.row_count,
        end.execution_time_ms,
        end.result_hash,
        end.confidence,
        end.provenance,
        end.usage,
        end.timings,
        end.cached,
        end.truncated,
        end.policy_version
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a question without an answer: `error`, `timeout` or `cancelled`. What was drafted so far is kept where it is given.
///
/// # Errors
/// If the database fails.
pub async fn fail(
    conn: &mut PgConnection,
    id: QuestionId,
    job: JobId,
    status: QuestionStatus,
    failure: Option<&Failure>,
    end: Option<&Ending>,
) -> Result<()> {
    let error = failure.map(serde_json::to_value).transpose().unwrap_or_default();
    sqlx::query!(
        "UPDATE query_history SET status = $3, error = $4, error_message = $5, generated_sql = coalesce($6, generated_sql),
             dialect = coalesce($7, dialect), provenance = coalesce($8, provenance), usage = coalesce($9, usage),
             timings = coalesce($10, timings), finished_at = dg_now()
         WHERE id = $1 AND job_id = $2 AND status = 'pending'",
        id.0,
        job.0,
        status.as_str(),
        error,
        failure.map(|f| f.message.as_str()),
        end.and_then(|e| e.sql.as_deref()),
        end.and_then(|e| e.dialect.as_deref()),
        end.map(|e| &e.provenance),
        end.map(|e| &e.usage),
        end.map(|e| &e.timings)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes a question wait for another job, its replay: nothing of the earlier one is shown any more.
///
/// # Errors
/// If the database fails.
pub async fn wait_for(conn: &mut PgConnection, id: QuestionId, job: JobId) -> Result<()> {
    sqlx::query!(
        "UPDATE query_history SET status = 'pending', job_id = $2, error = NULL, error_message = NULL, finished_at = NULL,
             generated_sql = NULL, dialect = NULL, row_count = NULL, execution_time_ms = NULL, result_hash = NULL, confidence = NULL,
             provenance = NULL, usage = NULL, timings = NULL, cached = false, truncated = false, policy_version = NULL
         WHERE id = $1",
        id.0,
        job.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
