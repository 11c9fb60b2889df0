//! `GET /v1/upkeep`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    model::upkeep::UpkeepTask,
    store::upkeep::{self, Run},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use crate::{
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_upkeep)
}

/// `?task=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UpkeepQuery {
    /// Only runs of this task: `questions`, `results`, `audit_logs`, `files` …
    #[param(inline, value_type = Option<crate::openapi::words::UpkeepTask>)]
    task: Option<UpkeepTask>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A run of a task of the upkeep.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UpkeepRunView {
    /// Its id.
    id: Uuid,
    /// What it keeps.
    task: String,
    /// `asked`, `running`, `done` or `failed`.
    state: &'static str,
    /// When somebody or a schedule asked for it; null: its time had come.
    asked_at: Option<DateTime<Utc>>,
    /// When it began.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    ended_at: Option<DateTime<Utc>>,
    /// How long it took.
    took_ms: Option<i64>,
    /// Counts by what was removed (or made); what is not there is none.
    #[schema(value_type = Object)]
    removed: Value,
    /// Why it did not come to its end.
    error: Option<String>,
}

impl From<Run> for UpkeepRunView {
    fn from(run: Run) -> Self {
        let state = match (run.started_at, run.ended_at, &run.error) {
            (None, _, _) => "asked",
            (Some(_), None, _) => "running",
            (Some(_), Some(_), None) => "done",
            (Some(_), Some(_), Some(_)) => "failed",
        };
        let took_ms = run.started_at.zip(run.ended_at).map(|(started, ended)| (ended - started).num_milliseconds());
        Self {
            id: run.id,
            task: run.task,
            state,
            asked_at: run.asked_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            took_ms,
            removed: run.removed,
            error: run.error,
        }
    }
}

/// What the upkeep did: every run of its tasks, newest first.
#[utoipa::path(get, path = "/v1/upkeep", tag = "operation", params(UpkeepQuery), responses((status = 200, description = "A page of runs", body = Page<UpkeepRunView>)))]
async fn list_upkeep(State(app): State<App>, Query(query): Query<UpkeepQuery>) -> Result<axum::Json<Page<UpkeepRunView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let runs = upkeep::list(&app.pool, query.task.map(UpkeepTask::as_str), page.before()?, limit + 1).await?;
    Ok(axum::Json(Page::of(runs, limit, |run| run.id, UpkeepRunView::from)))
}
