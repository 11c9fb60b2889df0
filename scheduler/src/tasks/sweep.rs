//! The sweep over the ledger: rescue, expire, take back the bells of what is paused, ring again, keep batches going.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use datagenie_common::{
    broker::ring_or_leave,
    ids::UserId,
    model::jobs::Lane,
    store::{
        Result,
        ledger::{Flow, admit, pauses, sweep},
    },
};

use crate::start::Scheduler;

/// Rows that one step takes at most, so that none holds locks for long.
const STEP: i64 = 500;
/// Messages that may lie unheard in a lane: more of them would only hide how long the queue is.
const WINDOW: u64 = 5_000;
/// Owners of waiting jobs that one sweep lets jobs in for, in each lane.
const OWNERS: i64 = 256;
/// Owners in one statement.
const OWNERS_AT_ONCE: usize = 32;

/// One sweep. Its parts do not depend on each other: one that fails does not keep the others from running.
///
/// # Errors
/// If the database fails; the next sweep does what is left.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    let rescued = if scheduler.was_away() { Ok(()) } else { rescue(scheduler).await };
    let expired = expire(scheduler).await;
    let mut rung = pauses::unring_paused(&scheduler.pool).await.map(drop);
    for &lane in Lane::ALL {
        match ring_lane(scheduler, lane).await {
            Ok(true) => {}
            // A broker that does not answer for one lane does not for the others, and each asking takes its time.
            Ok(false) => break,
            Err(error) => rung = Err(error),
        }
    }
    let settled = scheduler.settling.sweep().await;
    let swept = rescued.and(expired).and(rung).and(settled).and(let_in(scheduler).await);
    scheduler.note(swept.as_ref().err());
    swept
}

/// How far the sweep is on its round of the owners of waiting jobs, by lane: with very many of them a sweep takes the next ones.
#[derive(Default)]
pub struct Round {
    after: Mutex<HashMap<Lane, UserId>>,
}

/// Lets in what the ends of other jobs did not: jobs whose time has come, windows that have grown, what slipped. One flow that can't be
/// let in now (somebody stands at its window) does not keep the others from it.
async fn let_in(scheduler: &Scheduler) -> Result<()> {
    let in_flight = admit::in_flight(&scheduler.pool).await?;
    let mut done = Ok(());
    for &lane in Lane::ALL {
        let window = i64::from(scheduler.settings.jobs.lane_window);
        // A full lane takes one of each owner who has none in it: nobody is shut out by others.
        let most = if in_flight.get(&lane).is_some_and(|&jobs| jobs >= window) { 1 } else { u32::MAX };
        let after = scheduler.round.lock().get(&lane).copied();
        let owners = admit::owners(&scheduler.pool, lane, after, OWNERS).await?;
        let flows: Vec<Flow> = owners.iter().map(|&user_id| Flow { lane, user_id }).collect();
        for some in flows.chunks(OWNERS_AT_ONCE) {
            if let Err(error) = scheduler.dispatch.let_in_now(some, most).await {
                done = Err(error);
            }
        }
        let mut round = scheduler.round.lock();
        // Fewer than asked for: the round is over, the next one begins at the first.
        match owners.last() {
            Some(&last) if i64::try_from(owners.len()).is_ok_and(|len| len == OWNERS) => drop(round.insert(lane, last)),
            _ => drop(round.remove(&lane)),
        }
    }
    done
}

impl Round {
    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, UserId>> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    scheduler.live.ended_many(&rescued.ended);
    ring_or_leave(scheduler.broker.as_ref(), &rescued.rings).await;
    Ok(())
}

async fn expire(scheduler: &Scheduler) -> Result<()> {
    let expired = sweep::expire(&scheduler.pool, STEP).await?;
    scheduler.live.ended_many(&expired);
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
