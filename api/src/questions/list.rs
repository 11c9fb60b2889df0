//! `GET /v1/questions`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ConnectionId, FileId, QuestionId},
    model::questions::QuestionStatus,
    store::{
        questions::{self, Filter, QuestionLine},
        shares::{self, SharedLine},
    },
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

/// `?status=&connection_id=&file_id=&shared=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only in this state.
    #[param(inline, value_type = Option<crate::openapi::words::QuestionStatus>)]
    status: Option<QuestionStatus>,
    /// Only those asked of this connection.
    connection_id: Option<Uuid>,
    /// Only those asked of this file.
    file_id: Option<Uuid>,
    /// `true`: those of others that are shared with the caller, in place of his own.
    shared: Option<bool>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
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
    #[schema(value_type = crate::openapi::words::QuestionStatus)]
    status: String,
    /// Rows of the result; null for a question of somebody else.
    row_count: Option<i32>,
    /// Whose it is, where it is shared with the caller; null for his own.
    owner: Option<String>,
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
            owner: None,
            created_at: line.created_at,
            finished_at: line.finished_at,
            job_id: line.job_id,
        }
    }
}

/// The caller's questions, or with `shared=true` those of others that are shared with him, newest first, without their answers; by a key that is limited to some connections, those of these and of none.
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
    if query.shared.unwrap_or(false) {
        let (reader, usable) = ((caller.user_id, caller.is_admin()), caller.limited_to());
        let found = shares::questions(&app.pool, reader, &filter, usable.as_deref(), before, limit + 1).await?;
        let show = |shared: SharedLine| QuestionLineView { owner: Some(shared.owner), ..shared.line.into() };
        return Ok(axum::Json(Page::of(found, limit, |shared| shared.line.id, show)));
    }
    let found = questions::list(&app.pool, caller.user_id, &filter, caller.limited_to().as_deref(), before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |line| line.id, QuestionLineView::from)))
}
