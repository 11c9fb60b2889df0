//! A question as shown: the contract's answer.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    model::questions::{Failure, FailureCode},
    store::questions::Question,
};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reading::{self, Sight};
use crate::{
    access::Caller,
    app::App,
    audited::Seen,
    error::{ApiError, Result},
    extract::etagged,
};

/// A question and its answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct QuestionView {
    /// Its id.
    pub id: Uuid,
    /// `pending`, `success`, `error`, `timeout` or `cancelled`.
    #[schema(value_type = crate::openapi::words::QuestionStatus)]
    pub status: String,
    /// What the running job is doing.
    #[schema(value_type = Option<crate::openapi::words::Stage>)]
    pub stage: Option<String>,
    /// `{done, total, unit}`, where it can be known.
    #[schema(value_type = Option<crate::openapi::shapes::Progress>)]
    pub progress: Option<Value>,
    /// While it waits.
    pub queue: Option<QueueView>,
    /// In the asker's words; null where only a statement was given.
    pub question: Option<String>,
    /// The database it is asked of.
    pub connection_id: Option<Uuid>,
    /// The file it is asked of.
    pub file_id: Option<Uuid>,
    /// The question it refers to.
    pub follows: Option<Uuid>,
    /// The statement that ran; for a failure the last one tried. Null where the answer is withheld.
    pub sql: Option<String>,
    /// `postgresql`, `mysql` or `sqlite`.
    #[schema(value_type = Option<crate::openapi::words::DbType>)]
    pub dialect: Option<String>,
    /// `[{name, type, kind}]`.
    #[schema(value_type = Vec<crate::openapi::shapes::ResultColumn>)]
    pub columns: Value,
    /// The first page (at most 100 rows), as arrays in the order of `columns`.
    #[schema(value_type = Vec<Vec<Value>>)]
    pub rows: Value,
    /// Rows of the whole result.
    pub row_count: Option<i32>,
    /// Whether a limit cut the result off.
    pub truncated: bool,
    /// The chart.
    pub chart: Option<ChartView>,
    /// In the language of the question; its numbers are computed from the rows.
    pub summary: Option<String>,
    /// `[{kind, text, evidence}]`.
    #[schema(value_type = Vec<crate::openapi::shapes::Insight>)]
    pub insights: Value,
    /// 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: Option<f32>,
    /// `{model, tables, attempts}`; null where the answer is withheld.
    #[schema(value_type = Option<crate::openapi::shapes::Provenance>)]
    pub provenance: Option<Value>,
    /// `{prompt_tokens, completion_tokens, cost}`.
    #[schema(value_type = Option<crate::openapi::shapes::Usage>)]
    pub usage: Option<Value>,
    /// Milliseconds by stage.
    #[schema(value_type = Option<std::collections::BTreeMap<String, u64>>)]
    pub timings_ms: Option<Value>,
    /// Whether the rows come from the cache.
    pub cached: bool,
    /// `{code, stage, message, hint, retryable, position?, clarification?}`.
    #[schema(value_type = Option<crate::openapi::shapes::Failure>)]
    pub error: Option<Value>,
    /// Its newest job.
    pub job_id: Uuid,
    /// The job that this one repeats.
    pub replay_of: Option<Uuid>,
    /// The batch that it is of; its owner's alone.
    pub batch_id: Option<Uuid>,
    /// The name of its line there; of lines that are the same, the first one's.
    pub custom_id: Option<String>,
    /// When it was asked.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Where a waiting question stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct QueueView {
    /// Jobs before it in its own flow (its owner's in its lane, or its batch's); at most 1,000 are counted. 0 once it is rung.
    pub position: i64,
    /// A rough guess: as long as the one at the head has waited, in whole seconds.
    pub estimated_wait_ms: Option<i64>,
}

impl QueueView {
    /// Of what the store tells: how many are before it, and how long the first of them has waited, in milliseconds.
    #[must_use]
    pub fn of(position: Option<i64>, head_ms: Option<i64>) -> Option<Self> {
        position.map(|position| Self { position, estimated_wait_ms: head_ms.map(|ms| ms.max(0) / 1000 * 1000) })
    }
}

/// The chart of an answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChartView {
    /// `number`, `bar`, `grouped_bar`, `line`, `pie`, `table` …
    #[serde(rename = "type")]
    #[schema(value_type = crate::openapi::words::ChartType)]
    pub chart_type: String,
    /// Vega-Lite 5.
    #[schema(value_type = Option<Object>)]
    pub spec: Option<Value>,
    /// The picture, where there is something to draw.
    pub svg_url: Option<String>,
    /// Likewise.
    pub png_url: Option<String>,
}

