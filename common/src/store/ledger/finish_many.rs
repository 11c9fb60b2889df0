//! Many ends in one commit: what the workers' answers to questions cost under load is one statement for all that end together.
//!
//! It writes exactly what [`finish`](super::finish::finish) writes, fenced the same way.

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    Claimed, Outcome,
    finish::{Ended, event_data_of},
};
use crate::{
    events::terminal_type,
    ids::EventId,
    jobs::JobKind,
    model::{
        jobs::JobState,
        questions::{FailureCode, QuestionStatus, Stage},
    },
    store::{
        Result,
        answers::{self, Rows},
    },
};

/// The end of one attempt at a question.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The attempt.
    pub job: &'a Claimed,
    /// What it was last doing.
    pub stage: Option<Stage>,
    /// How it ends.
    pub outcome: &'a Outcome,
}

impl End<'_> {
    /// Whether it is of the kind that [`finish_many`] writes.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let written = matches!(self.outcome, Outcome::Answered { .. } | Outcome::Failed { .. });
        self.job.kind == JobKind::AnswerQuestion && self.job.subject_id.is_some() && written
    }
}

/// What became of an [`End`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Ended {
        /// What to tell the readers.
        ended: Ended,
        /// Whether its owner has more waiting in its lane: let the next in.
        more_wait: bool,
    },
    /// Nothing was touched: the lease was lost, or the end was written before. [`finish`](super::finish::finish) tells which.
    NotRunning,
}

