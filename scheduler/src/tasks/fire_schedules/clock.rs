//! A clock that was far ahead and is set back. It has dealt with times that have not come, and the next ones that it kept lie behind them:
//! a schedule would rest until then, for a year if the clock was a year ahead. What it has fired stays fired, since no time is taken twice.

use datagenie_common::{
    ids::ScheduleId,
    model::timing::Timing,
    store::{
        Result,
        schedules::{self, Next, Schedule},
    },
};

use crate::start::Scheduler;

/// Schedules that one transaction sets anew at most.
const STEP: i64 = 200;

/// Has schedules go on from now that a clock far ahead has dealt with.
///
/// # Errors
/// If the database fails; what is left is found at the next look.
pub async fn go_on_from_now(scheduler: &Scheduler) -> Result<()> {
    loop {
        let mut tx = scheduler.pool.begin().await?;
        let now = schedules::now(&mut tx).await?;
        let found = schedules::ahead(&mut tx, STEP).await?;
        let is_last = i64::try_from(found.len()).is_ok_and(|count| count < STEP);
        let mut next = Vec::with_capacity(found.len());
        for read in found {
            let readable = read.map_err(|(id, _)| id);
            match readable.and_then(|schedule| timing(&schedule).map(|timing| (schedule.id, timing))) {
                Ok((id, timing)) => next.push(Next { id, at: timing.after(now), last: now }),
                // As one that can't be read at its time.
                Err(id) => {
                    tracing::error!(schedule_id = %id, "a schedule can't be read and is paused");
                    schedules::rest(&mut tx, id).await?;
                }
            }
        }
        if !next.is_empty() {
            tracing::warn!(schedules = next.len(), "the clock was far ahead; schedules go on from now");
            schedules::begin_from(&mut tx, &next).await?;
        }
        tx.commit().await?;
        if is_last {
            return Ok(());
        }
    }
}

fn timing(schedule: &Schedule) -> std::result::Result<Timing, ScheduleId> {
    Timing::parse(&schedule.cron, &schedule.time_zone).map_err(|_| schedule.id)
}
