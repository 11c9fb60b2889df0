//! Keeps the tables: audit partitions ahead of time, expired sessions and idempotency keys away.

use datagenie_common::store::{Result, upkeep};

use crate::start::Scheduler;

/// Rows that one step removes at most.
const STEP: i64 = 1_000;
/// Months of audit partitions made ahead.
const MONTHS_AHEAD: i32 = 3;

/// One round.
///
/// # Errors
/// If the database fails.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    let made = upkeep::ensure_audit_partitions(&scheduler.pool, MONTHS_AHEAD).await?;
    let sessions = upkeep::expired_sessions(&scheduler.pool).await?;
    let keys = upkeep::expired_idempotency_keys(&scheduler.pool, STEP).await?;
    if made > 0 || sessions > 0 || keys > 0 {
        tracing::info!(partitions_made = made, sessions_removed = sessions, idempotency_keys_removed = keys, "kept the tables");
    }
    Ok(())
}
