//! Measures what waits, for the metrics.

use datagenie_common::{
    model::jobs::Lane,
    store::{Result, ledger::sweep},
};

use crate::start::Scheduler;

/// One measurement.
///
/// # Errors
/// If the database fails.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    for &lane in Lane::ALL {
        let (waiting, oldest) = sweep::backlog(&scheduler.pool, lane).await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("datagenie_queue_depth", "lane" => lane.as_str()).set(waiting as f64);
        metrics::gauge!("datagenie_queue_oldest_seconds", "lane" => lane.as_str()).set(oldest);
    }
    Ok(())
}
