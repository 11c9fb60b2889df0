//! `POST /v1/questions/{id}/rerun`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::QuestionId,
    store::{
        audit::{self, Entry},
        ledger::rerun::{self, Rerun, Terms},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{QuestionView, get::owned, shown::show};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Id,
    frame::Framed,
    limits,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(rerun_question)
}

/// Asks a question once more whose result is gone (410): it is pending again, and a new job answers it under the permissions of now.
#[utoipa::path(
    post, path = "/v1/questions/{id}/rerun", tag = "questions", params(("id" = uuid::Uuid, Path, description = "The question")),
    responses((status = 202, description = "Taken in", body = QuestionView), (status = 409, description = "It was not answered, or its answer is still there", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn rerun_question(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let id = QuestionId(id);
    owned(&app, &caller, id).await?;
    let entered = app.admission.enter(caller.user_id, 1).await?;
    let room = match app.limits.room(&app, &caller).await {
        Ok(room) => room,
        Err(refused) => {
            entered.free();
            return Err(refused);
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds of a deadline are few")]
    let deadline_seconds = app.settings.jobs.deadline_seconds as f64;
    let max_attempts = i16::try_from(app.settings.jobs.max_attempts).unwrap_or(i16::MAX);
    let terms = Terms { deadline_seconds, run_seconds: app.settings.jobs.run_limit(), max_attempts };
    let mut tx = app.pool.begin().await?;
    let outcome = rerun::rerun(&mut tx, caller.user_id, limits::key_of(&caller), id, &terms).await?;
    let made = match outcome {
        Rerun::New(job) => Ok(job),
        Rerun::Kept => {
            Err(ApiError::new(Code::AlreadyEnded, "the question has no answer that is gone: ask it anew to have it answered again"))
        }
        Rerun::Unknown => Err(ApiError::not_found("question")),
    };
    let job = match made {
        Ok(job) => job,
        Err(refused) => {
            // Nothing was stored: somebody else may have the room at once.
            entered.free();
            room.free();
            return Err(refused);
        }
    };
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "question.rerun",
        resource_type: "question",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "job_id": job.id }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    drop(entered);
    app.let_in(&job);
    show(&app, &caller, owned(&app, &caller, id).await?, true, &headers).await
}
