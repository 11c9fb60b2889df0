//! Batches past their keeping time, and lines without a batch.

use datagenie_common::store::{
    batches,
    upkeep::{self, Kept},
};
use uuid::Uuid;

use super::{UpkeepError, kept, tally::Tally};
use crate::start::Scheduler;

/// Lines that one step removes at most, and batches that one looks at.
const STEP: i64 = 500;

fn is_full(removed: u64) -> bool {
    i64::try_from(removed).is_ok_and(|removed| removed >= STEP)
}

/// Removes batches, and then lines that have none.
pub async fn run(scheduler: &Scheduler, tally: &mut Tally) -> Result<(), UpkeepError> {
    let days = kept(scheduler, Kept::Batches).await?;
    loop {
        let removed = upkeep::old_batches(&scheduler.pool, days, STEP).await?;
        tally.add("batches", removed);
        if !is_full(removed) {
            break;
        }
        tally.rest().await?;
    }
    let mut after = Uuid::nil();
    loop {
        let strays = upkeep::stray_lines(&scheduler.pool, after, STEP).await?;
        for batch in strays.found {
            loop {
                let removed = batches::discard(&scheduler.pool, batch, STEP).await?;
                tally.add("lines", removed);
                if !is_full(removed) {
                    break;
                }
                tally.rest().await?;
            }
        }
        let Some(next) = strays.next else { return Ok(()) };
        after = next;
        tally.rest().await?;
    }
}
