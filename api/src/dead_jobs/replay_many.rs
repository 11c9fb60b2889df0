//! `POST /v1/dead-jobs/replay`.

use std::collections::BTreeMap;

use axum::extract::State;
use datagenie_common::{
    ids::{JobId, UserId},
    store::{
        self,
        ledger::{
            NewJob,
            dead::{self, DeadJob, Replayed},
        },
    },
};
use serde::Serialize;
use tokio::time::Instant;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{DeadJobsRequest, LIMIT, Walk, record};
use crate::{access::Caller, admission::Entered, app::App, error::Result, extract::Json, frame::Framed};

/// Jobs that one transaction takes at most: it holds their rows.
const STEP: usize = 100;
/// The same where each has a savepoint: more than 64 would slow down everybody's reads.
const CAREFUL_STEP: usize = 50;
/// New jobs that are named in the answer.
const NAMED: usize = 100;

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(replay_dead_jobs)
}

/// What was replayed.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
struct ReplayedView {
    /// How many.
    replayed: usize,
    /// Whether some are left: send it again.
    more: bool,
    /// The first 100 of the new jobs.
    jobs: Vec<Uuid>,
}

impl ReplayedView {
    fn add(&mut self, jobs: &[NewJob]) {
        self.replayed += jobs.len();
        let room = NAMED.saturating_sub(self.jobs.len());
        self.jobs.extend(jobs.iter().take(room).map(|job| job.id.0));
    }
}

/// Makes a new job of each dead one that fits, the oldest first; questions then show the new ones. A question that has a newer job already
/// is passed over. Stops where more would wait than may.
#[utoipa::path(
    post, path = "/v1/dead-jobs/replay", tag = "operation", request_body = DeadJobsRequest,
    responses((status = 200, description = "How many were replayed", body = ReplayedView), (status = 429, description = "None was: too many jobs of the first one's owner wait", body = crate::error::Problem, content_type = "application/problem+json"), (status = 503, description = "None was: too many jobs wait in all", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn replay_dead_jobs(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<DeadJobsRequest>,
) -> Result<axum::Json<ReplayedView>> {
    let request = body.value;
    let (filter, limit) = (request.filter(&caller)?, request.limit()?);
    let until = Instant::now() + LIMIT;
    let (mut walk, mut done) = (Walk::begin(&app.pool).await?, ReplayedView::default());
    while !walk.is_over && done.replayed < limit && Instant::now() < until {
        let mut found = walk.next(&app.pool, &filter, true, STEP.min(limit - done.replayed)).await?;
        let (fitting, entered) = match room(&app, &found, until).await {
            Ok(room) => room,
            // The caller is told when to try again.
            Err(refused) if done.replayed == 0 => return Err(refused),
            Err(_) => {
                walk.is_over = false;
                break;
            }
        };
        if fitting < found.len() {
            found.truncate(fitting);
            walk.back_to(found.last().map_or(walk.after, |job| job.id));
        }
        let ids: Vec<JobId> = found.iter().map(|job| job.id).collect();
        let step = match step(&app, &framed, &caller, &request, &ids, false).await {
            // One of them can't be replayed, and took the others with it.
            Err(error) if !error.is_outage() => carefully(&app, &framed, &caller, &request, &ids).await?,
            other => other?,
        };
        drop(entered);
        done.add(&step.jobs);
        walk.passed.extend(step.passed);
        step.jobs.iter().for_each(|job| app.let_in(job));
    }
    done.more = walk.is_left(&app.pool).await?;
    Ok(axum::Json(done))
}

/// For how many of these, from the first on, there is room: for all, or for half of them as often as it takes. Refused: for none.
async fn room(app: &App, found: &[DeadJob], until: Instant) -> Result<(usize, Vec<Entered>)> {
    let mut fitting = found.len();
    loop {
        match enter(app, &found[..fitting]).await {
            Ok(entered) => return Ok((fitting, entered)),
            Err(refused) if fitting <= 1 || Instant::now() >= until => return Err(refused),
            Err(_) => fitting /= 2,
        }
    }
}

async fn enter(app: &App, found: &[DeadJob]) -> Result<Vec<Entered>> {
    let mut owners: BTreeMap<UserId, u64> = BTreeMap::new();
    for job in found {
        *owners.entry(job.user_id).or_default() += 1;
    }
    let mut entered = Vec::with_capacity(owners.len());
    for (user, jobs) in owners {
        match app.admission.enter(user, jobs).await {
            Ok(room) => entered.push(room),
            Err(refused) => {
                entered.into_iter().for_each(Entered::free);
                return Err(refused);
            }
        }
    }
    Ok(entered)
}

/// What a step did.
#[derive(Default)]
struct Step {
    jobs: Vec<NewJob>,
    // Those that somebody else had locked.
    passed: Vec<JobId>,
}

/// Replays these in one transaction. `carefully`: each within a savepoint, so that one that can't be replayed keeps no other.
async fn step(
    app: &App,
    framed: &Framed,
    caller: &Caller,
    request: &DeadJobsRequest,
    ids: &[JobId],
    carefully: bool,
) -> store::Result<Step> {
    let mut tx = app.pool.begin().await?;
    let locked = dead::lock(&mut tx, ids).await?;
    let mut step = Step { passed: ids.iter().copied().filter(|id| !locked.contains(id)).collect(), ..Step::default() };
    for &id in &locked {
        let replayed = if carefully { dead::replay_apart(&mut tx, id).await? } else { Some(dead::replay(&mut tx, None, id).await?) };
        if let Some(Replayed::New(job)) = replayed {
            step.jobs.push(*job);
        }
    }
    if !step.jobs.is_empty() {
        let replayed: Vec<JobId> = step.jobs.iter().filter_map(|job| job.replay_of).collect();
        record(&mut tx, framed, caller, "dead_jobs.replayed", request, &replayed).await?;
    }
    tx.commit().await?;
    Ok(step)
}

/// Replays these, but for those that can't be.
async fn carefully(app: &App, framed: &Framed, caller: &Caller, request: &DeadJobsRequest, ids: &[JobId]) -> store::Result<Step> {
    let mut done = Step::default();
    for ids in ids.chunks(CAREFUL_STEP) {
        let step = step(app, framed, caller, request, ids, true).await?;
        done.jobs.extend(step.jobs);
        done.passed.extend(step.passed);
    }
    Ok(done)
}
