//! How long an idle system takes over one question, and what it costs while it does nothing.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{Fleet, With},
    load::{Line, Question},
    percentiles::{self, Percentiles},
    proc::{Costs, Meter},
};

/// How often a question is looked at. The thread sleeps: the runtime's timers are too coarse, and nothing else is to be done.
const LOOK_AGAIN: Duration = Duration::from_micros(500);
const LONGEST: Duration = Duration::from_secs(60);
/// The first ones open connections and are not counted.
const WARM: u64 = 10;

/// One question at a time.
#[derive(Debug, Serialize)]
pub struct IdleLatency {
    /// From the first byte of a question to its answer standing in the database.
    pub question_ms: Percentiles,
    /// One INSERT in a commit of its own, on the same server: what any stored answer costs at least.
    pub single_commit_ms: Percentiles,
}

/// Measures an idle system.
pub async fn idle_latency(fleet: &mut Fleet, count: u64) -> anyhow::Result<IdleLatency> {
    fleet.begin(With::Workers).await?;
    let key = fleet.run.api_key.clone();
    let question_ms = latency(fleet, &key, count).await?;
    let single_commit_ms = percentiles::of(fleet.ledger.single_commits(usize::try_from(count)?).await?);
    Ok(IdleLatency { question_ms, single_commit_ms })
}

/// Asks one question after the other with this API key, each when the one before is answered.
pub async fn latency(fleet: &mut Fleet, key: &str, count: u64) -> anyhow::Result<Percentiles> {
    let question = Question::new(&fleet.run.url, key, &fleet.connection)?;
    let mut line = Line::open(&question).await?;
    let mut samples = Vec::new();
    for number in 0..count + WARM {
        let began = Instant::now();
        let id = line.accepted(number).await?;
        loop {
            let status = fleet.ledger.status(id).await?;
            if status != "pending" {
                ensure!(status == "success", "a question ended as {status}");
                break;
            }
            ensure!(began.elapsed() < LONGEST, "a question was not answered within {} s", LONGEST.as_secs());
            std::thread::sleep(LOOK_AGAIN);
        }
        if number >= WARM {
            samples.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(percentiles::of(samples))
}

/// Looks at the programs for so many seconds while nothing is asked.
pub async fn idle_cost(fleet: &mut Fleet, seconds: u64) -> anyhow::Result<Costs> {
    fleet.begin(With::Workers).await?;
    let meter = Meter::start(fleet.trees())?;
    sleep(Duration::from_secs(seconds)).await;
    meter.finish()
}
