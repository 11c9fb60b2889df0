//! `POST /v1/jobs/{id}/cancel`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::{
    ids::{JobId, UserId},
    store::{
        audit::{self, Entry},
        ledger::{
            cancel::{self, Cancelled},
            view,
        },
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{JobView, as_it_is, changeable};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Wait},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(cancel_job)
}

/// Asks a job to stop: at once if it has not begun, within a second if it runs. Admins may stop everybody's, by a key with the scope `admin`.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "jobs", params(("id" = uuid::Uuid, Path, description = "The job")),
    responses((status = 200, description = "Cancelled", body = JobView), (status = 202, description = "Being stopped", body = JobView), (status = 409, description = "It has already ended", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn cancel_job(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    changeable(&app, &caller, JobId(id)).await?;
    let owner = (!caller.is_admin()).then_some(caller.user_id);
    stop(&app, &framed, &caller, owner, JobId(id), "job", id).await?;
    as_it_is(&app, &caller, JobId(id), Wait::default(), &headers).await
}

/// Stops a job, and says whether it is over (200) or being stopped (202).
///
/// # Errors
/// 404 for an unknown one, 409 for one that is over.
pub async fn stop(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    owner: Option<UserId>,
    job: JobId,
    what: &str,
    subject: uuid::Uuid,
) -> Result<StatusCode> {
    let mut tx = app.pool.begin().await?;
    let cancelled = cancel::cancel(&mut tx, owner, job).await?;
    match &cancelled {
        Cancelled::Unknown => return Err(ApiError::not_found(what)),
        Cancelled::TooLate => {
            tx.rollback().await?;
            let state = view::find(&app.pool, owner, job).await?.map(|job| job.state).unwrap_or_default();
            return Err(ApiError::new(Code::AlreadyEnded, format!("the {what} has already ended: {state}")));
        }
        Cancelled::AtOnce(_) | Cancelled::Asked => {}
    }
    let action = format!("{what}.cancelled");
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: &action,
        resource_type: what,
        resource_id: Some(subject.to_string()),
        success: true,
        details: json!({ "job_id": job }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    match cancelled {
        Cancelled::AtOnce(ended) => {
            app.live.ended(&ended);
            Ok(StatusCode::OK)
        }
        _ => {
            app.live.cancel(job);
            Ok(StatusCode::ACCEPTED)
        }
    }
}