impl QuestionView {
    /// A question just taken in: no look at the database is needed to show it.
    #[must_use]
    pub fn submitted(
        id: Uuid,
        job_id: Uuid,
        question: &str,
        connection_id: Option<Uuid>,
        file_id: Option<Uuid>,
        follows: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            status: "pending".to_owned(),
            stage: None,
            progress: None,
            queue: None,
            question: Some(question.to_owned()).filter(|text| !text.is_empty()),
            connection_id,
            file_id,
            follows,
            sql: None,
            dialect: None,
            columns: json!([]),
            rows: json!([]),
            row_count: None,
            truncated: false,
            chart: None,
            summary: None,
            insights: json!([]),
            confidence: None,
            provenance: None,
            usage: None,
            timings_ms: None,
            cached: false,
            error: None,
            job_id,
            replay_of: None,
            batch_id: None,
            custom_id: None,
            created_at: now,
            finished_at: None,
        }
    }

    fn of(q: Question) -> Self {
        let is_expired = q.status == "success" && q.columns.is_none();
        let chart = q.chart_type.map(|chart_type| {
            let picture = |form: &str| (chart_type != "table").then(|| format!("/v1/questions/{}/chart.{form}", q.id));
            ChartView { svg_url: picture("svg"), png_url: picture("png"), spec: q.chart_config, chart_type }
        });
        Self {
            id: q.id,
            status: q.status,
            stage: q.stage,
            progress: q.progress,
            queue: QueueView::of(q.queue_position, q.queue_head_ms),
            question: Some(q.question).filter(|text| !text.is_empty()),
            connection_id: q.connection_id,
            file_id: q.file_id,
            follows: q.follows,
            sql: q.generated_sql,
            dialect: q.dialect,
            columns: q.columns.unwrap_or_else(|| json!([])),
            rows: q.first_rows.unwrap_or_else(|| json!([])),
            row_count: q.row_count,
            truncated: q.truncated,
            chart,
            summary: q.summary_text,
            insights: q.insights.unwrap_or_else(|| json!([])),
            confidence: q.confidence,
            provenance: q.provenance,
            usage: q.usage,
            timings_ms: q.timings,
            cached: q.cached,
            error: q.error.or_else(|| is_expired.then(|| json!(expired()))),
            job_id: q.job_id,
            replay_of: q.replay_of,
            batch_id: q.batch_id,
            custom_id: q.custom_id,
            created_at: q.created_at,
            finished_at: q.finished_at,
        }
    }

    /// Takes everything away that was read from the customer's database, and the statements, which name its tables and may repeat its
    /// values.
    fn withhold(&mut self) {
        self.sql = None;
        self.provenance = None;
        self.columns = json!([]);
        self.rows = json!([]);
        self.row_count = None;
        self.chart = None;
        self.summary = None;
        self.insights = json!([]);
        self.error = Some(json!(withheld()));
    }

    /// What is left for one it is shared with whose own permissions do not cover its answer: that there is such a question, and how it
    /// ended.
    fn outline(&mut self, knows_connection: bool) {
        let failure = self.error.take().map(
            |error| json!({ "code": error["code"], "stage": null, "message": NOT_YOURS, "hint": null, "retryable": error["retryable"] }),
        );
        self.withhold();
        self.error = if self.status == "success" { Some(json!(not_covered())) } else { failure };
        self.dialect = None;
        self.confidence = None;
        self.usage = None;
        self.timings_ms = None;
        if !knows_connection {
            self.connection_id = None;
        }
    }
}

/// Why the question of somebody else failed.
const NOT_YOURS: &str = "the question was not answered; its owner is told why";

/// Why an answer that was there is not shown.
fn expired() -> Failure {
    Failure::new(FailureCode::ResultExpired, "the answer was kept for its time and is gone")
        .hint("POST /v1/questions/{id}/rerun asks the question again")
}

/// Why an answer that is there is not shown to one it is shared with.
pub fn not_covered() -> Failure {
    Failure::new(FailureCode::PermissionDenied, "your own permissions do not cover this answer: sharing a question gives none")
        .hint("ask an administrator for the permission to read what it was read from")
}

/// Why an answer that is there is not shown.
pub fn withheld() -> Failure {
    Failure::new(FailureCode::PermissionDenied, "your permissions on this connection have changed since; the answer is not shown")
        .hint("ask again under the permissions of now")
}

/// The question, as the caller may see it now; `accepted`: as 202, with where and when to look.
///
/// # Errors
/// If the database fails.
pub async fn show(app: &App, caller: &Caller, question: Question, accepted: bool, headers: &HeaderMap) -> Result<Response> {
    let sight = reading::sight(app, caller.user_id, &question).await?;
    let is_own = question.user_id == caller.user_id.0;
    let mut view = QuestionView::of(question);
    if !is_own {
        (view.batch_id, view.custom_id) = (None, None);
    }
    match sight {
        Sight::Whole => {}
        Sight::Withheld => view.withhold(),
        Sight::Outline { knows_connection } => view.outline(knows_connection),
    }
    reply(&view, accepted, headers)
}

/// 200, or 202 with where and when to look.
///
/// # Errors
/// Never in practice: an id is a valid header.
pub fn reply(view: &QuestionView, accepted: bool, headers: &HeaderMap) -> Result<Response> {
    // One that is under way shows nothing but what was asked.
    let seen = Seen { nothing: view.status == "pending", id: Some(view.id), ..Seen::default() };
    if !accepted {
        return Ok(seen.on(etagged(StatusCode::OK, headers, view)?));
    }
    let mut response = seen.on(etagged(StatusCode::ACCEPTED, headers, view)?);
    let location = HeaderValue::from_str(&format!("/v1/questions/{}", view.id)).map_err(|error| ApiError::internal(&error))?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(Duration::from_secs(1).as_secs()));
    Ok(response)
}