/// Writes the ends of attempts at questions ([`End::is_plain`]) in one commit; one answer for each, in their order.
///
/// # Errors
/// If the database fails, or one of them can't be stored: then none is; send them one by one.
pub async fn finish_many(executor: impl PgExecutor<'_>, ends: &[End<'_>]) -> Result<Vec<Written>> {
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let mut c = Columns::default();
    for end in ends {
        c.push(end)?;
    }
    let rows = sqlx::query!(
        r#"WITH input AS (
               SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bool[], $6::jsonb[], $7::uuid[], $8::text[], $9::jsonb[],
                   $10::text[], $11::text[], $12::text[], $13::int4[], $14::int4[], $15::text[], $16::real[], $17::jsonb[], $18::jsonb[],
                   $19::jsonb[], $20::bool[], $21::bool[], $22::text[], $23::text[], $24::bool[], $25::text[], $26::jsonb[], $27::jsonb[],
                   $28::text[], $29::jsonb[], $30::jsonb[], $31::jsonb[], $32::jsonb[], $33::bytea[])
               AS t(job_id, lease_id, stage, state, dead, error, event_id, event_type, event_data,
                   status, sql, dialect, row_count, execution_time_ms, result_hash, confidence, provenance, usage,
                   timings, cached, truncated, policy_version, error_message, answered, chart_type, chart_config, chart,
                   summary, insights, files, columns, first_rows, rows_inline)
           ), ended AS (
               UPDATE jobs SET state = i.state, in_flight = NULL, finished_at = dg_now(), error = i.error, dead = i.dead, stage = NULL,
                   progress = NULL
               FROM input i WHERE jobs.id = i.job_id AND jobs.lease_id = i.lease_id AND jobs.state = 'running'
               RETURNING jobs.id, jobs.lane, jobs.user_id, jobs.subject_id, jobs.lease_id, jobs.attempt, jobs.worker, jobs.claimed_at
           ), asked AS (
               UPDATE query_history q SET status = i.status, generated_sql = coalesce(i.sql, q.generated_sql),
                   dialect = coalesce(i.dialect, q.dialect), row_count = i.row_count, execution_time_ms = i.execution_time_ms,
                   result_hash = i.result_hash, confidence = i.confidence, provenance = coalesce(i.provenance, q.provenance),
                   usage = coalesce(i.usage, q.usage), timings = coalesce(i.timings, q.timings), cached = i.cached, truncated = i.truncated,
                   policy_version = i.policy_version, error = i.error, error_message = i.error_message, finished_at = dg_now()
               FROM ended e JOIN input i ON i.job_id = e.id
               WHERE q.id = e.subject_id AND q.job_id = e.id AND (i.answered OR q.status = 'pending')
               RETURNING q.job_id, q.callback_url
           ), answers AS (
               INSERT INTO analysis_results (query_history_id, job_id, chart_type, chart_config, chart, summary_text, insights,
                   result_files, columns, first_rows, rows_inline)
               SELECT e.subject_id, e.id, i.chart_type, i.chart_config, i.chart, i.summary, i.insights, i.files, i.columns, i.first_rows,
                   i.rows_inline
               FROM ended e JOIN input i ON i.job_id = e.id JOIN query_history q ON q.id = e.subject_id WHERE i.answered
           ), audited AS (
               -- What ran on a customer's data, by the event's id, which is ordered by time. As `finish` writes it.
               INSERT INTO audit_logs (id, user_id, action, resource_type, resource_id, details, result)
               SELECT i.event_id, e.user_id, 'sql.run', 'question', e.subject_id::text,
                   jsonb_build_object('connection_id', q.connection_id, 'file_id', q.file_id, 'job_id', e.id, 'sql', left(i.sql, 4000),
                       'rows', i.row_count, 'cached', i.cached),
                   CASE WHEN i.answered THEN 'success' ELSE 'failure' END
               FROM ended e JOIN input i ON i.job_id = e.id JOIN query_history q ON q.id = e.subject_id
               WHERE i.sql IS NOT NULL AND (i.answered OR i.stage = 'executing')
           ), attempts AS (
               INSERT INTO job_attempts (job_id, lease_id, attempt, worker, started_at, outcome, stage, error)
               SELECT e.id, e.lease_id, e.attempt, e.worker, coalesce(e.claimed_at, dg_now()), i.state, i.stage, i.error
               FROM ended e JOIN input i ON i.job_id = e.id
               ON CONFLICT (job_id, lease_id) DO NOTHING
           ), told AS (
               INSERT INTO events (id, type, subject, user_id, job_id, data)
               SELECT i.event_id, i.event_type, e.subject_id::text, e.user_id, e.id, i.event_data
               FROM ended e JOIN input i ON i.job_id = e.id
               RETURNING seq, id, type, user_id, job_id
           ), hooked AS (
               -- Costs one look into a small index for each end where nobody is to be told.
               SELECT t.job_id, tell_webhooks(t.seq, t.id, t.type, t.user_id, a.callback_url) AS deliveries
               FROM told t LEFT JOIN asked a ON a.job_id = t.job_id
               WHERE a.callback_url IS NOT NULL OR EXISTS (SELECT FROM webhook_endpoints w WHERE w.user_id = t.user_id AND w.is_active)
           ), owners AS (
               SELECT user_id, lane,
                   (SELECT true FROM jobs w WHERE NOT w.in_flight AND w.lane = o.lane AND w.user_id = o.user_id LIMIT 1) IS NOT NULL AS more
               FROM (SELECT DISTINCT user_id, lane FROM ended) o
           )
           SELECT e.id AS "id!", o.more AS "more!", coalesce(h.deliveries, 0) > 0 AS "tells_webhooks!"
           FROM ended e JOIN owners o ON o.user_id = e.user_id AND o.lane = e.lane LEFT JOIN hooked h ON h.job_id = e.id"#,
        &c.jobs,
        &c.leases,
        &c.stages as &[Option<&str>],
        &c.states as &[&str],
        &c.dead,
        &c.errors as &[Option<Value>],
        &c.event_ids,
        &c.event_types,
        &c.event_data,
        &c.statuses as &[&str],
        &c.sql as &[Option<&str>],
        &c.dialects as &[Option<&str>],
        &c.row_counts as &[Option<i32>],
        &c.execution_times as &[Option<i32>],
        &c.hashes as &[Option<&str>],
        &c.confidences as &[Option<f32>],
        &c.provenances as &[Option<&Value>],
        &c.usages as &[Option<&Value>],
        &c.timings as &[Option<&Value>],
        &c.cached,
        &c.truncated,
        &c.policies as &[Option<&str>],
        &c.messages as &[Option<&str>],
        &c.answered,
        &c.chart_types as &[Option<&str>],
        &c.chart_specs as &[Option<&Value>],
        &c.charts as &[Option<&Value>],
        &c.summaries as &[Option<&str>],
        &c.insights as &[Option<Value>],
        &c.files as &[Option<Value>],
        &c.columns as &[Option<Value>],
        &c.first_rows as &[Option<Value>],
        &c.inline as &[Option<&[u8]>]
    )
    .fetch_all(executor)
    .await?;
    let written = ends.iter().map(|end| {
        let id = end.job.lease.job_id;
        let row = rows.iter().find(|row| row.id == id.0);
        row.map_or(Written::NotRunning, |row| {
            let subject = end.job.subject_id.unwrap_or(id.0).to_string();
            let ended =
                Ended { job_id: id, user_id: end.job.user_id, subject, state: end.outcome.state(), tells_webhooks: row.tells_webhooks };
            Written::Ended { ended, more_wait: row.more }
        })
    });
    Ok(written.collect())
}

