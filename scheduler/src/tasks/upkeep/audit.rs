//! Months of audit logs: made ahead, and dropped whole, which costs nothing however many rows they hold.

use datagenie_common::store::{
    StoreError,
    upkeep::{self, Kept},
};

use super::{UpkeepError, kept, tally::Tally};
use crate::start::Scheduler;

/// Months made ahead.
const MONTHS_AHEAD: i32 = 3;
/// Rows outside of any month that one step removes at most.
const STEP: i64 = 500;
/// How often a month that somebody reads or writes is tried; the next run tries again.
const TRIES: u32 = 20;

/// One run.
///
/// # Errors
/// If the database fails, or the log was held too long by somebody.
pub async fn run(scheduler: &Scheduler, tally: &mut Tally) -> Result<(), UpkeepError> {
    let made = upkeep::ensure_audit_partitions(&scheduler.pool, MONTHS_AHEAD).await?;
    tally.add("months_made", u64::try_from(made).unwrap_or_default());
    let days = kept(scheduler, Kept::AuditLogs).await?;
    let mut tries = 0;
    loop {
        match upkeep::drop_audit_partition(&scheduler.pool, days).await {
            Ok(Some(month)) => {
                tracing::info!(month, days, "dropped a month of audit logs");
                tally.add("months_dropped", 1);
            }
            Ok(None) => break,
            // Somebody holds the log: who waits for it must not keep others from it.
            Err(StoreError::Locked) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
        tally.rest().await?;
    }
    loop {
        let removed = upkeep::old_audit_rows(&scheduler.pool, days, STEP).await?;
        tally.add("rows", removed);
        if i64::try_from(removed).is_ok_and(|removed| removed < STEP) {
            return Ok(());
        }
        tally.rest().await?;
    }
}
