//! A question whose answer is gone (past its keeping time, or lost with its file) is asked once more, as the same question.

use serde_json::json;
use sqlx::PgConnection;

use super::{NewJob, intake};
use crate::{
    ids::{ApiKeyId, ConnectionId, FileId, JobId, QuestionId, UserId},
    jobs::{AnswerQuestion, CacheMode, JobKind, PAYLOAD_VERSION},
    store::{Result, questions},
};

/// The time that the new job has.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Seconds until it is given up.
    pub deadline_seconds: f64,
    /// Seconds from its first attempt on until it is given up.
    pub run_seconds: f32,
    /// Attempts that it may cost.
    pub max_attempts: i16,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Rerun {
    /// A new job answers it: after the commit, let its owner's next jobs in.
    New(Box<NewJob>),
    /// It was not answered, or its answer is still there.
    Kept,
    /// There is no such question of this user.
    Unknown,
}

/// Makes a new job for a question of this user whose answer is gone. It does not need the earlier job, which may be gone too: a statement
/// that was given is the one that ran. `key`: the API key by which he asks, whose limits hold too.
///
/// # Errors
/// If the database fails.
pub async fn rerun(conn: &mut PgConnection, owner: UserId, key: Option<ApiKeyId>, id: QuestionId, terms: &Terms) -> Result<Rerun> {
    let row = sqlx::query!(
        r#"SELECT question, connection_id, file_id, follows, job_id,
               CASE WHEN provenance ->> 'model' = 'given' THEN generated_sql END AS sql,
               status = 'success' AND (question <> '' OR provenance ->> 'model' = 'given') IS TRUE AND NOT EXISTS (SELECT FROM analysis_results a WHERE a.job_id = query_history.job_id) AS "is_gone!"
           FROM query_history WHERE id = $1 AND user_id = $2 FOR UPDATE"#,
        id.0,
        owner.0
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Rerun::Unknown) };
    if !row.is_gone {
        return Ok(Rerun::Kept);
    }
    let connection_id = row.connection_id.map(ConnectionId);
    let payload = AnswerQuestion {
        api_key_id: key,
        v: PAYLOAD_VERSION,
        question_id: id,
        question: row.question,
        connection_id,
        file_id: row.file_id.map(FileId),
        sql: row.sql,
        follows: row.follows.map(QuestionId),
        cache: CacheMode::Use,
    };
    let job = NewJob {
        id: JobId::new(),
        kind: JobKind::AnswerQuestion,
        user_id: owner,
        connection_id,
        batch_id: None,
        subject_id: Some(id.0),
        replay_of: Some(JobId(row.job_id)),
        deadline_seconds: terms.deadline_seconds,
        run_seconds: Some(terms.run_seconds),
        max_attempts: terms.max_attempts,
        payload: json!(payload),
        traceparent: None,
    };
    intake::insert(conn, &job).await?;
    questions::wait_for(conn, id, job.id).await?;
    Ok(Rerun::New(Box::new(job)))
}
