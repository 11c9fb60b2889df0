//! Claims whose answer never came.

use std::time::Duration;

use datagenie_common::{ids::LeaseId, store::ledger::claim};
use sqlx::PgPool;
use tokio::time::{Instant, sleep, timeout};

use super::CLAIM_PATIENCE;

/// How soon is tried again to give back what such a claim may have claimed.
const EVERY: Duration = Duration::from_millis(500);

/// Gives back what these leases may have claimed. One look is not enough where it finds nothing: the statement that claims may be under
/// way at the server still.
pub(super) async fn disown(pool: PgPool, leases: Vec<LeaseId>, lease_seconds: f64) {
    let until = Instant::now() + Duration::try_from_secs_f64(lease_seconds).unwrap_or_default();
    let (mut left, mut wait) = (u64::try_from(leases.len()).unwrap_or(u64::MAX), EVERY);
    // Later the rescue has them.
    while left > 0 && Instant::now() < until {
        match timeout(CLAIM_PATIENCE, claim::disown(&pool, &leases)).await {
            Ok(Ok(given_back)) => {
                left = left.saturating_sub(given_back);
                wait *= 2;
            }
            Ok(Err(_)) | Err(_) => wait = EVERY,
        }
        sleep(wait).await;
    }
}
