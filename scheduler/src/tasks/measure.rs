//! Measures what waits, for the metrics.

use std::time::Duration;

use datagenie_common::{
    model::jobs::Lane,
    store::{
        Result,
        ledger::{
            dead,
            queues::{self, LaneDepth},
        },
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
        let measured = measure(scheduler).await.map(|measured| measured.tell());
        self.next = Some(Instant::now() + rest(began.elapsed()));
        measured
    }
}

fn rest(took: Duration) -> Duration {
    took.saturating_mul(REST)
}

impl Drop for Measure {
    // Who leads no more measures no more: what it told last would stand beside what its successor tells, and grow old.
    fn drop(&mut self) {
        if self.next.is_some() {
            Measured::default().tell();
        }
    }
}

#[derive(Default)]
struct Measured {
    depths: Vec<LaneDepth>,
    dead: i64,
    workers: i64,
}

async fn measure(scheduler: &Scheduler) -> Result<Measured> {
    let pool = &scheduler.pool;
    Ok(Measured { depths: queues::depths(pool, Lane::ALL).await?, dead: dead::count(pool).await?, workers: workers::up(pool).await? })
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn tell(&self) {
        for &lane in Lane::ALL {
            let depth = self.depths.iter().find(|depth| depth.lane == lane);
            let of = |count: fn(&LaneDepth) -> i64| depth.map_or(0, count) as f64;
            let lane = lane.as_str();
            metrics::gauge!("datagenie_queue_depth", "lane" => lane).set(of(|depth| depth.waiting + depth.queued));
            metrics::gauge!("datagenie_queue_delayed", "lane" => lane).set(of(|depth| depth.delayed));
            metrics::gauge!("datagenie_queue_running", "lane" => lane).set(of(|depth| depth.running));
            let oldest = depth.and_then(|depth| depth.oldest_seconds).unwrap_or_default();
            metrics::gauge!("datagenie_queue_oldest_seconds", "lane" => lane).set(oldest);
        }
        metrics::gauge!("datagenie_jobs_dead").set(self.dead as f64);
        metrics::gauge!("datagenie_workers_up").set(self.workers as f64);
    }
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
