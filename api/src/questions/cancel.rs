//! `POST /v1/questions/{id}/cancel`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::ids::{JobId, QuestionId};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{QuestionView, get::owned, shown::show};
use crate::{access::Caller, app::App, error::Result, extract::Id, frame::Framed, jobs::cancel::stop};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(cancel_question)
}

/// Asks a question to stop: at once if it has not begun, within a second if it runs.
#[utoipa::path(
    post, path = "/v1/questions/{id}/cancel", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question")),
    responses((status = 200, description = "Cancelled", body = QuestionView), (status = 202, description = "Being stopped", body = QuestionView), (status = 409, description = "It has already ended", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn cancel_question(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let job = JobId(owned(&app, &caller, QuestionId(id)).await?.job_id);
    let status = stop(&app, &framed, &caller, Some(caller.user_id), job, "question", id).await?;
    show(&app, &caller, owned(&app, &caller, QuestionId(id)).await?, status == StatusCode::ACCEPTED, &headers).await
}
