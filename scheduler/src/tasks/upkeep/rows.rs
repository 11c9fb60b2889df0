//! Rows past their keeping time.

use datagenie_common::{
    files::ObjectPrefix,
    store::{
        schedules,
        upkeep::{self, Kept, Page},
    },
};
use uuid::Uuid;

use super::{UpkeepError, kept, tally::Tally};
use crate::start::Scheduler;

type Done = Result<(), UpkeepError>;

/// Rows that one step removes, or looks at, at most: few enough that none holds its locks for long, and that no commit of others waits for
/// the disk behind megabytes of its own.
const STEP: i64 = 200;
/// Events are kept at least so many days: as long as a webhook may still be tried.
const EVENTS_AT_LEAST: i32 = 15;

fn is_full(removed: u64) -> bool {
    i64::try_from(removed).is_ok_and(|removed| removed >= STEP)
}

/// Expired login sessions.
pub async fn sessions(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    loop {
        let removed = upkeep::expired_sessions(&scheduler.pool, STEP).await?;
        tally.add("sessions", removed);
        if !is_full(removed) {
            return Ok(());
        }
        tally.rest().await?;
    }
}

/// Expired idempotency keys.
pub async fn idempotency_keys(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    loop {
        let removed = upkeep::expired_idempotency_keys(&scheduler.pool, STEP).await?;
        tally.add("idempotency_keys", removed);
        if !is_full(removed) {
            return Ok(());
        }
        tally.rest().await?;
    }
}

/// Columns of customers' databases that no sync has seen for long.
pub async fn cached_schemas(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let days = kept(scheduler, Kept::Catalogues).await?;
    loop {
        let removed = upkeep::old_catalogues(&scheduler.pool, days, STEP).await?;
        tally.add("columns", removed);
        if !is_full(removed) {
            return Ok(());
        }
        tally.rest().await?;
    }
}

/// Questions with their answers and files.
pub async fn questions(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let days = kept(scheduler, Kept::Questions).await?;
    let mut after = Uuid::nil();
    loop {
        let page = upkeep::old_questions(&scheduler.pool, days, after, STEP).await?;
        tally.add("questions", page.removed);
        let Some(next) = finish(scheduler, tally, page).await? else { break };
        after = next;
    }
    loop {
        let page = upkeep::old_questions_by_time(&scheduler.pool, days, STEP).await?;
        let removed = page.removed;
        tally.add("questions", removed);
        finish(scheduler, tally, page).await?;
        if !is_full(removed) {
            return Ok(());
        }
        tally.rest().await?;
    }
}

/// Answers with their files.
pub async fn results(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let days = kept(scheduler, Kept::Results).await?;
    let mut after = Uuid::nil();
    loop {
        let page = upkeep::expired_results(&scheduler.pool, days, after, STEP).await?;
        tally.add("results", page.removed);
        let Some(next) = finish(scheduler, tally, page).await? else { return Ok(()) };
        after = next;
    }
}

/// Deletes the files of what a step has removed, and rests; where to go on.
async fn finish(scheduler: &Scheduler, tally: &mut Tally, page: Page) -> Result<Option<Uuid>, UpkeepError> {
    for path in &page.paths {
        tally.add("files", u64::from(scheduler.files.remove(path).await?));
    }
    if page.next.is_some() {
        tally.rest().await?;
    }
    Ok(page.next)
}

/// Durable events.
pub async fn events(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let days = kept(scheduler, Kept::Events).await?.max(EVENTS_AT_LEAST);
    let mut after = 0;
    loop {
        let step = upkeep::old_events(&scheduler.pool, days, after, STEP).await?;
        tally.add("events", step.removed);
        let Some(next) = step.next else { return Ok(()) };
        after = next;
        tally.rest().await?;
    }
}

/// Webhook deliveries.
pub async fn deliveries(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let days = kept(scheduler, Kept::Deliveries).await?;
    let mut after = Uuid::nil();
    loop {
        let step = upkeep::finished_deliveries(&scheduler.pool, days, after, STEP).await?;
        tally.add("deliveries", step.removed);
        let Some(next) = step.next else { return Ok(()) };
        after = next;
        tally.rest().await?;
    }
}

/// Jobs that have ended, and dead ones by a time of their own.
pub async fn jobs(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let (days, dead_days) = (kept(scheduler, Kept::Jobs).await?, kept(scheduler, Kept::DeadJobs).await?);
    let mut after = Uuid::nil();
    loop {
        let step = upkeep::finished_jobs(&scheduler.pool, days, dead_days, after, STEP).await?;
        tally.add("jobs", step.removed);
        let Some(next) = step.next else { return Ok(()) };
        after = next;
        tally.rest().await?;
    }
}

/// Contents of uploads that no file is of any more.
pub async fn workbooks(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    loop {
        let gone = upkeep::empty_workbooks(&scheduler.pool, STEP).await?;
        let removed = u64::try_from(gone.len()).unwrap_or_default();
        tally.add("workbooks", removed);
        for workbook in gone {
            tally.add("files", scheduler.files.delete_prefix(ObjectPrefix::Workbook(workbook)).await?);
        }
        if !is_full(removed) {
            return Ok(());
        }
        tally.rest().await?;
    }
}

/// Records of runs.
pub async fn runs(scheduler: &Scheduler, tally: &mut Tally) -> Done {
    let days = kept(scheduler, Kept::Runs).await?;
    loop {
        let removed = upkeep::old_runs(&scheduler.pool, days, STEP).await?;
        let of_schedules = schedules::old_runs(&scheduler.pool, days, STEP).await?;
        tally.add("upkeep_runs", removed);
        tally.add("schedule_runs", of_schedules);
        if !is_full(removed.max(of_schedules)) {
            return Ok(());
        }
        tally.rest().await?;
    }
}
