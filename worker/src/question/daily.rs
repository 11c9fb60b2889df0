//! What a user's questions of a day may use up, looked at before each call of a model: much may have been used since the question was taken
//! in, by others that waited with it, by a batch, by a schedule.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use datagenie_common::{
    ids::{ApiKeyId, UserId},
    jobs::AnswerQuestion,
    model::{
        jobs::JobError,
        questions::{Failure, FailureCode, Usage},
    },
    store::{
        Result,
        limits::{self, Day, Spent, StoredLimits},
    },
};
use sqlx::PgPool;
use tokio::time::Instant;

use super::failures;
use crate::run::Context;

/// How long what was read of somebody's limits is good. What he has used is summed before each call of the model, where he has a limit.
const GOOD: Duration = Duration::from_secs(1);
/// Users and keys whose limits are known.
const KNOWN: usize = 10_000;

/// Whose limits they are, with the key that was used.
type Owner = (UserId, Option<ApiKeyId>);

/// Limits that are stored of users and keys, as they were within the last second. Bounded.
#[derive(Default)]
pub struct KnownLimits(Mutex<HashMap<Owner, (Instant, StoredLimits)>>);

impl KnownLimits {
    async fn of(&self, pool: &PgPool, user: UserId, key: Option<ApiKeyId>) -> Result<StoredLimits> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, stored)) = known().get(&(user, key))
            && read.elapsed() < GOOD
        {
            return Ok(*stored);
        }
        let read = Instant::now();
        let stored = limits::find(pool, user, key).await?.unwrap_or_default();
        let mut known = known();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert((user, key), (read, stored));
        Ok(stored)
    }
}

/// Checks that the day on which it was asked has something left, `used` being what the attempt has used already.
///
/// # Errors
/// [`FailureCode::DailyLimit`], which is final: the day does not get any longer. What the store says.
pub(super) async fn check(context: &Context, ask: &AnswerQuestion, used: &Usage) -> std::result::Result<(), JobError> {
    let env = &context.env;
    let limits = env.live_settings.get().limits.of_one_user();
    #[expect(clippy::cast_precision_loss, reason = "tokens of an attempt are far below 2^52")]
    let used = Spent { tokens: (used.prompt_tokens + used.completion_tokens) as f64, cost: used.cost };
    // What it uses counts on the day of the question, which is the one of its job: asked late, it may run on the next.
    let day = Day { user: context.job.user_id, key: ask.api_key_id, time: Some(context.job.created_at) };
    let is_spent = async {
        let stored = env.limits.of(&env.pool, day.user, day.key).await?;
        limits::is_spent_of(&env.pool, day, limits, stored, used).await
    };
    if !is_spent.await.map_err(|error| failures::store(context, &error))? {
        return Ok(());
    }
    let message = "the questions of its day have used up what the model may cost their asker, or by his API key \
                   (limits.tokens_per_day, limits.cost_per_day)";
    let hint = "ask again tomorrow (UTC); an administrator can raise the limit";
    Err(JobError::Fail(Failure::new(FailureCode::DailyLimit, message).hint(hint)))
}
