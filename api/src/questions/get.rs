//! `GET /v1/questions/{id}`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::QuestionId,
    store::questions::{self, Question},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{QuestionView, reading::readable, shown::show};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Wait},
    live::wait::until_ended,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_question)
}

/// A question of the caller, of a connection that his key may use or of none.
///
/// # Errors
/// 404, and what the store says.
pub async fn owned(app: &App, caller: &Caller, id: QuestionId) -> Result<Question> {
    let found = questions::find(&app.pool, Some(caller.user_id), id).await?;
    found.filter(|question| caller.may_see(question.connection_id)).ok_or_else(|| ApiError::not_found("question"))
}

/// A question of the caller, or one that is shared with him, with its answer when that is there. Of a shared one the answer is shown as
/// far as his own permissions cover it.
#[utoipa::path(
    get, path = "/v1/questions/{id}", tag = "questions",
    params(("id" = uuid::Uuid, Path, description = "The question"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until it has ended, at most 60 s")),
    responses((status = 200, description = "The question, as it is", body = QuestionView), (status = 202, description = "Still under way after the time you were ready to wait", body = QuestionView), (status = 304, description = "As the caller has it"))
)]
async fn get_question(State(app): State<App>, caller: Caller, Id(id): Id, wait: Wait, headers: HeaderMap) -> Result<Response> {
    let id = QuestionId(id);
    let mut question = readable(&app, &caller, id).await?;
    if question.status == "pending" && !wait.0.is_zero() {
        until_ended(&app, id, wait).await?;
        question = readable(&app, &caller, id).await?;
    }
    // 202 is the answer to a wait that was not long enough; a plain look at a question is a look at a resource that is there.
    let waited_in_vain = question.status == "pending" && !wait.0.is_zero();
    show(&app, &caller, question, waited_in_vain, &headers).await
}
