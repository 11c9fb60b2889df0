//! When each task runs, while this process leads.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{start::Scheduler, tasks};

/// How often is asked which connections to look at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often silent workers are forgotten.
const FORGET_WORKERS: Duration = Duration::from_secs(60);
/// How often is measured what waits, at most.
const MEASURE: Duration = Duration::from_secs(5);

/// How long a task may take: one that stands still must not keep the others from their times.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs everything until it is dropped: schedules and the upkeep, which may take long, beside what may not wait for them.
pub async fn lead(scheduler: Arc<Scheduler>) {
    tokio::join!(in_turn(&scheduler), tasks::fire_schedules::keep(&scheduler), tasks::upkeep::keep(&scheduler));
}

/// Runs the tasks one after the other: none of them takes long, and none may pile up.
async fn in_turn(scheduler: &Scheduler) {
    let mut sweep = interval(scheduler.settings.jobs.sweep());
    let mut measure = interval(MEASURE);
    let mut look_again = interval(LOOK_AGAIN);
    let mut forget_workers = interval(FORGET_WORKERS);
    let mut measuring = tasks::measure::Measure::default();
    for ticks in [&mut sweep, &mut measure, &mut look_again, &mut forget_workers] {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        let (task, run): (_, BoxFuture<'_, _>) = tokio::select! {
            _ = sweep.tick() => ("sweep", tasks::sweep::run(scheduler).boxed()),
            _ = measure.tick() => ("measure", measuring.run(scheduler).boxed()),
            _ = look_again.tick() => ("look_again", tasks::look_again::run(scheduler).boxed()),
            _ = forget_workers.tick() => ("forget_workers", tasks::forget_workers::run(scheduler).boxed()),
        };
        let outcome = match timeout(PATIENCE, run).await {
            Ok(Ok(())) => "ok",
            Ok(Err(error)) => {
                tracing::warn!(task, error = &error as &dyn std::error::Error, "a task failed; it runs again at its next time");
                "failed"
            }
            Err(_) => {
                tracing::warn!(task, "a task was not done in time; it runs again at its next time");
                "timed_out"
            }
        };
        metrics::counter!("datagenie_scheduler_tasks_total", "task" => task, "outcome" => outcome).increment(1);
    }
}
