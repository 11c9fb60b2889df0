//! Keeps a batch going, and ends it: decided from the rows of its jobs by whoever comes, under the lock of its row, so that each thing is
//! done exactly once however many come and wherever one of them is killed.

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{
    LOW, STEP, Tally, budget, status,
    stop::{ask_running, begin_stop, end_waiting},
    tally,
};
use crate::{
    batches::{BatchStatus, Budget},
    ids::{BatchId, JobId, UserId},
    model::jobs::{JobState, Lane},
    store::{
        Result, events,
        ledger::{Flow, finish::Ended, rerun::Terms},
    },
};

/// What was done for a batch, to be told once it is committed.
#[derive(Debug, Default)]
pub struct Settled {
    /// Its jobs may be let in.
    pub flow: Option<Flow>,
    /// Questions that were cancelled, and the batch itself if it has ended.
    pub ended: Vec<Ended>,
    /// Running jobs that were asked to stop.
    pub asked: Vec<JobId>,
    /// How far it is, if that was counted: whose it is, and what to tell him.
    pub progress: Option<(UserId, Tally)>,
    /// There is more to do now.
    pub again: bool,
}

/// Batches for which there may be something to do: among these, or (none) among all. `after_end`: one of their questions has ended, so
/// that what they have cost and how far they are is to be counted again; without it that is done once a second.
///
/// # Errors
/// If the database fails.
pub async fn wanting(pool: &PgPool, among: Option<&[Uuid]>, after_end: bool, limit: i64) -> Result<Vec<BatchId>> {
    let mut tx = pool.begin().await?;
    by_index(&mut tx).await?;
    // Few index entries for each, however long it is.
    let ids = sqlx::query_scalar!(
        r#"SELECT b.id FROM batches b
           CROSS JOIN LATERAL (
               SELECT count(*) AS waiting FROM (SELECT FROM jobs j WHERE NOT j.in_flight AND j.lane = 'bulk' AND j.user_id = b.user_id
                   AND coalesce(j.batch_id, j.user_id) = b.id LIMIT $2) w
           ) w
           CROSS JOIN LATERAL (
               SELECT count(*) AS held, count(*) FILTER (WHERE j.state = 'queued' OR (b.stopped_by = 'owner' AND j.cancel_requested_at IS NULL)) AS to_stop
               FROM jobs j WHERE j.in_flight AND j.lane = 'bulk' AND j.user_id = b.user_id AND j.batch_id = b.id
           ) f
           WHERE b.finished_at IS NULL AND ($1::uuid[] IS NULL OR b.id = ANY($1))
             AND ((b.status = 'cancelling' AND (w.waiting > 0 OR f.to_stop > 0))
               OR (b.status = 'running' AND b.next_line <= b.last_line AND w.waiting < $2)
               OR (w.waiting = 0 AND f.held = 0 AND (b.status = 'cancelling' OR b.next_line > b.last_line))
               OR (($3 OR coalesce(b.budget_tokens, b.budget_cost) IS NOT NULL)
                   AND (b.tallied_at IS NULL OR b.tallied_at < dg_now() - interval '1 second'))
               OR ($3 AND b.status = 'running' AND coalesce(b.budget_tokens, b.budget_cost) IS NOT NULL))
           ORDER BY coalesce(b.tallied_at, '-infinity'), b.id LIMIT $4"#,
        among,
        LOW,
        after_end,
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ids.into_iter().map(BatchId).collect())
}

/// Its plans may be made while the ledger is empty, when reading all of a table looks cheap.
async fn by_index(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT set_config('enable_seqscan', 'off', true)").fetch_one(conn).await?;
    Ok(())
}

