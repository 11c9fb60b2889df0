//! Forgets workers that have told nothing for an hour: long enough to see who was lost.

use datagenie_common::store::{Result, workers};

use crate::start::Scheduler;

/// Seconds after which a silent worker is forgotten.
const AFTER: f64 = 3_600.0;

/// One round.
///
/// # Errors
/// If the database fails.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    let forgotten = workers::forget(&scheduler.pool, AFTER).await?;
    if forgotten > 0 {
        tracing::info!(workers = forgotten, "forgot workers that have told nothing for an hour");
    }
    Ok(())
}
