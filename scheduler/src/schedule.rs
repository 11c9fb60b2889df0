//! When each task runs, while this process leads.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::{start::Scheduler, tasks};

/// How often the tables are kept.
const UPKEEP: Duration = Duration::from_secs(60);
/// How often is asked which connections to look at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How often is measured what waits.
const MEASURE: Duration = Duration::from_secs(5);

/// Runs the tasks in turn until it is dropped. One after the other: none of them takes long, and none may pile up.
pub async fn lead(scheduler: Arc<Scheduler>) {
    let mut sweep = interval(scheduler.settings.jobs.sweep());
    let mut measure = interval(MEASURE);
    let mut look_again = interval(LOOK_AGAIN);
    let mut upkeep = interval(UPKEEP);
    for ticks in [&mut sweep, &mut measure, &mut look_again, &mut upkeep] {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        let (task, done) = tokio::select! {
            _ = sweep.tick() => ("sweep", tasks::sweep::run(&scheduler).await),
            _ = measure.tick() => ("measure", tasks::measure::run(&scheduler).await),
            _ = look_again.tick() => ("look_again", tasks::look_again::run(&scheduler).await),
            _ = upkeep.tick() => ("upkeep", tasks::upkeep::run(&scheduler).await),
        };
        let outcome = if done.is_ok() { "ok" } else { "failed" };
        metrics::counter!("datagenie_scheduler_tasks_total", "task" => task, "outcome" => outcome).increment(1);
        if let Err(error) = done {
            tracing::warn!(task, error = &error as &dyn std::error::Error, "a task failed; it runs again at its next time");
        }
    }
}
