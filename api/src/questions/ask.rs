//! `POST /v1/questions`.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::{ConnectionId, FileId, JobId, QuestionId},
    jobs::{AnswerQuestion, CacheMode, PAYLOAD_VERSION},
    model::{connections::ConnectionState, questions::QueryType},
    store::{
        connections::Askable,
        files,
        ledger::{NewQuestion, Submitted},
    },
};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{
    QuestionView,
    get::owned,
    shown::{reply, show},
};
use crate::{
    access::Caller,
    admission::Entered,
    app::App,
    connections::REFUSED,
    error::{ApiError, Code, Result},
    extract::{Idempotency, Json, Wait},
    frame::Framed,
    idempotency, limits,
    live::wait::until_ended,
    webhooks,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(ask_question)
}

/// A question.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AskRequest {
    /// In your own words; this or `sql`, or both. At most `limits.question_bytes` bytes.
    #[schema(min_length = 1)]
    question: Option<String>,
    /// The database it is asked of; neither this nor a file: a general question.
    connection_id: Option<Uuid>,
    /// The uploaded file it is asked of. A question that `follows` one about a file is asked of that file where neither is given.
    file_id: Option<Uuid>,
    /// A reviewed statement, run through the same guard instead of drafting one; it needs a connection or a file. At most 65,536 bytes.
    #[schema(min_length = 1, max_length = 65536)]
    sql: Option<String>,
    /// An earlier question of yours that this one refers to.
    follows: Option<Uuid>,
    /// `use` (default) or `skip`.
    #[schema(value_type = Option<crate::openapi::words::CacheMode>)]
    cache: Option<CacheMode>,
    /// Seconds until it is given up, 1 to 86400.
    #[schema(minimum = 1, maximum = 86400)]
    deadline_seconds: Option<f64>,
    /// Called once at its end, with the envelope of its terminal event, signed with your callback secret; at most 2,048 characters.
    #[schema(format = "uri", max_length = 2048)]
    callback_url: Option<String>,
}

const LONGEST_SQL: usize = 64 * 1024;

