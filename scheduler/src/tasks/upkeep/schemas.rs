//! Schemas that were not read for a day are read again, a few at a time.

use datagenie_common::{
    jobs::JobKind,
    store::upkeep::{self, Kept},
};

use super::{UpkeepError, kept, tally::Tally};
use crate::{start::Scheduler, tasks::look_again};

/// Connections that one run takes at most: a thousand that were registered on one day must not be read all at once.
const STEP: i64 = 5;

/// One run.
///
/// # Errors
/// If the database fails.
pub async fn run(scheduler: &Scheduler, tally: &mut Tally) -> Result<(), UpkeepError> {
    let hours = kept(scheduler, Kept::Schemas).await?;
    for (connection, user) in upkeep::stale_schemas(&scheduler.pool, hours, STEP).await? {
        look_again::look(scheduler, connection, user, JobKind::SyncSchema).await?;
        tally.add("syncs_begun", 1);
    }
    Ok(())
}
