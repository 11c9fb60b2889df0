//! Queues, for admins: the lanes that jobs ring in and the kinds of jobs, how much waits in each, and whether it is paused.

pub mod get;
pub mod list;
pub mod pause;
pub mod resume;

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    jobs::JobKind,
    model::jobs::Lane,
    store::{
        audit::{self, Entry},
        ledger::{
            pauses::{self, Pause, Queue},
            queues::{self, LaneDepth},
        },
        workers::{self, LaneShare},
    },
};
use futures::future::join_all;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    frame::Framed,
};

/// How long the broker may take to count its messages.
const PATIENCE: Duration = Duration::from_secs(1);

/// Since when and why nothing of it is begun.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PauseView {
    /// Since when.
    since: DateTime<Utc>,
    /// The user who paused it.
    by: Option<Uuid>,
    /// Why, in his words.
    reason: Option<String>,
}

impl From<&Pause> for PauseView {
    fn from(pause: &Pause) -> Self {
        Self { since: pause.paused_at, by: pause.paused_by, reason: pause.reason.clone() }
    }
}

/// A lane: how much waits and runs, and who serves it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LaneView {
    /// `interactive`, `bulk`, `maintenance` or `webhook`.
    #[schema(value_type = crate::openapi::words::Lane)]
    name: String,
    /// Jobs that are due and not rung yet.
    waiting: i64,
    /// Jobs whose time has not come.
    delayed: i64,
    /// Jobs that are rung and not claimed yet.
    queued: i64,
    /// Jobs that a worker holds.
    running: i64,
    /// How long the oldest of those that are due has waited; null: none waits.
    oldest_waiting_seconds: Option<f64>,
    /// Messages in the broker that nobody has heard; null: it does not answer.
    in_broker: Option<u64>,
    /// Jobs that the workers do at once.
    slots: u32,
    /// How many of them one user may hold.
    share: u32,
    /// Workers that serve it.
    workers: u32,
    /// Null: it is not paused.
    paused: Option<PauseView>,
}

/// A kind of jobs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KindView {
    /// `answer_question` …
    name: String,
    /// Null: it is not paused.
    paused: Option<PauseView>,
}

/// A lane, or a kind of jobs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum QueueState {
    /// A lane.
    Lane(Box<LaneView>),
    /// A kind of jobs.
    Kind(KindView),
}

/// The name of a lane or a kind in a path. Another one is 404, with the names that there are.
#[derive(Clone, Copy, Debug)]
pub struct Named(pub Queue);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        name.and_then(|Path(name)| Queue::named(&name)).map(Self).ok_or_else(unknown)
    }
}

fn unknown() -> ApiError {
    let words = |words: Vec<&str>| words.join(", ");
    let lanes = words(Lane::ALL.iter().map(|lane| lane.as_str()).collect());
    let kinds = words(JobKind::ALL.iter().map(|kind| kind.as_str()).collect());
    ApiError::new(Code::NotFound, format!("there is no such queue: the lanes are {lanes}; the kinds of jobs are {kinds}"))
}

/// These lanes as they are.
async fn lanes(app: &App, lanes: &[Lane], paused: &[Pause]) -> Result<Vec<LaneView>> {
    let unheard = join_all(lanes.iter().map(|&lane| timeout(PATIENCE, app.broker.depth(lane))));
    let (depths, shares, unheard) = tokio::join!(queues::depths(&app.pool, lanes), workers::shares(&app.pool), unheard);
    let (depths, shares) = (depths?, shares?);
    let shown = depths.into_iter().zip(unheard).map(|(depth, unheard)| {
        let share = shares.iter().find(|share| share.lane == depth.lane).copied();
        let in_broker = unheard.ok().and_then(std::result::Result::ok);
        lane(depth, share, in_broker, find(paused, depth.lane.as_str()))
    });
    Ok(shown.collect())
}

fn lane(depth: LaneDepth, share: Option<LaneShare>, in_broker: Option<u64>, paused: Option<PauseView>) -> LaneView {
    LaneView {
        name: depth.lane.as_str().to_owned(),
        waiting: depth.waiting,
        delayed: depth.delayed,
        queued: depth.queued,
        running: depth.running,
        oldest_waiting_seconds: depth.oldest_seconds,
        in_broker,
        slots: share.map_or(0, |share| share.slots),
        share: share.map_or(0, |share| share.share),
        workers: share.map_or(0, |share| share.workers),
        paused,
    }
}

fn kind(kind: JobKind, paused: &[Pause]) -> KindView {
    KindView { name: kind.as_str().to_owned(), paused: find(paused, kind.as_str()) }
}

fn find(paused: &[Pause], name: &str) -> Option<PauseView> {
    paused.iter().find(|pause| pause.name == name).map(PauseView::from)
}

/// A queue as it is.
///
/// # Errors
/// What the store says.
async fn as_it_is(app: &App, queue: Queue) -> Result<QueueState> {
    let paused = pauses::all(&app.pool).await?;
    match queue {
        Queue::Kind(of) => Ok(QueueState::Kind(kind(of, &paused))),
        Queue::Lane(lane) => {
            let view = lanes(app, &[lane], &paused).await?.pop().ok_or_else(unknown)?;
            Ok(QueueState::Lane(Box::new(view)))
        }
    }
}

/// A key that is limited to some connections must not stop the work of others.
fn refuse_limited(caller: &Caller) -> Result<()> {
    if caller.is_limited() {
        return Err(ApiError::new(Code::PermissionDenied, "a key that is limited to connections may not pause or resume queues"));
    }
    Ok(())
}

async fn record(conn: &mut PgConnection, framed: &Framed, caller: &Caller, action: &str, queue: Queue, details: Value) -> Result<()> {
    let entry = Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type: "queue",
        resource_id: Some(queue.name().to_owned()),
        success: true,
        details,
    };
    Ok(audit::insert(conn, &framed.origin, entry).await?)
}
