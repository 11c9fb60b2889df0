//! How many questions a second the api accepts: alone, and while a worker answers them.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::{
    fleet::{Fleet, With},
    load::{self, Until},
    percentiles::Percentiles,
    proc::{Costs, Meter},
};

/// Connections that ask at once.
pub const LINES: usize = 64;

/// What was accepted.
#[derive(Debug, Serialize)]
pub struct Intake {
    /// Questions answered 202, a second.
    pub accepted_per_second: f64,
    /// Of a POST.
    pub latency_ms: Percentiles,
    /// In all.
    pub accepted: u64,
    /// Answers 429 and 503.
    pub refused: u64,
    /// Questions answered by workers meanwhile, a second.
    pub completed_per_second: f64,
    /// For all of it.
    pub costs: Costs,
}

/// Asks for so many seconds after one to warm up.
pub async fn intake(fleet: &mut Fleet, with: With, seconds: u64) -> anyhow::Result<Intake> {
    fleet.begin(with).await?;
    let question = fleet.question()?;
    load::submit(&question, LINES, Until::After(Duration::from_secs(1))).await?;
    let (meter, began, before) = (Meter::start(fleet.trees())?, Instant::now(), fleet.ledger.results().await?);
    let submitted = load::submit(&question, LINES, Until::After(Duration::from_secs(seconds))).await?;
    let costs = meter.finish()?;
    let completed = fleet.ledger.results().await? - before;
    Ok(Intake {
        accepted_per_second: submitted.per_second(),
        latency_ms: submitted.latency_ms,
        accepted: submitted.accepted,
        refused: submitted.refused,
        completed_per_second: completed as f64 / began.elapsed().as_secs_f64(),
        costs,
    })
}
