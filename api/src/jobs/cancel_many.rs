//! `POST /v1/jobs/cancel`.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ConnectionId, JobId, UserId},
    jobs::JobKind,
    model::jobs::Lane,
    store::{
        StoreError,
        audit::{self, Entry},
        ledger::cancel::{self, CancelFilter, Step, Unfinished, Walk},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Json, moment},
    frame::Framed,
};

/// Jobs that one transaction stops: it holds their rows.
const STEP: i64 = 200;
/// The same where each has a savepoint: more than 64 would slow down everybody's reads.
const CAREFUL_STEP: i64 = 50;
/// How long one call goes on.
const LIMIT: Duration = Duration::from_secs(20);

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(cancel_jobs)
}

/// Which jobs; what is not given does not matter, but something must be.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct CancelRequest {
    /// Of this kind.
    #[schema(value_type = Option<crate::openapi::words::JobKind>)]
    kind: Option<JobKind>,
    /// In this lane.
    #[schema(value_type = Option<crate::openapi::words::Lane>)]
    lane: Option<Lane>,
    /// `waiting`: only those that have not begun; `running`: only those that have.
    #[schema(value_type = Option<crate::openapi::words::Unfinished>)]
    state: Option<Unfinished>,
    /// On this connection.
    connection_id: Option<Uuid>,
    /// Made before this time.
    #[serde(default, deserialize_with = "moment")]
    created_before: Option<DateTime<Utc>>,
    /// Of this user; another one than the caller only for admins (a key needs the scope `admin`).
    user_id: Option<Uuid>,
    /// Of everybody, only for admins (a key needs the scope `admin`); otherwise the caller's own.
    #[serde(default)]
    all_users: bool,
    /// Says that all are meant where nothing else is given.
    #[serde(default)]
    all: bool,
}

/// What was stopped.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
struct CancelledView {
    /// Jobs that had not begun: they are cancelled.
    cancelled: usize,
    /// Running jobs that were asked to stop, which takes them less than a second.
    asked: usize,
    /// Whether some are left: send it again.
    more: bool,
}

impl CancelRequest {
    fn filter(&self, caller: &Caller) -> Result<CancelFilter> {
        let others = self.user_id.is_some_and(|user| user != caller.user_id.0);
        if (self.all_users || others) && !caller.administers() {
            let detail = "only admins may cancel the jobs of others, by an API key only with the scope `admin`";
            return Err(ApiError::new(Code::PermissionDenied, detail));
        }
        if self.all_users && self.user_id.is_some() {
            return Err(ApiError::field("all_users", "is everybody, and user_id is one; send one of them"));
        }
        let given = self.kind.is_some()
            || self.lane.is_some()
            || self.state.is_some()
            || self.connection_id.is_some()
            || self.created_before.is_some()
            || self.user_id.is_some();
        if !given && !self.all {
            let message = "say {\"all\": true} to mean all, or name a kind, lane, state, connection_id, created_before or user_id";
            return Err(ApiError::field("all", message));
        }
        Ok(CancelFilter {
            user_id: if self.all_users { None } else { Some(self.user_id.map_or(caller.user_id, UserId)) },
            kind: self.kind,
            lane: self.lane,
            state: self.state,
            connection_id: self.connection_id.map(ConnectionId),
            created_before: self.created_before,
            usable: caller.limited_to(),
        })
    }
}

/// Stops all jobs that fit: at once those that have not begun, within a second those that run. The caller's own, unless an admin says
/// otherwise; by a key that is limited to some connections, those on these and on none. One call takes at most 20 seconds: send it again
/// while `more` is true.
#[utoipa::path(
    post, path = "/v1/jobs/cancel", tag = "jobs", request_body = CancelRequest,
    responses((status = 200, description = "How many were stopped", body = CancelledView))
)]
async fn cancel_jobs(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<CancelRequest>,
) -> Result<axum::Json<CancelledView>> {
    let request = body.value;
    let filter = request.filter(&caller)?;
    let until = Instant::now() + LIMIT;
    let (mut walk, mut done) = (Walk::default(), CancelledView::default());
    while !walk.is_over(&filter) && Instant::now() < until {
        let step = match step(&app, &framed, &caller, &request, &filter, walk, false).await {
            // One of them can't be ended, and took the others with it.
            Err(error) if !error.is_outage() => step(&app, &framed, &caller, &request, &filter, walk, true).await?,
            other => other?,
        };
        walk = step.walk;
        done.cancelled += step.ended.len();
        done.asked += step.asked.len();
        app.live.ended_many(&step.ended);
        step.asked.iter().for_each(|job| app.live.cancel(*job));
    }
    // Where nothing could be done, the same call would do nothing again.
    let stopped = done.cancelled + done.asked > 0;
    done.more = !walk.is_over(&filter) || (stopped && cancel::is_left(&app.pool, &filter).await?);
    Ok(axum::Json(done))
}

async fn step(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    request: &CancelRequest,
    filter: &CancelFilter,
    walk: Walk,
    carefully: bool,
) -> std::result::Result<Step, StoreError> {
    let mut tx = app.pool.begin().await?;
    let limit = if carefully { CAREFUL_STEP } else { STEP };
    let step = cancel::step(&mut tx, filter, walk, limit, carefully).await?;
    if !step.ended.is_empty() || !step.asked.is_empty() {
        let cancelled: Vec<JobId> = step.ended.iter().map(|ended| ended.job_id).collect();
        let entry = Entry {
            user_id: Some(caller.user_id),
            action: "jobs.cancelled",
            resource_type: "job",
            resource_id: None,
            success: true,
            details: json!({ "filter": request, "cancelled": cancelled, "asked": step.asked, "owners": step.owners }),
        };
        audit::insert(&mut tx, &framed.origin, entry).await?;
    }
    tx.commit().await?;
    Ok(step)
}