// Parallel arrays, as UNNEST wants them.
#[derive(Default)]
struct Columns<'a> {
    jobs: Vec<Uuid>,
    leases: Vec<Uuid>,
    stages: Vec<Option<&'a str>>,
    states: Vec<&'a str>,
    dead: Vec<bool>,
    errors: Vec<Option<Value>>,
    event_ids: Vec<Uuid>,
    event_types: Vec<String>,
    event_data: Vec<Value>,
    statuses: Vec<&'a str>,
    sql: Vec<Option<&'a str>>,
    dialects: Vec<Option<&'a str>>,
    row_counts: Vec<Option<i32>>,
    execution_times: Vec<Option<i32>>,
    hashes: Vec<Option<&'a str>>,
    confidences: Vec<Option<f32>>,
    provenances: Vec<Option<&'a Value>>,
    usages: Vec<Option<&'a Value>>,
    timings: Vec<Option<&'a Value>>,
    cached: Vec<bool>,
    truncated: Vec<bool>,
    policies: Vec<Option<&'a str>>,
    messages: Vec<Option<&'a str>>,
    answered: Vec<bool>,
    chart_types: Vec<Option<&'a str>>,
    chart_specs: Vec<Option<&'a Value>>,
    charts: Vec<Option<&'a Value>>,
    summaries: Vec<Option<&'a str>>,
    insights: Vec<Option<Value>>,
    files: Vec<Option<Value>>,
    columns: Vec<Option<Value>>,
    first_rows: Vec<Option<Value>>,
    inline: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, end: &End<'a>) -> Result<()> {
        let state = end.outcome.state();
        let failure = end.outcome.failure();
        self.jobs.push(end.job.lease.job_id.0);
        self.leases.push(end.job.lease.lease_id.0);
        self.stages.push(end.stage.map(Stage::as_str));
        self.states.push(state.as_str());
        self.dead.push(matches!(end.outcome, Outcome::Failed { dead: true, .. }));
        self.errors.push(failure.map(serde_json::to_value).transpose().unwrap_or_default());
        self.event_ids.push(EventId::new().0);
        self.event_types.push(terminal_type(end.job.kind, state).unwrap_or_default());
        self.event_data.push(event_data_of(end.job, state, end.outcome));
        self.statuses.push(status(state, end.outcome));
        self.messages.push(failure.map(|failure| failure.message.as_str()));
        self.push_ending(end.outcome);
        self.push_answer(end.outcome)
    }

    fn push_ending(&mut self, outcome: &'a Outcome) {
        let ending = match outcome {
            Outcome::Answered { ending, .. } => Some(&**ending),
            Outcome::Failed { ending, .. } => ending.as_deref(),
            Outcome::Looked { .. } | Outcome::Delivered(_) | Outcome::Cancelled => None,
        };
        // A failure keeps what was drafted until then, and nothing of a result.
        let answered = ending.filter(|_| matches!(outcome, Outcome::Answered { .. }));
        self.sql.push(ending.and_then(|e| e.sql.as_deref()));
        self.dialects.push(ending.and_then(|e| e.dialect.as_deref()));
        self.provenances.push(ending.map(|e| &e.provenance));
        self.usages.push(ending.map(|e| &e.usage));
        self.timings.push(ending.map(|e| &e.timings));
        self.row_counts.push(answered.and_then(|e| e.row_count));
        self.execution_times.push(answered.and_then(|e| e.execution_time_ms));
        self.hashes.push(answered.and_then(|e| e.result_hash.as_deref()));
        self.confidences.push(answered.and_then(|e| e.confidence));
        self.cached.push(answered.is_some_and(|e| e.cached));
        self.truncated.push(answered.is_some_and(|e| e.truncated));
        self.policies.push(answered.and_then(|e| e.policy_version.as_deref()));
    }

    fn push_answer(&mut self, outcome: &'a Outcome) -> Result<()> {
        let answer = match outcome {
            Outcome::Answered { answer, .. } => Some(&**answer),
            Outcome::Failed { .. } | Outcome::Looked { .. } | Outcome::Delivered(_) | Outcome::Cancelled => None,
        };
        self.answered.push(answer.is_some());
        self.chart_types.push(answer.and_then(|a| a.chart_type.as_deref()));
        self.chart_specs.push(answer.and_then(|a| a.chart_spec.as_ref()));
        self.charts.push(answer.and_then(|a| a.chart.as_ref()));
        self.summaries.push(answer.map(|a| a.summary.as_str()));
        self.insights.push(answer.map(|a| answers::json(&a.insights, "insights")).transpose()?);
        self.columns.push(answer.map(|a| answers::json(&a.columns, "columns")).transpose()?);
        self.first_rows.push(answer.map(|a| answers::json(&a.first_rows, "rows")).transpose()?);
        let (inline, files) = match answer.map(|a| &a.rows) {
            Some(Rows::Inline(bytes)) => (Some(bytes.as_slice()), Some(serde_json::json!({}))),
            Some(Rows::File(file)) => (None, Some(serde_json::json!({ "rows": file }))),
            None => (None, None),
        };
        self.inline.push(inline);
        self.files.push(files);
        Ok(())
    }
}

fn status(state: JobState, outcome: &Outcome) -> &'static str {
    let status = match (state, outcome.failure()) {
        (JobState::Succeeded, _) => QuestionStatus::Success,
        (JobState::Cancelled, _) => QuestionStatus::Cancelled,
        (_, Some(failure)) if failure.code == FailureCode::Timeout => QuestionStatus::Timeout,
        _ => QuestionStatus::Error,
    };
    status.as_str()
}
