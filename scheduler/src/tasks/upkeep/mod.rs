//! The upkeep: what is past its keeping time goes, in small paced steps, each its own commit. Every run leaves a record of what it did.
//!
//! It runs beside the other tasks, one of its own after the other. A run that is killed is ended by its record's silence, and the next
//! one goes on where that left off, because what was removed is gone and what was not is still there.

mod audit;
mod batches;
mod files;
mod rows;
mod schemas;
mod tally;

use std::{error::Error, time::Duration};

use datagenie_common::{
    files::FilesError,
    model::upkeep::UpkeepTask,
    store::{
        StoreError,
        upkeep::{self, Kept, Unusable},
    },
};
use tokio::time::{MissedTickBehavior, interval};

use self::tally::Tally;
use crate::start::Scheduler;

/// How often is asked which task is due.
const LOOK: Duration = Duration::from_secs(2);

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The database said no.
    #[error("a statement of the upkeep failed")]
    Store(#[from] StoreError),
    /// The file storage said no.
    #[error("the file storage was not looked through")]
    Files(#[from] FilesError),
    /// A keeping time is no number.
    #[error(transparent)]
    Kept(#[from] Unusable),
    /// The storage lacks so much that it is more likely another folder.
    #[error("files.root lacks every one of {0} files that answers name: is it the right folder, and mounted? No answer was removed")]
    NotMounted(usize),
}

/// Runs what is due, again and again, until it is dropped.
pub async fn keep(scheduler: &Scheduler) {
    let names: Vec<&str> = UpkeepTask::ALL.iter().map(|task| task.as_str()).collect();
    let seconds: Vec<f64> = UpkeepTask::ALL.iter().map(|task| task.every_seconds()).collect();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match upkeep::due(&scheduler.pool, &names, &seconds).await {
            Ok(due) => {
                for task in due.iter().filter_map(|word| word.parse().ok()) {
                    record(scheduler, task).await;
                }
            }
            Err(error) => tracing::warn!(error = &error as &dyn Error, "it is not known which upkeep is due; asked again soon"),
        }
    }
}

/// Runs a task now and writes its record.
pub async fn record(scheduler: &Scheduler, task: UpkeepTask) {
    let outcome = match upkeep::begin(&scheduler.pool, task.as_str()).await {
        Ok(id) => {
            let mut tally = Tally::new(scheduler.pool.clone(), id);
            let done = run(scheduler, task, &mut tally).await;
            let error = done.err().map(|error| told(&error));
            if let Some(error) = &error {
                tracing::warn!(task = task.as_str(), error, "an upkeep did not come to its end; it runs again at its next time");
            }
            let failed = error.is_some();
            tally.end(task, error.as_deref()).await.map(|()| failed)
        }
        Err(error) => Err(error),
    };
    let outcome = match outcome {
        Ok(false) => "ok",
        Ok(true) => "failed",
        Err(error) => {
            tracing::warn!(task = task.as_str(), error = &error as &dyn Error, "an upkeep could not be recorded");
            "failed"
        }
    };
    metrics::counter!("datagenie_scheduler_tasks_total", "task" => task.as_str(), "outcome" => outcome).increment(1);
}

/// One run of a task.
///
/// # Errors
/// What kept it from its end; what it had removed until then is gone and counted.
async fn run(scheduler: &Scheduler, task: UpkeepTask, tally: &mut Tally) -> Result<(), UpkeepError> {
    match task {
        UpkeepTask::Sessions => rows::sessions(scheduler, tally).await,
        UpkeepTask::IdempotencyKeys => rows::idempotency_keys(scheduler, tally).await,
        UpkeepTask::AuditLogs => audit::run(scheduler, tally).await,
        UpkeepTask::StaleSchemas => schemas::run(scheduler, tally).await,
        UpkeepTask::Questions => rows::questions(scheduler, tally).await,
        UpkeepTask::Results => rows::results(scheduler, tally).await,
        UpkeepTask::Batches => batches::run(scheduler, tally).await,
        UpkeepTask::CachedSchemas => rows::cached_schemas(scheduler, tally).await,
        UpkeepTask::Events => rows::events(scheduler, tally).await,
        UpkeepTask::Deliveries => rows::deliveries(scheduler, tally).await,
        UpkeepTask::Jobs => rows::jobs(scheduler, tally).await,
        UpkeepTask::Workbooks => rows::workbooks(scheduler, tally).await,
        UpkeepTask::Files => files::run(scheduler, tally).await,
        UpkeepTask::Runs => rows::runs(scheduler, tally).await,
    }
}

/// A keeping time, or why nothing may be removed by it.
async fn kept(scheduler: &Scheduler, what: Kept) -> Result<i32, UpkeepError> {
    // Of this very moment, not of up to a second ago: what is removed is gone.
    scheduler.live_settings.refresh().await?;
    Ok(scheduler.live_settings.kept(what)?)
}

/// An error with its causes, as one line.
fn told(error: &UpkeepError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
