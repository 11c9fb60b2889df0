//! What a long backlog of one user does to throughput, to memory, and to another user's question.

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    fleet::{Fleet, With},
    idle,
    intake::LINES,
    load::{self, Until},
    percentiles::Percentiles,
    proc::{Costs, Meter},
};

/// Answered before throughput is measured.
const WARM: u64 = 500;
/// Still waiting when the measurement without a backlog ends, so that its end is no slower.
const REST: u64 = 1_000;

/// With and without.
#[derive(Debug, Serialize)]
pub struct Backlog {
    /// Jobs of one user that waited when the workers started.
    pub waiting: u64,
    /// Questions accepted a second while it was made.
    pub filled_per_second: f64,
    /// Of a POST meanwhile.
    pub fill_latency_ms: Percentiles,
    /// Answered a second where few wait.
    pub jobs_per_second_without: f64,
    /// Answered a second with the backlog.
    pub jobs_per_second_with: f64,
    /// Another user's question on an idle system.
    pub other_user_idle_ms: Percentiles,
    /// Another user's question beside the backlog.
    pub other_user_ms: Percentiles,
    /// Jobs that still waited after that; zero: the backlog was too short for the measurement.
    pub left: u64,
    /// Of the measurement without.
    pub costs_without: Costs,
    /// Of the measurement with.
    pub costs_with: Costs,
}

/// Measures over `window` answers, and over `questions` of another user.
pub async fn backlog(fleet: &mut Fleet, waiting: u64, window: u64, questions: u64) -> anyhow::Result<Backlog> {
    let key = fleet.neighbour.clone();
    fleet.begin(With::Workers).await?;
    let other_user_idle_ms = idle::latency(fleet, &key, questions).await?;

    fleet.begin(With::Api).await?;
    load::submit(&fleet.question()?, LINES, Until::Count(WARM + window + REST)).await?;
    let (jobs_per_second_without, costs_without) = throughput(fleet, window).await?;

    fleet.begin(With::Api).await?;
    let filled = load::submit(&fleet.question()?, LINES, Until::Count(waiting)).await?;
    let (jobs_per_second_with, costs_with) = throughput(fleet, window).await?;
    let other_user_ms = idle::latency(fleet, &key, questions).await?;
    let left = u64::try_from(fleet.ledger.open_jobs().await?)?;
    Ok(Backlog {
        waiting,
        filled_per_second: filled.per_second(),
        fill_latency_ms: filled.latency_ms,
        jobs_per_second_without,
        jobs_per_second_with,
        other_user_idle_ms,
        other_user_ms,
        left,
        costs_without,
        costs_with,
    })
}

async fn throughput(fleet: &mut Fleet, window: u64) -> anyhow::Result<(f64, Costs)> {
    fleet.start_workers()?;
    let from = fleet.wait_results(WARM).await?;
    let (meter, began) = (Meter::start(fleet.trees())?, Instant::now());
    let to = fleet.wait_results(from + window).await?;
    let rate = (to - from) as f64 / began.elapsed().as_secs_f64();
    Ok((rate, meter.finish()?))
}