/// Whether a batch has ended, or is gone.
///
/// # Errors
/// If the database fails.
pub async fn has_ended(pool: &PgPool, id: BatchId) -> Result<bool> {
    let open = sqlx::query_scalar!(r#"SELECT true AS "open!" FROM batches WHERE id = $1 AND finished_at IS NULL"#, id.0);
    Ok(open.fetch_optional(pool).await?.is_none())
}

/// A batch that has not ended, its row locked.
pub(super) struct Open {
    pub id: BatchId,
    pub user_id: UserId,
    pub status: BatchStatus,
    pub stopped_by: Option<String>,
    next_line: i32,
    last_line: i32,
    budget: Option<Budget>,
    callback_url: Option<String>,
    connections: Vec<Uuid>,
    is_stale: bool,
}

/// Does what there is to do for a batch: makes the jobs of its next lines, stops it where its budget is spent, ends what waits of one that
/// is being stopped, and ends the batch itself once nothing is left. Safe to call at any time by anybody.
///
/// # Errors
/// If the database fails: then nothing was done.
pub async fn settle(pool: &PgPool, id: BatchId, terms: &Terms) -> Result<Settled> {
    let mut tx = pool.begin().await?;
    by_index(&mut tx).await?;
    let mut settled = Settled::default();
    let Some(mut batch) = lock(&mut tx, id).await? else { return Ok(settled) };
    let mut counted = None;
    if batch.status == BatchStatus::Running && batch.budget.is_some() {
        counted = tally::tally(&mut *tx, id).await?;
        if counted.is_some_and(|tally| is_spent(&batch, &tally)) && batch.has_rest(&mut tx).await? {
            begin_stop(&mut tx, &mut batch, "budget").await?;
        }
    }
    if batch.status == BatchStatus::Cancelling {
        let ended = end_waiting(&mut tx, &batch, STEP).await?;
        settled.again = i64::try_from(ended.len()).is_ok_and(|ended| ended >= STEP);
        settled.ended = ended;
        settled.asked = ask_running(&mut tx, &batch).await?;
    } else if batch.has_lines() && batch.waiting(&mut tx).await? < LOW {
        let made = make(&mut tx, &mut batch, terms).await?;
        settled.flow = (made > 0).then_some(Flow { lane: Lane::Bulk, user_id: batch.user_id });
        settled.again = made < LOW && batch.has_lines();
    }
    if !settled.again && batch.is_done(&mut tx).await? {
        settled.ended.push(finish(&mut tx, &batch).await?);
    } else if batch.is_stale {
        counted = if counted.is_some() { counted } else { tally::tally(&mut *tx, id).await? };
        if let Some(tally) = counted {
            put_tally(&mut tx, id, &tally).await?;
            settled.progress = Some((batch.user_id, tally));
        }
    }
    tx.commit().await?;
    Ok(settled)
}

async fn lock(conn: &mut PgConnection, id: BatchId) -> Result<Option<Open>> {
    let row = sqlx::query!(
        r#"SELECT user_id, status, stopped_by, next_line, last_line, budget_tokens, budget_cost, callback_url, connections,
                  coalesce(tallied_at < dg_now() - interval '1 second', true) AS "is_stale!"
           FROM batches WHERE id = $1 AND finished_at IS NULL FOR UPDATE"#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Open {
        id,
        user_id: UserId(row.user_id),
        status: status(&row.status)?,
        stopped_by: row.stopped_by,
        next_line: row.next_line,
        last_line: row.last_line,
        budget: budget(row.budget_tokens, row.budget_cost),
        callback_url: row.callback_url,
        connections: row.connections,
        is_stale: row.is_stale,
    }))
}

impl Open {
    /// Whether there are lines whose jobs are still to be made.
    fn has_lines(&self) -> bool {
        self.next_line <= self.last_line
    }

    /// How many of its jobs wait; counting stops where no more are made.
    async fn waiting(&self, conn: &mut PgConnection) -> Result<i64> {
        let waiting = sqlx::query_scalar!(
            r#"SELECT count(*) AS "waiting!" FROM (SELECT FROM jobs WHERE NOT in_flight AND lane = 'bulk' AND user_id = $1
                   AND coalesce(batch_id, user_id) = $2 LIMIT $3) w"#,
            self.user_id.0,
            self.id.0,
            LOW
        );
        Ok(waiting.fetch_one(conn).await?)
    }

    /// Whether something of it has not begun.
    async fn has_rest(&self, conn: &mut PgConnection) -> Result<bool> {
        Ok(self.has_lines() || self.waiting(conn).await? > 0)
    }

    /// Whether all of its jobs have ended, and no further ones are to be made.
    async fn is_done(&self, conn: &mut PgConnection) -> Result<bool> {
        if self.status == BatchStatus::Running && self.has_lines() {
            return Ok(false);
        }
        // One statement: a job that goes from one state to the other is seen in one of them.
        let left = sqlx::query_scalar!(
            r#"SELECT (EXISTS (SELECT FROM jobs WHERE NOT in_flight AND lane = 'bulk' AND user_id = $1 AND coalesce(batch_id, user_id) = $2)
                   OR EXISTS (SELECT FROM jobs WHERE in_flight AND lane = 'bulk' AND user_id = $1 AND batch_id = $2)) AS "left!""#,
            self.user_id.0,
            self.id.0
        );
        Ok(!left.fetch_one(conn).await?)
    }
}

fn is_spent(batch: &Open, tally: &Tally) -> bool {
    let Some(budget) = batch.budget else { return false };
    let tokens = tally.usage.prompt_tokens.saturating_add(tally.usage.completion_tokens);
    budget.tokens.is_some_and(|most| tokens >= most) || budget.cost.is_some_and(|most| tally.usage.cost >= most)
}

