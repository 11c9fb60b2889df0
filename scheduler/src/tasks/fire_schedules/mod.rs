//! Fires schedules whose time has come. A time is taken, its job made and the next time kept in one transaction, and no time can be taken
//! twice: whatever number of schedulers runs, and wherever one of them is killed or stands still, each time is fired once.

mod actions;
mod batch;
mod clock;
mod plan;

use std::{error::Error, time::Duration};

use datagenie_common::{
    broker::ring_or_leave,
    ids::BatchId,
    model::jobs::Lane,
    store::{
        Result, StoreError,
        ledger::{Flow, Ring, finish::Ended},
        schedules::{self, Made},
    },
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

pub use self::clock::go_on_from_now;
use self::{actions::Actions, plan::Planned};
use crate::start::Scheduler;

/// Schedules that one transaction fires at most.
const STEP: i64 = 200;
/// What could not be fired together in time is tried in so many parts.
const PARTS: i64 = 8;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often is looked whether the clock was set back.
const CLOCK_LOOK: Duration = Duration::from_secs(60);

/// Fires what is due, again and again, until it is dropped.
pub async fn keep(scheduler: &Scheduler) {
    let mut ticks = interval(scheduler.settings.jobs.sweep());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut size, mut looked) = (STEP, None);
    loop {
        ticks.tick().await;
        if looked.is_none_or(|at: Instant| at.elapsed() >= CLOCK_LOOK) {
            looked = Some(Instant::now());
            if let Ok(Err(error)) = timeout(PATIENCE, go_on_from_now(scheduler)).await {
                tracing::warn!(error = &error as &dyn Error, "whether the clock was set back is not known; looked again soon");
            }
        }
        let done = timeout(PATIENCE, in_steps(scheduler, size)).await;
        size = next_size(size, matches!(done, Ok(Ok(()))));
        let outcome = match done {
            Ok(Ok(())) => "ok",
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn Error, "schedules were not fired; tried again soon");
                "failed"
            }
            Err(_) => {
                tracing::warn!("firing schedules took too long; tried again soon");
                "timed_out"
            }
        };
        metrics::counter!("datagenie_scheduler_tasks_total", "task" => "fire_schedules", "outcome" => outcome).increment(1);
    }
}

/// How many are tried together next: fewer once they took too long or the server ended their transaction, as many batches at once may do;
/// else they would be tried together for ever.
fn next_size(size: i64, went_well: bool) -> i64 {
    if went_well { (size * 2).min(STEP) } else { (size / PARTS).max(1) }
}

/// Fires all that is due.
///
/// # Errors
/// If the database fails; what was fired until then is fired.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    in_steps(scheduler, STEP).await
}

async fn in_steps(scheduler: &Scheduler, size: i64) -> Result<()> {
    loop {
        let fired = match step(scheduler, size, size).await {
            Err(error) if is_ours(&error) => {
                tracing::error!(error = &error as &dyn Error, "schedules could not be fired together; each by itself");
                one_by_one(scheduler).await?
            }
            other => other?,
        };
        if fired < size {
            return Ok(());
        }
    }
}

/// Fires the next ones each in a transaction of its own; one that can't be is put to rest, so that it keeps no other from its time.
async fn one_by_one(scheduler: &Scheduler) -> Result<i64> {
    let mut fired = 0;
    for (asked, due) in [(1, 0), (0, 1)] {
        for _ in 0..STEP {
            match step(scheduler, asked, due).await {
                Ok(0) => break,
                Ok(some) => fired += some,
                Err(error) if is_ours(&error) => {
                    tracing::error!(error = &error as &dyn Error, "a schedule can't be fired; it is paused, or its run by hand refused");
                    fired += put_to_rest(scheduler, asked, due).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(fired)
}

/// Whether the same statement would fail again.
fn is_ours(error: &StoreError) -> bool {
    !error.is_outage() && !error.is_passing()
}

async fn put_to_rest(scheduler: &Scheduler, asked: i64, due: i64) -> Result<i64> {
    let mut tx = scheduler.pool.begin().await?;
    schedules::now(&mut tx).await?;
    let mut rested = 0;
    for (id, fire_time, schedule) in schedules::asked(&mut tx, asked).await? {
        schedules::outcomes(&mut tx, &[plan::refused(id, schedule, fire_time, "it could not be made, by a fault of the service")]).await?;
        rested += 1;
    }
    for due in schedules::due(&mut tx, due).await? {
        schedules::rest(&mut tx, due.map_or_else(|(id, _)| id, |schedule| schedule.id)).await?;
        rested += 1;
    }
    tx.commit().await?;
    Ok(rested)
}

/// One transaction: up to so many of what was asked for and of what is due; how many schedules it dealt with.
async fn step(scheduler: &Scheduler, asked: i64, due: i64) -> Result<i64> {
    let mut tx = scheduler.pool.begin().await?;
    let now = schedules::now(&mut tx).await?;
    let planned = plan::make(&mut tx, now, asked, due).await?;
    if planned.schedules == 0 {
        tx.rollback().await?;
        return Ok(0);
    }
    let Planned { mut runs, next, schedules, rest } = planned;
    for id in rest {
        schedules::rest(&mut tx, id).await?;
    }
    let made = Actions::of(scheduler, &mut tx, &mut runs).await?;
    let written: Vec<Made> = runs.into_iter().map(|run| run.made).collect();
    schedules::outcomes(&mut tx, &written).await?;
    schedules::advance(&mut tx, &next).await?;
    tx.commit().await?;
    made.begin(scheduler).await;
    Ok(schedules)
}

/// What is to be done once the commit is made: nothing that is lost matters but for time.
struct Begun {
    rings: Vec<Ring>,
    flows: Vec<Flow>,
    batches: Vec<BatchId>,
    told: Vec<Ended>,
}

impl Begun {
    async fn begin(self, scheduler: &Scheduler) {
        ring_or_leave(scheduler.broker.as_ref(), &self.rings).await;
        for flow in self.flows {
            scheduler.dispatch.let_in(flow);
        }
        for batch in self.batches {
            scheduler.settling.look(batch);
        }
        scheduler.live.ended_many(&self.told);
    }

    fn let_in(&mut self, flow: Flow) {
        if !self.flows.contains(&flow) {
            self.flows.push(flow);
        }
    }

    fn questions_of(&mut self, user_id: datagenie_common::ids::UserId) {
        self.let_in(Flow { lane: Lane::Interactive, user_id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_together_is_tried_one_by_one_in_the_end() {
        let worse: Vec<i64> = std::iter::successors(Some(STEP), |&size| Some(next_size(size, false))).take(4).collect();
        assert_eq!(worse, [200, 25, 3, 1]);
        assert_eq!(next_size(1, false), 1);
        let better: Vec<i64> = std::iter::successors(Some(1), |&size| Some(next_size(size, true))).take(9).collect();
        assert_eq!((better[1], better[8]), (2, STEP));
    }
}
