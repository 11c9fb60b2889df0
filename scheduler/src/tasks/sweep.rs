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

/// One sweep.
///
/// # Errors
/// If the database fails; the next sweep does what is left.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    let pool = &scheduler.pool;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a lease are few")]
    let lease = scheduler.settings.jobs.lease_seconds as f64;
    let rescued = sweep::rescue(pool, lease, STEP).await?;
    if !rescued.rings.is_empty() || rescued.delayed > 0 || !rescued.ended.is_empty() {
        tracing::warn!(
            at_once = rescued.rings.len(),
            delayed = rescued.delayed,
            ended = rescued.ended.len(),
            "rescued jobs of dead workers"
        );
    }
    ring_or_leave(scheduler.broker.as_ref(), &rescued.rings).await;
    let expired = sweep::expire(pool, STEP).await?;
    for ended in rescued.ended.iter().chain(&expired) {
        scheduler.live.ended(ended);
    }
    for &lane in Lane::ALL {
        ring_lane(scheduler, lane).await?;
    }
    Ok(())
}

async fn ring_lane(scheduler: &Scheduler, lane: Lane) -> Result<()> {
    // A broker that does not answer would not take rings either.
    let Ok(unheard) = scheduler.broker.depth(lane).await else { return Ok(()) };
    let room = i64::try_from(WINDOW.saturating_sub(unheard)).unwrap_or(STEP).min(STEP);
    if room == 0 {
        return Ok(());
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds between rings are few")]
    let stale = scheduler.settings.jobs.stale_ring_seconds as f64;
    let rings = sweep::ring_again(&scheduler.pool, lane, stale, room).await?;
    ring_or_leave(scheduler.broker.as_ref(), &rings).await;
    Ok(())
}