/// Makes the questions and jobs of the next lines; how many.
async fn make(conn: &mut PgConnection, batch: &mut Open, terms: &Terms) -> Result<i64> {
    // What was deleted since the upload is left out of the question's row, and found missing by its job.
    let row = sqlx::query!(
        r#"WITH page AS MATERIALIZED (
               SELECT line, custom_id, question_id, payload, deadline_seconds FROM batch_items WHERE batch_id = $1 AND line >= $2 ORDER BY line LIMIT $3
           ), fresh AS MATERIALIZED (
               SELECT p.*, uuid7() AS job_id, c.id AS connection_id, f.id AS file_id, (p.payload ->> 'connection_id')::uuid AS of_connection,
                   (p.payload ->> 'file_id')::uuid AS of_file, (SELECT max(line) FROM page) AS last
               FROM page p LEFT JOIN database_connections c ON c.id = (p.payload ->> 'connection_id')::uuid
               LEFT JOIN files f ON f.id = (p.payload ->> 'file_id')::uuid AND f.user_id = $4
               WHERE p.payload IS NOT NULL
           ), asked AS (
               INSERT INTO query_history (id, user_id, connection_id, file_id, question, query_type, job_id)
               SELECT question_id, $4, connection_id, file_id, payload ->> 'question',
                   CASE WHEN of_connection IS NOT NULL THEN 'database' WHEN of_file IS NOT NULL THEN 'excel' ELSE 'general' END, job_id
               FROM fresh
           ), queued AS (
               -- In the order of the lines: a microsecond apart.
               INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, connection_id, batch_id, subject_id, run_at, deadline, run_seconds,
                                 max_attempts, payload, traceparent)
               SELECT job_id, 'answer_question', 'bulk', 'waiting', false, $4, of_connection, $1, question_id,
                   dg_now() - (last - line) * interval '1 microsecond',
                   -- Of a line's own seconds none pass while it waits behind the others of its batch.
                   dg_now() + greatest(deadline_seconds, $5) * interval '1 second', coalesce(deadline_seconds::real, $6::real), $7,
                   payload || CASE WHEN custom_id IS NULL THEN '{}' ELSE jsonb_build_object('custom_id', custom_id) END, b.traceparent
               FROM fresh JOIN batches b ON b.id = $1
           )
           UPDATE batches SET next_line = coalesce((SELECT max(line) FROM page), last_line) + 1 WHERE id = $1
           RETURNING next_line, (SELECT count(*) FROM fresh) AS "made!""#,
        batch.id.0,
        batch.next_line,
        STEP,
        batch.user_id.0,
        terms.deadline_seconds,
        terms.run_seconds,
        terms.max_attempts
    )
    .fetch_one(conn)
    .await?;
    batch.next_line = row.next_line;
    Ok(row.made)
}

async fn put_tally(conn: &mut PgConnection, id: BatchId, tally: &Tally) -> Result<()> {
    sqlx::query!("UPDATE batches SET tally = $2, tallied_at = dg_now() WHERE id = $1", id.0, tally::stored(tally)?).execute(conn).await?;
    Ok(())
}

/// Ends a batch of which nothing is left: its state, its one terminal event and its callback are of one commit.
async fn finish(conn: &mut PgConnection, batch: &Open) -> Result<Ended> {
    let (status, event) = match batch.stopped_by.as_deref() {
        None => (BatchStatus::Completed, "batch.completed"),
        Some("budget") => (BatchStatus::BudgetSpent, "batch.cancelled"),
        Some(_) => (BatchStatus::Cancelled, "batch.cancelled"),
    };
    let tally = tally::tally(&mut *conn, batch.id).await?.unwrap_or_default();
    sqlx::query!(
        "UPDATE batches SET status = $2, finished_at = dg_now(), tally = $3, tallied_at = dg_now() WHERE id = $1 AND finished_at IS NULL",
        batch.id.0,
        status.as_str(),
        tally::stored(&tally)?
    )
    .execute(&mut *conn)
    .await?;
    let mut data = json!({ "batch_id": batch.id, "status": status, "counts": tally.counts, "usage": tally.usage });
    match batch.connections.as_slice() {
        [] => data["connection_id"] = json!(null),
        [only] => data["connection_id"] = json!(only),
        // Of several: not for keys that are limited to some.
        _ => {}
    }
    let (subject, callback) = (batch.id.to_string(), batch.callback_url.as_deref());
    let told = events::insert_with_callback(conn, event, &subject, batch.user_id, None, &data, callback).await?;
    let state = if status == BatchStatus::Completed { JobState::Succeeded } else { JobState::Cancelled };
    Ok(Ended { job_id: JobId(batch.id.0), user_id: batch.user_id, subject, state, tells_webhooks: told > 0 })
}
