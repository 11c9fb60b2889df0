//! `Prefer: wait`: holds a request until its work has ended or the time is up.

use std::time::Duration;

use datagenie_common::{
    ids::{JobId, QuestionId},
    store::{ledger::view, questions},
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    extract::Wait,
};

/// How often is looked without being woken.
pub const LOOK: Duration = Duration::from_secs(1);

/// Waits until a question has ended; whether it has.
///
/// # Errors
/// If the database fails.
pub async fn until_ended(app: &App, id: QuestionId, wait: Wait) -> Result<bool> {
    let pool = &app.pool;
    until(app, &id.to_string(), wait, move || async move { questions::has_ended(pool, id).await.map_err(ApiError::from) }).await
}

/// Waits until a job has ended; whether it has. Its end is told under its subject, or its own id where it has none.
///
/// # Errors
/// If the database fails.
pub async fn until_job_ended(app: &App, id: JobId, subject: Option<Uuid>, wait: Wait) -> Result<bool> {
    let pool = &app.pool;
    let subject = subject.unwrap_or(id.0).to_string();
    until(app, &subject, wait, move || async move { view::has_ended(pool, id).await.map_err(ApiError::from) }).await
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
    let longest = Duration::from_secs(app.settings.limits.max_wait_seconds);
    let deadline = Instant::now() + wait.0.min(longest);
    // Listening begins before the first look, so that nothing falls between.
    let mut messages = app.hub.listen();
    loop {
        if has_ended().await? {
            return Ok(true);
        }
        let look = Instant::now() + LOOK;
        loop {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::select! {
                message = messages.recv() => match message {
                    Ok(live) if live.subject == subject && live.progress.is_none() => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => sleep_until(look.min(deadline)).await,
                },
                () = sleep_until(look.min(deadline)) => break,
                () = app.stopping.cancelled() => return Ok(false),
            }
        }
    }
}
