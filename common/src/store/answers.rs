//! `analysis_results`: the answer of a question that succeeded, one row a job.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use super::{Result, StoreError};
use crate::{
    ids::{JobId, QuestionId},
    model::{
        questions::Insight,
        results::{Column, Row},
    },
};

/// Rows that lie in file storage, as JSON lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsFile {
    /// Object path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Byte offsets of the rows 0, `stride`, 2 × `stride` …: paging reads from the nearest one.
    pub offsets: Vec<u64>,
    /// Rows between two offsets.
    pub stride: u64,
}

/// Where the rows of a result lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// In PostgreSQL, as JSON lines.
    Inline(Vec<u8>),
    /// In file storage.
    File(RowsFile),
}

/// What an answer is made of.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The result's columns.
    pub columns: Vec<Column>,
    /// Its first page.
    pub first_rows: Vec<Row>,
    /// All of its rows.
    pub rows: Rows,
    /// `bar`, `table` …; none for a text answer.
    pub chart_type: Option<String>,
    /// The chart model, for drawing.
    pub chart: Option<Value>,
    /// Vega-Lite specification.
    pub chart_spec: Option<Value>,
    /// In the language of the question.
    pub summary: String,
    /// Computed observations.
    pub insights: Vec<Insight>,
}

pub(super) fn json(value: &impl Serialize, what: &'static str) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| StoreError::Unreadable { what, detail: error.to_string() })
}

/// Stores an answer, in the transaction of the fenced finish. Nothing is stored of a question that was deleted meanwhile (with its file).
///
/// # Errors
/// [`StoreError::Constraint`] with `analysis_results_once` if the job has had its answer.
pub async fn insert(conn: &mut PgConnection, question: QuestionId, job: JobId, answer: &Answer) -> Result<()> {
    let (inline, files) = match &answer.rows {
        Rows::Inline(bytes) => (Some(bytes.as_slice()), serde_json::json!({})),
        Rows::File(file) => (None, serde_json::json!({ "rows": file })),
    };
    sqlx::query!(
        "INSERT INTO analysis_results
             (query_history_id, job_id, chart_type, chart_config, chart, summary_text, insights, result_files, columns, first_rows, rows_inline)
         SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM query_history WHERE id = $1",
        question.0,
        job.0,
        answer.chart_type,
        answer.chart_spec,
        answer.chart,
        answer.summary,
        json(&answer.insights, "insights")?,
        files,
        json(&answer.columns, "columns")?,
        json(&answer.first_rows, "rows")?,
        inline
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Columns and rows of a job's answer, for paging and export.
///
/// # Errors
/// If the database fails or a stored value can't be read.
pub async fn rows(pool: &PgPool, job: JobId) -> Result<Option<(Vec<Column>, Rows)>> {
    let row = sqlx::query!("SELECT columns, rows_inline, result_files FROM analysis_results WHERE job_id = $1", job.0)
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let unreadable = |what| move |error: serde_json::Error| StoreError::Unreadable { what, detail: error.to_string() };
    let columns = serde_json::from_value(row.columns).map_err(unreadable("columns"))?;
    let rows = match row.rows_inline {
        Some(bytes) => Rows::Inline(bytes),
        None => {
            let files = row.result_files.unwrap_or_default();
            Rows::File(serde_json::from_value(files["rows"].clone()).map_err(unreadable("result_files"))?)
        }
    };
    Ok(Some((columns, rows)))
}

/// The chart model of a job's answer, and where its picture of this form (`chart.svg`, `chart.png`) already lies.
///
/// # Errors
/// If the database fails.
pub async fn chart(pool: &PgPool, job: JobId, form: &str) -> Result<Option<(Option<Value>, Option<String>)>> {
    let row = sqlx::query!("SELECT chart, result_files ->> $2 AS picture FROM analysis_results WHERE job_id = $1", job.0, form)
        .fetch_optional(pool)
        .await?;
    Ok(row.map(|r| (r.chart, r.picture)))
}

/// Notes where a picture of the chart lies.
///
/// # Errors
/// If the database fails.
pub async fn put_picture(pool: &PgPool, job: JobId, form: &str, path: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE analysis_results SET result_files = jsonb_set(coalesce(result_files, '{}'), ARRAY[$2::text], to_jsonb($3::text)) WHERE job_id = $1",
        job.0,
        form,
        path
    )
    .execute(pool)
    .await?;
    Ok(())
}
