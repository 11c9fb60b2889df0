//! `Prefer: wait`: holds a request until a question has ended or the time is up.

use std::time::Duration;

use datagenie_common::{ids::QuestionId, store::questions};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep_until},
};

use crate::{app::App, error::Result, extract::Wait};

/// How often is looked without being woken.
pub const LOOK: Duration = Duration::from_secs(1);

/// Waits until a question has ended; whether it has.
///
/// # Errors
/// If the database fails.
pub async fn until_ended(app: &App, id: QuestionId, wait: Wait) -> Result<bool> {
    let longest = Duration::from_secs(app.settings.limits.max_wait_seconds);
    let deadline = Instant::now() + wait.0.min(longest);
    // Listening begins before the first look, so that nothing falls between.
    let mut messages = app.hub.listen();
    let subject = id.to_string();
    loop {
        if questions::has_ended(&app.pool, id).await? {
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
