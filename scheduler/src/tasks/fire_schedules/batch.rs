//! A schedule's batch: checked at its time, by the permissions of then, as one that its owner sends.

use std::collections::BTreeSet;

use datagenie_common::{
    batches::{Checked, Checker, LONGEST_SQL, Line, LongestTexts, OnInvalid},
    ids::BatchId,
    schedules::Action,
    store::{
        Result,
        batches::{self, ItemRow, NewBatch},
        connections::Viewer,
    },
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{actions::refuse, plan::Run};
use crate::start::Scheduler;

/// Makes the batch of a run, in its transaction; none: it is refused. Its lines are stored before, in a commit of their own: a batch exists
/// with its row, and lines without one are removed by the upkeep.
///
/// # Errors
/// If the database fails.
pub async fn make(scheduler: &Scheduler, conn: &mut PgConnection, run: &mut Run, is_admin: bool) -> Result<Option<BatchId>> {
    let Action::Batch { connection_id, on_invalid, budget, callback_url, questions } = &run.schedule.action else { return Ok(None) };
    let (connection_id, on_invalid) = (connection_id.map(|id| id.0), on_invalid.unwrap_or(OnInvalid::Reject));
    let owner = run.schedule.user_id;
    let checked = check(scheduler, Viewer { user_id: owner, is_admin }, connection_id, questions).await?;
    let bad = checked.iter().find_map(|line| line.outcome.as_ref().err().map(|error| (line, error)));
    let good = checked.iter().filter(|line| line.outcome.is_ok()).count();
    if let Some((line, error)) = bad
        && (on_invalid == OnInvalid::Reject || good == 0)
    {
        let name = line.custom_id.as_deref().unwrap_or_default();
        let reason =
            format!("{} of {} questions can't be asked; the first is `{name}`: {}", checked.len() - good, checked.len(), error.message);
        refuse(run, &reason);
        return Ok(None);
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let asked = || checked.iter().filter_map(|line| line.outcome.as_ref().ok());
    let connections: BTreeSet<Uuid> = asked().filter_map(|asked| asked.connection_id).collect();
    let new = NewBatch {
        id: BatchId::new(),
        user_id: owner,
        on_invalid,
        connection_id,
        connections: connections.into_iter().collect(),
        callback_url: callback_url.clone(),
        budget: *budget,
        total: number(checked.len()),
        invalid: number(checked.len() - good),
        questions: number(asked().filter(|asked| asked.payload.is_some()).count()),
        last_line: number(checked.len()),
        traceparent: None,
    };
    let items = checked.iter().map(ItemRow::of).collect::<Result<Vec<ItemRow>>>()?;
    batches::insert_items(&scheduler.pool, new.id, &items).await?;
    batches::insert(conn, &new).await?;
    run.made.batch_id = Some(new.id);
    Ok(Some(new.id))
}

async fn check(scheduler: &Scheduler, owner: Viewer, connection_id: Option<Uuid>, questions: &[Line]) -> Result<Vec<Checked>> {
    let connections: BTreeSet<Uuid> = questions.iter().filter_map(|line| line.connection_id).chain(connection_id).collect();
    let files: BTreeSet<Uuid> = questions.iter().filter_map(|line| line.file_id).collect();
    let (connections, files): (Vec<_>, Vec<_>) = (connections.into_iter().collect(), files.into_iter().collect());
    let verdicts = batches::verdicts(&scheduler.pool, owner, None, &connections, &files).await?;
    let longest = LongestTexts { question: scheduler.settings.limits.question_bytes, sql: LONGEST_SQL };
    let mut checker = Checker::new(longest, connection_id, &verdicts);
    Ok((1..).zip(questions).map(|(number, line)| checker.line(number, line.clone())).collect())
}
