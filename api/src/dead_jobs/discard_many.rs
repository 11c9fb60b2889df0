//! `POST /v1/dead-jobs/discard`.

use axum::extract::State;
use datagenie_common::{
    ids::JobId,
    store::{self, ledger::dead},
};
use serde::Serialize;
use tokio::time::Instant;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{DeadJobsRequest, LIMIT, Walk, record};
use crate::{access::Caller, app::App, error::Result, extract::Json, frame::Framed};

/// Jobs that one transaction takes at most: it holds their rows.
const STEP: usize = 500;

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(discard_dead_jobs)
}

/// What was discarded.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
struct DiscardedView {
    /// How many.
    discarded: usize,
    /// Whether some are left: send it again.
    more: bool,
}

/// Takes all that fit off the dead jobs, the oldest first: they stay failed, and can't be replayed any more.
#[utoipa::path(
    post, path = "/v1/dead-jobs/discard", tag = "operation", request_body = DeadJobsRequest,
    responses((status = 200, description = "How many were discarded", body = DiscardedView))
)]
async fn discard_dead_jobs(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<DeadJobsRequest>,
) -> Result<axum::Json<DiscardedView>> {
    let request = body.value;
    let (filter, limit) = (request.filter(&caller)?, request.limit()?);
    let until = Instant::now() + LIMIT;
    let (mut walk, mut done) = (Walk::begin(&app.pool).await?, DiscardedView::default());
    while !walk.is_over && done.discarded < limit && Instant::now() < until {
        let found = walk.next(&app.pool, &filter, false, STEP.min(limit - done.discarded)).await?;
        let ids: Vec<JobId> = found.iter().map(|job| job.id).collect();
        let discarded = step(&app, &framed, &caller, &request, &ids).await?;
        done.discarded += discarded.len();
        walk.passed.extend(ids.iter().filter(|id| !discarded.contains(id)));
    }
    done.more = walk.is_left(&app.pool).await?;
    Ok(axum::Json(done))
}

/// Discards these, but for those that somebody else has locked: the ones discarded.
async fn step(app: &App, framed: &Framed, caller: &Caller, request: &DeadJobsRequest, ids: &[JobId]) -> store::Result<Vec<JobId>> {
    let mut tx = app.pool.begin().await?;
    let locked = dead::lock(&mut tx, ids).await?;
    if !locked.is_empty() {
        dead::discard(&mut tx, &locked).await?;
        record(&mut tx, framed, caller, "dead_jobs.discarded", request, &locked).await?;
    }
    tx.commit().await?;
    Ok(locked)
}
