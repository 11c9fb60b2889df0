//! `GET /v1/questions`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ConnectionId, FileId, QuestionId},
    model::questions::QuestionStatus,
    store::questions::{self, Filter, QuestionLine},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_questions)
}

/// `?status=&connection_id=&file_id=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only in this state.
    #[param(value_type = Option<String>)]
    status: Option<QuestionStatus>,
    /// Only those asked of this connection.
    connection_id: Option<Uuid>,
    /// Only those asked of this file.
    file_id: Option<Uuid>,
    /// Items a page, 1 to 200; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A line of the list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct QuestionLineView {
    /// Its id.
    id: Uuid,
    /// In the asker's words; null where only a statement was given.
    question: Option<String>,
    /// The database it is asked of.
    connection_id: Option<Uuid>,
    /// The file it is asked of.
    file_id: Option<Uuid>,
    /// `pending`, `success`, `error`, `timeout` or `cancelled`.
    status: String,
    /// Rows of the result.
    row_count: Option<i32>,
    /// When it was asked.
    created_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// Its newest job.
    job_id: Uuid,
}

impl From<QuestionLine> for QuestionLineView {
    fn from(line: QuestionLine) -> Self {
        Self {
            id: line.id,
            question: Some(line.question).filter(|text| !text.is_empty()),
            connection_id: line.connection_id,
            file_id: line.file_id,
            status: line.status,
            row_count: line.row_count,
            created_at: line.created_at,
            finished_at: line.finished_at,
            job_id: line.job_id,
        }
    }
}

/// The caller's questions, newest first, without their answers; by a key that is limited to some connections, those of these and of none.
#[utoipa::path(get, path = "/v1/questions", tag = "questions", params(ListQuery), responses((status = 200, description = "A page of questions", body = Page<QuestionLineView>)))]
async fn list_questions(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Page<QuestionLineView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let filter = Filter { status: query.status, connection_id: query.connection_id.map(ConnectionId), file_id: query.file_id.map(FileId) };
    let before = page.before()?.map(QuestionId);
    let found = questions::list(&app.pool, caller.user_id, &filter, caller.limited_to().as_deref(), before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |line| line.id, QuestionLineView::from)))
}