/// Asks a question.
///
/// Answers 202 as soon as the question is committed; with `Prefer: wait=30` it holds the request until the answer is there (200).
#[utoipa::path(
    post, path = "/v1/questions", tag = "questions", request_body = AskRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same question, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request, at most 60 s")),
    responses((status = 200, description = "Answered while you waited", body = QuestionView), (status = 202, description = "Taken in; or not ended after the time you were ready to wait", body = QuestionView), (status = 404, description = "There is no such connection or file, or it is not yours", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn ask_question(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    wait: Wait,
    headers: HeaderMap,
    body: Json<AskRequest>,
) -> Result<Response> {
    let ask = body.value;
    let (question, entered) = match prepare(&app, &framed, &caller, ask, &body.idempotency).await {
        Ok(prepared) => prepared,
        // What a key has made is shown whatever may have changed since: a connection that is gone, a permission taken away. The
        // intake finds it by itself where nothing has changed.
        Err(refused) => match idempotency::find(&app, &caller, &body.idempotency).await? {
            Some(earlier) => return as_it_is(&app, &caller, QuestionId(earlier), wait, &headers).await,
            None => return Err(refused),
        },
    };
    let (id, file) = (question.id, question.file_id);
    let view = QuestionView::submitted(
        id.0,
        question.job_id.0,
        &question.question,
        question.connection_id.map(|id| id.0),
        question.file_id.map(|id| id.0),
        question.follows.map(|id| id.0),
        app.clock.now(),
    );
    let room = match app.limits.room(&app, &caller).await {
        Ok(room) => room,
        Err(refused) => {
            entered.free();
            // What is sent again must not wait for the very question that it has made.
            return match idempotency::find(&app, &caller, &body.idempotency).await? {
                Some(earlier) => as_it_is(&app, &caller, QuestionId(earlier), wait, &headers).await,
                None => Err(refused),
            };
        }
    };
    let submitted = app.intake.submit(question).await?;
    if matches!(submitted, Submitted::New { .. }) {
        // What is stored is found by the next counts.
        drop((entered, room));
    } else {
        entered.free();
        room.free();
    }
    let id = match submitted {
        Submitted::New { .. } => {
            app.live.progress(caller.user_id, &id.to_string(), "question.queued", json!({ "question_id": id, "job_id": view.job_id }));
            if wait.0.is_zero() {
                return reply(&view, true, &headers);
            }
            id
        }
        Submitted::Earlier(earlier) => earlier,
        Submitted::Refused(connection) => match idempotency::find(&app, &caller, &body.idempotency).await? {
            Some(earlier) => QuestionId(earlier),
            None if file.is_some() => return Err(ApiError::not_found("file")),
            None => return Err(refused(&caller, connection)),
        },
        Submitted::KeyReused => return Err(idempotency::reused()),
    };
    as_it_is(&app, &caller, id, wait, &headers).await
}

/// The question as it is after the time that the caller is ready to wait: 200 if it has ended, else 202.
async fn as_it_is(app: &App, caller: &Caller, id: QuestionId, wait: Wait, headers: &HeaderMap) -> Result<Response> {
    let mut question = owned(app, caller, id).await?;
    if question.status == "pending" && !wait.0.is_zero() {
        until_ended(app, id, wait).await?;
        question = owned(app, caller, id).await?;
    }
    let pending = question.status == "pending";
    show(app, caller, question, pending, headers).await
}

/// Checks all that can be checked before the commit, and takes room for it.
async fn prepare(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    ask: AskRequest,
    idempotency: &Idempotency,
) -> Result<(NewQuestion, Entered)> {
    check(app, &ask)?;
    let question = new_question(app, framed, caller, ask, idempotency.0.clone()).await?;
    let entered = app.admission.enter(caller.user_id, 1).await?;
    Ok((question, entered))
}

/// What can be said of a question by itself.
fn check(app: &App, ask: &AskRequest) -> Result<()> {
    if ask.file_id.is_some() && ask.connection_id.is_some() {
        return Err(ApiError::field("file_id", "a question is asked of a connection or of a file; send one of them"));
    }
    if let Some(url) = &ask.callback_url {
        webhooks::check_url("callback_url", url)?;
    }
    if ask.question.is_none() && ask.sql.is_none() {
        return Err(ApiError::field("question", "ask a question, or give a statement in `sql`"));
    }
    if let Some(question) = &ask.question {
        let longest = app.settings.limits.question_bytes;
        if question.trim().is_empty() {
            return Err(ApiError::field("question", "must not be empty"));
        }
        if question.len() > longest {
            return Err(ApiError::field(
                "question",
                format!("has {} bytes; at most {longest} are taken (limits.question_bytes)", question.len()),
            ));
        }
    }
    if let Some(sql) = &ask.sql {
        if sql.trim().is_empty() {
            return Err(ApiError::field("sql", "must not be empty"));
        }
        if sql.len() > LONGEST_SQL {
            return Err(ApiError::field("sql", format!("has {} bytes; at most {LONGEST_SQL} are taken", sql.len())));
        }
    }
    if ask.deadline_seconds.is_some_and(|seconds| !(1.0..=86_400.0).contains(&seconds)) {
        return Err(ApiError::field("deadline_seconds", "must be 1 to 86400"));
    }
    Ok(())
}

/// What a question is asked of: a connection, a file, or neither.
async fn target(app: &App, caller: &Caller, ask: &AskRequest) -> Result<(Option<ConnectionId>, Option<FileId>)> {
    let connection_id = ask.connection_id.map(ConnectionId);
    if connection_id.is_some_and(|id| !caller.may_use(id)) {
        return Err(ApiError::not_found("connection"));
    }
    let mut file_id = ask.file_id.map(FileId);
    if let Some(follows) = ask.follows {
        let followed = owned(app, caller, QuestionId(follows)).await.map_err(|error| match error.code {
            Code::NotFound => ApiError::field("follows", "there is no such question of yours"),
            _ => error,
        })?;
        if connection_id.is_none() && file_id.is_none() {
            file_id = followed.file_id.map(FileId);
        }
    }
    if ask.sql.is_some() && connection_id.is_none() && file_id.is_none() {
        return Err(ApiError::field("connection_id", "a statement needs the connection or the file that it runs on"));
    }
    // The intake's statement looks again; this answers before anything is counted.
    if let Some(file) = file_id
        && files::find(&app.pool, caller.user_id, file).await?.is_none()
    {
        return Err(ApiError::not_found("file"));
    }
    Ok((connection_id, file_id))
}

async fn new_question(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    ask: AskRequest,
    idempotency: Option<datagenie_common::store::idempotency::IdempotencyKey>,
) -> Result<NewQuestion> {
    let follows = ask.follows.map(QuestionId);
    let (connection_id, file_id) = target(app, caller, &ask).await?;
    if ask.callback_url.is_some() {
        // Made at its first use, so that there is one when the question ends.
        webhooks::callback_secret::of(app, caller.user_id).await?;
    }
    let id = QuestionId::new();
    let question = ask.question.unwrap_or_default();
    let payload = AnswerQuestion {
        v: PAYLOAD_VERSION,
        question_id: id,
        question: question.clone(),
        connection_id,
        file_id,
        sql: ask.sql,
        follows,
        cache: ask.cache.unwrap_or(CacheMode::Use),
        api_key_id: limits::key_of(caller),
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds of a deadline are few")]
    let default_deadline = app.settings.jobs.deadline_seconds as f64;
    Ok(NewQuestion {
        id,
        job_id: JobId::new(),
        user_id: caller.user_id,
        is_admin: caller.is_admin(),
        connection_id,
        file_id,
        question,
        query_type: match (connection_id, file_id) {
            (Some(_), _) => QueryType::Database,
            (None, Some(_)) => QueryType::Excel,
            (None, None) => QueryType::General,
        },
        follows,
        callback_url: ask.callback_url,
        deadline_seconds: ask.deadline_seconds.unwrap_or(default_deadline),
        // Who names a deadline is ready to wait for it.
        run_seconds: ask.deadline_seconds.is_none().then(|| app.settings.jobs.run_limit()),
        max_attempts: i16::try_from(app.settings.jobs.max_attempts).unwrap_or(i16::MAX),
        payload: json!(payload),
        traceparent: Some(framed.trace.render()),
        idempotency,
        origin: framed.origin.clone(),
    })
}

/// Why a connection can't be asked, as the intake found it.
fn refused(caller: &Caller, connection: Option<Askable>) -> ApiError {
    let unknown = || ApiError::not_found("connection");
    let Some(connection) = connection else { return unknown() };
    if connection.can_query.is_none() && !caller.is_admin() {
        return unknown();
    }
    if !connection.is_active {
        return ApiError::new(Code::ConnectionNotReady, "the connection is switched off");
    }
    if connection.state == ConnectionState::Refused {
        let why = connection.error.filter(|_| caller.is_admin());
        let told = why.map_or_else(|| REFUSED.to_owned(), |error| format!("the connection was refused: {}", error.message));
        return ApiError::new(Code::ConnectionNotReady, told);
    }
    ApiError::new(Code::PermissionDenied, "you may see this connection, but not query it")
}
