//! Measures what waits, for the metrics.

use std::time::Duration;

use datagenie_common::{
    model::jobs::Lane,
    store::{
        Result,
        ledger::{dead, queues},
        workers,
    },
};
use tokio::time::Instant;

use crate::start::Scheduler;

/// How many times as long as a measurement took is waited before the next one: it may cost two hundredths of the database's time.
const REST: u32 = 50;

/// Measures, and rests after it: counting a long queue takes its time.
#[derive(Default)]
pub struct Measure {
    next: Option<Instant>,
}

impl Measure {
    /// One measurement, or none if the last one was too costly to come again already.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn run(&mut self, scheduler: &Scheduler) -> Result<()> {
        if self.next.is_some_and(|next| Instant::now() < next) {
            return Ok(());
        }
        let began = Instant::now();
        let measured = measure(scheduler).await;
        self.next = Some(Instant::now() + rest(began.elapsed()));
        measured
    }
}

fn rest(took: Duration) -> Duration {
    took.saturating_mul(REST)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
async fn measure(scheduler: &Scheduler) -> Result<()> {
    for depth in queues::depths(&scheduler.pool, Lane::ALL).await? {
        let lane = depth.lane.as_str();
        metrics::gauge!("datagenie_queue_depth", "lane" => lane).set((depth.waiting + depth.queued) as f64);
        metrics::gauge!("datagenie_queue_delayed", "lane" => lane).set(depth.delayed as f64);
        metrics::gauge!("datagenie_queue_running", "lane" => lane).set(depth.running as f64);
        metrics::gauge!("datagenie_queue_oldest_seconds", "lane" => lane).set(depth.oldest_seconds.unwrap_or_default());
    }
    metrics::gauge!("datagenie_jobs_dead").set(dead::count(&scheduler.pool).await? as f64);
    metrics::gauge!("datagenie_workers_up").set(workers::up(&scheduler.pool).await? as f64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_costs_at_most_two_hundredths_of_the_time() {
        for millis in [0, 1, 40, 700] {
            let took = Duration::from_millis(millis);
            assert!(rest(took) >= took * 49, "{took:?}");
        }
        assert_eq!(rest(Duration::MAX), Duration::MAX);
    }
}
