//! Calls and tokens of a model within a minute, over the whole fleet. Where the settings give no limit nothing is asked of anybody.
//! Tokens are taken on an estimate before the call and corrected by what the model says that it used.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use datagenie_common::{
    model::questions::Usage,
    settings::Llm,
    store::{
        StoreError,
        rates::{self, Take},
    },
};
use sqlx::PgPool;
use tokio::time::{Instant, timeout};

use crate::capacity::Resource;

/// How long the windows may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest that anybody is sent away for: a bucket is full again by then, if nobody takes of it.
const LONGEST: Duration = Duration::from_secs(60);

/// Why a call may not begin.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Used up: when it may begin.
    #[error("the window is used up")]
    Used(Duration),
    /// Nobody can say.
    #[error("the windows can't be read")]
    Store(#[from] StoreError),
}

/// The windows of one model.
pub struct Windows {
    pool: PgPool,
    resource: Resource,
    requests_per_minute: u64,
    tokens_per_minute: u64,
    max_tokens: u64,
    /// When the next one of this process who is sent away may come back: one after the other, not all of them for the first place.
    turn: Mutex<Option<Instant>>,
}

impl Windows {
    /// By the settings; for a model whose calls are this resource.
    #[must_use]
    pub fn new(settings: &Llm, pool: PgPool, resource: Resource) -> Self {
        Self {
            pool,
            resource,
            requests_per_minute: settings.requests_per_minute,
            tokens_per_minute: settings.tokens_per_minute,
            max_tokens: settings.max_tokens.into(),
            turn: Mutex::new(None),
        }
    }

    /// Takes a call of so many characters out of the windows: the tokens that were taken for it.
    ///
    /// # Errors
    /// [`WindowError`].
    pub async fn take(&self, prompt_chars: usize) -> Result<u64, WindowError> {
        let estimate = self.estimate(prompt_chars);
        let takes = self.takes(estimate);
        if takes.is_empty() {
            return Ok(0);
        }
        let taken = timeout(PATIENCE, rates::take(&self.pool, &takes)).await;
        match taken.unwrap_or(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)))? {
            None => Ok(estimate),
            Some(seconds) => {
                let apart = takes.iter().map(|take| take.seconds).fold(0.0, f64::max);
                Err(WindowError::Used(self.turn(Instant::now(), span(seconds), span(apart))))
            }
        }
    }

    /// Corrects the estimate by what was really used. A model that tells no usage is believed the estimate.
    pub async fn correct(&self, taken: u64, used: &Usage) {
        let used = used.prompt_tokens.saturating_add(used.completion_tokens);
        if used > 0 {
            self.settle(taken, used).await;
        }
    }

    /// Gives the tokens of a call back that never reached the model.
    pub async fn refund(&self, taken: u64) {
        self.settle(taken, 0).await;
    }

    async fn settle(&self, taken: u64, used: u64) {
        if self.tokens_per_minute == 0 || taken == used {
            return;
        }
        let mut correction = Take::new(self.tokens(), taken.abs_diff(used), self.tokens_per_minute);
        if used < taken {
            correction.seconds = -correction.seconds;
        }
        if !matches!(timeout(PATIENCE, rates::correct(&self.pool, &correction)).await, Ok(Ok(()))) {
            tracing::debug!("a window of tokens was not corrected: the estimate stands");
        }
    }

    /// A token is about three characters, in Korean and in SQL; few answers are as long as they may be.
    fn estimate(&self, prompt_chars: usize) -> u64 {
        u64::try_from(prompt_chars).unwrap_or(u64::MAX) / 3 + self.max_tokens / 4
    }

    fn takes(&self, estimate: u64) -> Vec<Take> {
        let mut takes = Vec::new();
        if self.requests_per_minute > 0 {
            takes.push(Take::new(format!("{}:requests", self.resource.name()), 1, self.requests_per_minute));
        }
        if self.tokens_per_minute > 0 {
            takes.push(Take::new(self.tokens(), estimate, self.tokens_per_minute));
        }
        takes
    }

    fn tokens(&self) -> String {
        format!("{}:tokens", self.resource.name())
    }

    fn turn(&self, now: Instant, wait: Duration, apart: Duration) -> Duration {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let first = now + wait;
        let mine = turn.map_or(first, |after| first.max(after + apart)).min(first.max(now + LONGEST));
        *turn = Some(mine);
        mine - now
    }
}

fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::*;

    fn windows(requests_per_minute: u64, tokens_per_minute: u64) -> Windows {
        let pool = PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new_without_pgpass());
        Windows {
            pool,
            resource: Resource::model("http://model/v1", "one"),
            requests_per_minute,
            tokens_per_minute,
            max_tokens: 2_000,
            turn: Mutex::new(None),
        }
    }

    #[tokio::test]
    async fn without_limits_nothing_is_asked() {
        assert_eq!(windows(0, 0).take(10_000).await.expect("no database is needed"), 0);
        assert_eq!(windows(60, 0).takes(500).iter().map(|take| take.seconds).collect::<Vec<_>>(), [1.0]);
        let both = windows(120, 60_000);
        assert_eq!(both.estimate(30_000), 10_500);
        assert_eq!(both.takes(10_500).iter().map(|take| take.seconds).collect::<Vec<_>>(), [0.5, 10.5]);
    }

    #[tokio::test]
    async fn who_is_sent_away_comes_back_in_turn() {
        let windows = windows(60, 0);
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let waits: Vec<_> = (0..3).map(|_| windows.turn(now, second, second)).collect();
        assert_eq!(waits, [second, 2 * second, 3 * second]);
        assert_eq!(windows.turn(now + 10 * second, second, second), second, "old turns are over");
        assert_eq!((0..100).map(|_| windows.turn(now, second, second)).max(), Some(LONGEST), "nobody waits longer than a bucket fills");
    }
}
