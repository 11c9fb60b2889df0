//! Lines in the database that no batch has yet.

use datagenie_common::{ids::BatchId, lifecycle, store::batches};
use sqlx::PgPool;

/// Lines removed in one step.
const STEP: i64 = 1_000;

/// The id of a batch to be. Lines that are stored under it when this is dropped are removed, unless it was kept: whatever ends an upload in
/// the middle leaves nothing behind, and what a killed process leaves is found by the upkeep.
pub(super) struct Draft {
    pool: PgPool,
    pub id: BatchId,
    is_kept: bool,
}

impl Draft {
    /// An id without lines.
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), id: BatchId::new(), is_kept: false }
    }

    /// Leaves the lines to the batch. Said before its commit: one whose outcome is unknown may have happened.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (pool, id) = (self.pool.clone(), self.id);
        lifecycle::spawn("batches.discard", async move {
            loop {
                match batches::discard(&pool, id, STEP).await {
                    Ok(removed) if i64::try_from(removed).is_ok_and(|removed| removed >= STEP) => {}
                    Ok(_) => return,
                    Err(error) => {
                        tracing::warn!(error = %error, "lines of a batch that came to nothing are left to the upkeep");
                        return;
                    }
                }
            }
        });
    }
}
