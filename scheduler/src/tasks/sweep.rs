//! The sweep over the ledger: rescue, expire, ring again.

use datagenie_common::{
    broker::ring_or_leave,
    model::jobs::Lane,
    store::{Result, ledger::sweep},
};

use crate::start::Scheduler;

/// Rows that one step takes at most, so that none holds locks for long.
const STEP: i64 = 500;
/// Messages that may lie unheard in a lane: more of them would only hide how long the queue is.
const WINDOW: u64 = 5_000;

/// One sweep. Its parts do not depend on each other: one that fails does not keep the others from running.
///
/// # Errors
/// If the database fails; the next sweep does what is left.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    let rescued = rescue(scheduler).await;
    let expired = expire(scheduler).await;
    let mut rung = Ok(());
    for &lane in Lane::ALL {
        match ring_lane(scheduler, lane).await {
            Ok(true) => {}
            // A broker that does not answer for one lane does not for the others, and each asking takes its time.
            Ok(false) => break,
            Err(error) => rung = Err(error),
        }
    }
    rescued.and(expired).and(rung)
}

async fn rescue(scheduler: &Scheduler) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "seconds of a lease are few")]
    let lease = scheduler.settings.jobs.lease_seconds as f64;
    let rescued = sweep::rescue(&scheduler.pool, lease, STEP).await?;
    if !rescued.rings.is_empty() || rescued.delayed > 0 || !rescued.ended.is_empty() {
        tracing::warn!(
            at_once = rescued.rings.len(),
            delayed = rescued.delayed,
            ended = rescued.ended.len(),
            "rescued jobs of dead workers"
        );
    }
    for ended in &rescued.ended {
        scheduler.live.ended(ended);
    }
    ring_or_leave(scheduler.broker.as_ref(), &rescued.rings).await;
    Ok(())
}

async fn expire(scheduler: &Scheduler) -> Result<()> {
    for ended in sweep::expire(&scheduler.pool, STEP).await? {
        scheduler.live.ended(&ended);
    }
    Ok(())
}

/// Rings what was not heard in a lane; false: the broker does not answer, and would not take rings either.
async fn ring_lane(scheduler: &Scheduler, lane: Lane) -> Result<bool> {
    let Ok(unheard) = scheduler.broker.depth(lane).await else { return Ok(false) };
    let room = i64::try_from(WINDOW.saturating_sub(unheard)).unwrap_or(STEP).min(STEP);
    if room > 0 {
        #[expect(clippy::cast_precision_loss, reason = "seconds between rings are few")]
        let stale = scheduler.settings.jobs.stale_ring_seconds as f64;
        let rings = sweep::ring_again(&scheduler.pool, lane, stale, room).await?;
        ring_or_leave(scheduler.broker.as_ref(), &rings).await;
    }
    Ok(true)
}
