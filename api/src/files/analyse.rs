//! `POST /v1/files/{id}/analysis`: a job.

use axum::{extract::State, http::HeaderMap, response::Response};
use datagenie_common::{
    ids::{FileId, JobId, QuestionId, WorkbookId},
    jobs::{AnalyseFile, JobKind, PAYLOAD_VERSION},
    model::language::Language,
    store::{
        audit::{self, Entry},
        files::{self, File, NewAnalysis, NewContent},
        ledger::{NewJob, intake},
    },
};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{delete::remove_content, draft::Draft, owned};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, MaybeJson, Wait},
    frame::Framed,
    idempotency,
    jobs::{JobView, as_it_is, just_made},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(analyse_file)
}

/// How it is to be analysed. The body may be left out.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AnalyseRequest {
    /// `ko` or `en`: the language of the sentences; the workbook's own if it is not given.
    #[schema(value_type = Option<crate::openapi::words::Language>)]
    language: Option<Language>,
    /// Whether hidden sheets are read too; as it was uploaded if it is not given. Questions over the file see the same sheets.
    include_hidden: Option<bool>,
}

/// Analyses a file. A content that was analysed before is not read again.
///
/// The job's end is the analysis: `GET` the same path.
#[utoipa::path(
    post, path = "/v1/files/{id}/analysis", tag = "files", request_body(content = Option<AnalyseRequest>),
    params(("id" = uuid::Uuid, Path, description = "The file"), ("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same job, as it now is"), ("Prefer" = Option<String>, Header, description = "`wait=30`: hold the request until the job has ended, at most 60 s")),
    responses((status = 200, description = "The job, ended while you waited", body = JobView), (status = 202, description = "The job", body = JobView))
)]
async fn analyse_file(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    wait: Wait,
    headers: HeaderMap,
    body: MaybeJson<AnalyseRequest>,
) -> Result<Response> {
    let MaybeJson { value: ask, idempotency: key } = body;
    if let Some(earlier) = idempotency::find(&app, &caller, &key).await? {
        return as_it_is(&app, &caller, JobId(earlier), wait, &headers).await;
    }
    let mut file = owned(&app, &caller, FileId(id)).await?;
    let entered = app.admission.enter(caller.user_id, 1).await?;
    let mut draft = match ask.include_hidden {
        Some(hidden) if hidden != file.include_hidden => {
            file.include_hidden = hidden;
            Some(Draft::copy_of(&app, WorkbookId(file.workbook_id)).await?)
        }
        _ => None,
    };
    let question = QuestionId::new();
    let job = new_job(&app, &framed, &caller, question, FileId(id), ask.language);
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, job.id.0).await? {
        tx.rollback().await?;
        return as_it_is(&app, &caller, JobId(earlier), wait, &headers).await;
    }
    let (is_used, emptied) = settle(&mut tx, &caller, &file, draft.as_ref()).await?;
    let file_info =
        json!({ "name": file.name, "kind": file.kind, "size": file.size, "sha256": file.sha256, "include_hidden": file.include_hidden });
    files::ask(&mut tx, &NewAnalysis { id: question, job_id: job.id, user_id: caller.user_id, file_id: FileId(id), file_info }).await?;
    intake::insert(&mut tx, &job).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "file.analysed",
        resource_type: "file",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "job_id": job.id, "include_hidden": file.include_hidden }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    if let Some(draft) = &mut draft {
        draft.keep();
    }
    tx.commit().await?;
    drop(entered);
    if let Some(draft) = &mut draft
        && !is_used
    {
        draft.is_superfluous();
    }
    if let Some(workbook) = emptied {
        remove_content(&app, workbook).await;
    }
    app.let_in(&job);
    app.live.progress(
        caller.user_id,
        &question.to_string(),
        "analysis.queued",
        json!({ "question_id": question, "job_id": job.id, "file_id": id }),
    );
    just_made(&app, &caller, job.id, wait, &headers).await
}

/// Makes the file one of the content that is to be analysed: whether that is the draft, and which other one is left without a file.
async fn settle(conn: &mut PgConnection, caller: &Caller, file: &File, draft: Option<&Draft>) -> Result<(bool, Option<WorkbookId>)> {
    let unknown = || ApiError::not_found("file");
    let Some(draft) = draft else {
        files::lock(conn, caller.user_id, FileId(file.id)).await?.ok_or_else(unknown)?;
        return Ok((false, None));
    };
    let path = draft.path().to_string();
    let content = NewContent {
        workbook_id: draft.workbook,
        kind: &file.kind,
        size: file.size,
        sha256: &file.sha256,
        include_hidden: file.include_hidden,
        path: &path,
    };
    let (workbook, emptied) = files::move_to(conn, caller.user_id, FileId(file.id), &content).await?.ok_or_else(unknown)?;
    Ok((workbook == draft.workbook, emptied))
}

fn new_job(app: &App, framed: &Framed, caller: &Caller, question: QuestionId, file: FileId, language: Option<Language>) -> NewJob {
    let payload = AnalyseFile { v: PAYLOAD_VERSION, question_id: question, file_id: file, language };
    #[expect(clippy::cast_precision_loss, reason = "seconds of a deadline are few")]
    let deadline_seconds = app.settings.jobs.deadline_seconds as f64;
    NewJob {
        id: JobId::new(),
        kind: JobKind::AnalyseFile,
        user_id: caller.user_id,
        connection_id: None,
        batch_id: None,
        subject_id: Some(question.0),
        replay_of: None,
        deadline_seconds,
        run_seconds: Some(app.settings.jobs.run_limit()),
        max_attempts: i16::try_from(app.settings.jobs.max_attempts).unwrap_or(i16::MAX),
        payload: json!(payload),
        traceparent: Some(framed.trace.render()),
    }
}
