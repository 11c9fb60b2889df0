//! So many questions from the first POST to the last stored answer.

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    fleet::{Fleet, With},
    load::{self, Until},
    model::Model,
    proc::{Costs, Meter},
};

const LINES: usize = 16;

/// What it took.
#[derive(Debug, Serialize)]
pub struct EndToEnd {
    /// Questions.
    pub jobs: u64,
    /// Of the model, in milliseconds.
    pub model_latency_ms: u64,
    /// Questions divided by the time from the first POST to the last answer.
    pub jobs_per_second: f64,
    /// How long the questions took to be accepted.
    pub submit_seconds: f64,
    /// For all of it.
    pub costs: Costs,
}

/// Asks and waits.
pub async fn end_to_end(fleet: &mut Fleet, model: &Model, jobs: u64, model_latency_ms: u64) -> anyhow::Result<EndToEnd> {
    fleet.begin(With::Workers).await?;
    model.set_latency(model_latency_ms);
    let before = u64::try_from(fleet.ledger.ended().await?.0)?;
    let (meter, began) = (Meter::start(fleet.trees())?, Instant::now());
    let submitted = load::submit(&fleet.question()?, LINES, Until::Count(jobs)).await?;
    let ended = fleet.wait_ended(before + jobs).await;
    let seconds = began.elapsed().as_secs_f64();
    model.set_latency(0);
    ended?;
    let costs = meter.finish()?;
    Ok(EndToEnd { jobs, model_latency_ms, jobs_per_second: jobs as f64 / seconds, submit_seconds: submitted.seconds, costs })
}
