//! Takes an upload in: reads it through, stores its lines in steps of their own, and makes the batch of them in one commit.

use std::sync::Arc;

use datagenie_common::{
    batches::{LONGEST_SQL, LongestTexts, OnInvalid, Options, Verdicts},
    ids::{ApiKeyId, BatchId},
    store::{
        audit::{self, Entry},
        batches::{self, ItemRow, NewBatch},
    },
};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::{
    draft::Draft,
    read::{self, Summary},
    spool::Spool,
};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Idempotency,
    frame::Framed,
    idempotency,
    limits::{self, Held},
    webhooks,
};

/// Uploads read at once by this process: each takes a core. The others wait, on disk.
static READERS: Semaphore = Semaphore::const_new(2);
/// Lines stored in one step.
const STEP: usize = 500;
/// Bytes stored in one step, but for the line that passes it.
const STEP_BYTES: usize = 1024 * 1024;

/// Who sends it, and how.
pub(super) struct Sender<'a> {
    pub app: &'a App,
    pub framed: &'a Framed,
    pub caller: &'a Caller,
    pub key: &'a Idempotency,
}

/// The batch that this upload makes, or that an earlier one with the same key has made.
///
/// # Errors
/// 422 with the lines that can't be taken, 429 where too much waits; nothing is kept then.
pub(super) async fn take(sender: &Sender<'_>, spool: Spool, options: Options) -> Result<BatchId> {
    let Sender { app, caller, .. } = *sender;
    room(app, caller).await?;
    let turn = READERS.acquire().await.map_err(|error| ApiError::internal(&error))?;
    let spool = Arc::new(spool);
    let (most, own) = (app.settings.limits.batch_lines, spool.clone());
    let named = blocking(move || read::named(&own, options, most)).await?;
    let (connections, files): (Vec<_>, Vec<_>) = (named.connections.into_iter().collect(), named.files.into_iter().collect());
    let usable = caller.limited_to();
    let verdicts = batches::verdicts(&app.pool, caller.viewer(), usable.as_deref(), &connections, &files).await?;
    let reading = Arc::new(Reading {
        spool,
        options: named.options,
        longest: LongestTexts { question: app.settings.limits.question_bytes, sql: LONGEST_SQL },
        verdicts,
        key: limits::key_of(caller),
    });
    let own = reading.clone();
    let mut summary = blocking(move || read::summary(&own.spool, &own.options, own.longest, &own.verdicts)).await?;
    summary.accepted(reading.options.on_invalid.unwrap_or(OnInvalid::Reject))?;
    let mut held = app.limits.questions(app, caller, u64::from(summary.questions)).await?;
    let _entered = app.admission.enter(caller.user_id, u64::from(summary.questions)).await?;
    if reading.options.callback_url.is_some() {
        // Made at its first use, so that there is one when the batch ends.
        webhooks::callback_secret::of(app, caller.user_id).await?;
    }
    let mut draft = Draft::new(&app.pool);
    store(app, draft.id, reading.clone()).await?;
    drop(turn);
    commit(sender, &mut draft, &mut held, &summary, &reading.options).await
}

/// What reading the lines needs.
struct Reading {
    spool: Arc<Spool>,
    options: Options,
    longest: LongestTexts,
    verdicts: Verdicts,
    /// The API key that it is sent by.
    key: Option<ApiKeyId>,
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?
}

async fn room(app: &App, caller: &Caller) -> Result<()> {
    let most = app.settings.limits.batches_per_user;
    if batches::open_count(&app.pool, caller.user_id, most).await? < most {
        return Ok(());
    }
    let detail = format!("{most} of your batches have not ended, which is the most (limits.batches_per_user); try again when some have");
    Err(ApiError::new(Code::TooManyRequests, detail).limit("batches", most.unsigned_abs()).retry_after(std::time::Duration::from_secs(5)))
}

/// Stores the lines, a few in each statement: no transaction stands open while they are read.
async fn store(app: &App, batch: BatchId, reading: Arc<Reading>) -> Result<()> {
    let (sender, mut steps) = mpsc::channel::<Vec<ItemRow>>(1);
    let reader = tokio::task::spawn_blocking(move || {
        let (mut step, mut bytes) = (Vec::new(), 0);
        read::lines(&reading.spool, &reading.options, reading.longest, &reading.verdicts, |checked| {
            let row = read::row(checked, reading.key)?;
            bytes += row.size();
            step.push(row);
            if step.len() < STEP && bytes < STEP_BYTES {
                return Ok(true);
            }
            bytes = 0;
            // Who stores them has gone away: so do we.
            Ok(sender.blocking_send(std::mem::take(&mut step)).is_ok())
        })?;
        let _ = sender.blocking_send(step);
        Ok(())
    });
    while let Some(step) = steps.recv().await {
        batches::insert_items(&app.pool, batch, &step).await?;
    }
    reader.await.map_err(|error| ApiError::internal(&error))?
}

async fn commit(sender: &Sender<'_>, draft: &mut Draft, held: &mut Held, summary: &Summary, options: &Options) -> Result<BatchId> {
    let Sender { app, framed, caller, key } = *sender;
    let new = NewBatch {
        id: draft.id,
        user_id: caller.user_id,
        on_invalid: options.on_invalid.unwrap_or(OnInvalid::Reject),
        connection_id: options.connection_id,
        connections: summary.connections.iter().copied().collect(),
        callback_url: options.callback_url.clone(),
        budget: options.budget,
        total: summary.total,
        invalid: summary.invalid,
        questions: summary.questions,
        last_line: summary.last_line,
        traceparent: Some(framed.trace.render()),
    };
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, caller, key, new.id.0).await? {
        tx.rollback().await?;
        return Ok(BatchId(earlier));
    }
    batches::insert(&mut tx, &new).await?;
    let details = json!({
        "lines": new.total, "invalid": new.invalid, "questions": new.questions, "connections": new.connections, "budget": new.budget,
    });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "batch.created",
        resource_type: "batch",
        resource_id: Some(new.id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    draft.keep();
    held.keep();
    tx.commit().await?;
    // Its first questions are made now; what this does not do, the sweep does.
    if let Err(error) = app.settling.settle(new.id).await {
        tracing::warn!(error = %error, batch_id = %new.id, "a new batch is not settled yet");
    }
    Ok(new.id)
}
