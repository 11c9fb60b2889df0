//! `Prefer: wait`: holds a request until its work has ended or the time is up.

use std::time::Duration;

use datagenie_common::{
    ids::{JobId, QuestionId},
    store::{ledger::view, questions},
};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    extract::Wait,
    live::registry::Awaited,
};

/// How often is looked without being woken.
pub const LOOK: Duration = Duration::from_secs(1);

/// Waits until a question has ended; whether it has.
///
/// # Errors
/// If the database fails.
pub async fn until_ended(app: &App, id: QuestionId, wait: Wait) -> Result<bool> {
    let pool = &app.pool;
    let has_ended = move || async move { questions::has_ended(pool, id).await.map_err(ApiError::from) };
    held(app, &id.to_string(), Some(Awaited::Question(id)), wait, has_ended).await
}

/// Waits until a job has ended; whether it has. Its end is told under its subject, or its own id where it has none.
///
/// # Errors
/// If the database fails.
pub async fn until_job_ended(app: &App, id: JobId, subject: Option<Uuid>, wait: Wait) -> Result<bool> {
    let pool = &app.pool;
    let subject = subject.unwrap_or(id.0).to_string();
    let has_ended = move || async move { view::has_ended(pool, id).await.map_err(ApiError::from) };
    held(app, &subject, Some(Awaited::Job(id)), wait, has_ended).await
}

/// Waits until `has_ended` says so; whether it did. It is asked at once, whenever an end is told under this subject, and each second.
///
/// # Errors
/// Those of `has_ended`.
pub async fn until<H, F>(app: &App, subject: &str, wait: Wait, has_ended: H) -> Result<bool>
where
    H: Fn() -> F,
    F: Future<Output = Result<bool>>,
{
    held(app, subject, None, wait, has_ended).await
}

/// What is awaited by its id is looked for each second together with all that others wait for, and asked for only if it has ended.
async fn held<H, F>(app: &App, subject: &str, awaited: Option<Awaited>, wait: Wait, has_ended: H) -> Result<bool>
where
    H: Fn() -> F,
    F: Future<Output = Result<bool>>,
{
    let longest = Duration::from_secs(app.settings.limits.max_wait_seconds);
    let deadline = Instant::now() + wait.0.min(longest);
    // Watching begins before the first look, so that nothing falls between.
    let watch = app.hub.watch(subject, awaited, false);
    loop {
        if has_ended().await? {
            return Ok(true);
        }
        let look = if awaited.is_some() { deadline } else { deadline.min(Instant::now() + LOOK) };
        tokio::select! {
            _ = watch.next() => {}
            () = sleep_until(look) => {
                if look >= deadline {
                    return Ok(false);
                }
            }
            () = app.stopping.cancelled() => return Ok(false),
        }
    }
}
