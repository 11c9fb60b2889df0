//! Limits as they are sent and shown.

use datagenie_common::model::limits::{LimitChanges, UserLimits};
use serde::{Deserialize, Serialize};

use super::Standing;
use crate::error::{ApiError, Result};

/// The largest number of a limit: more says nothing.
const MOST: u64 = 1_000_000_000_000;

/// Limits in place of those that hold otherwise. Null or left out: what holds otherwise; 0: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSet {
    /// Requests within a minute.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub requests_per_minute: Option<u64>,
    /// Questions within an hour, those of batches included.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub questions_per_hour: Option<u64>,
    /// Questions asked singly that may be unanswered at a time.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub concurrent_questions: Option<u64>,
    /// Uploads within an hour.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub uploads_per_hour: Option<u64>,
    /// MiB uploaded within a day.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub upload_mb_per_day: Option<u64>,
    /// Tokens of the model on a day (UTC).
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub tokens_per_day: Option<u64>,
    /// Cost on a day (UTC), in the currency of the configured prices.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub cost_per_day: Option<f64>,
}

impl LimitSet {
    /// The same, checked.
    ///
    /// # Errors
    /// 422 for a number out of bounds.
    pub fn changes(&self) -> Result<LimitChanges> {
        for (name, number) in [
            ("requests_per_minute", self.requests_per_minute),
            ("questions_per_hour", self.questions_per_hour),
            ("concurrent_questions", self.concurrent_questions),
            ("uploads_per_hour", self.uploads_per_hour),
            ("upload_mb_per_day", self.upload_mb_per_day),
            ("tokens_per_day", self.tokens_per_day),
        ] {
            if number.is_some_and(|number| number > MOST) {
                return Err(ApiError::field(name, format!("must be 0 (no limit) to {MOST}")));
            }
        }
        if self.cost_per_day.is_some_and(|cost| !(0.0..=1e12).contains(&cost)) {
            return Err(ApiError::field("cost_per_day", format!("must be 0 (no limit) to {MOST}")));
        }
        Ok(LimitChanges {
            requests_per_minute: self.requests_per_minute,
            questions_per_hour: self.questions_per_hour,
            concurrent_questions: self.concurrent_questions,
            uploads_per_hour: self.uploads_per_hour,
            upload_mb_per_day: self.upload_mb_per_day,
            tokens_per_day: self.tokens_per_day,
            cost_per_day: self.cost_per_day,
        })
    }
}

impl From<LimitChanges> for LimitSet {
    fn from(stored: LimitChanges) -> Self {
        Self {
            requests_per_minute: stored.requests_per_minute,
            questions_per_hour: stored.questions_per_hour,
            concurrent_questions: stored.concurrent_questions,
            uploads_per_hour: stored.uploads_per_hour,
            upload_mb_per_day: stored.upload_mb_per_day,
            tokens_per_day: stored.tokens_per_day,
            cost_per_day: stored.cost_per_day,
        }
    }
}

impl From<UserLimits> for LimitSet {
    fn from(holding: UserLimits) -> Self {
        Self {
            requests_per_minute: Some(holding.requests_per_minute),
            questions_per_hour: Some(holding.questions_per_hour),
            concurrent_questions: Some(holding.concurrent_questions),
            uploads_per_hour: Some(holding.uploads_per_hour),
            upload_mb_per_day: Some(holding.upload_mb_per_day),
            tokens_per_day: Some(holding.tokens_per_day),
            cost_per_day: Some(holding.cost_per_day),
        }
    }
}

/// How limits stand.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StandingView {
    /// What holds; 0: no limit.
    pub limits: LimitSet,
    /// What holds for the API key of the call besides; null: none does.
    pub key_limits: Option<LimitSet>,
    /// Those that fill again with time, as `RateLimit` names them.
    pub left: Vec<LeftView>,
    /// Tokens that today's questions have used up; null where there is no limit to them.
    pub tokens_today: Option<f64>,
    /// What they have cost; null where there is no limit to it.
    pub cost_today: Option<f64>,
}

/// What is left of a limit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LeftView {
    /// `requests`, `questions`, `uploads`, `upload-bytes`; of a key with `key-` before it.
    pub name: String,
    /// What there is when it is whole.
    pub quota: u64,
    /// In how many seconds it fills.
    pub window_seconds: u32,
    /// What is left now.
    pub left: u64,
    /// Seconds until it is whole; where nothing is left, until there is something.
    pub more_in_seconds: u64,
}

impl From<Standing> for StandingView {
    fn from(standing: Standing) -> Self {
        let left = standing.levels.into_iter().map(|(name, quota, window_seconds, level)| LeftView {
            name: name.to_owned(),
            quota,
            window_seconds,
            left: level.left,
            more_in_seconds: level.more_in.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX),
        });
        Self {
            limits: standing.user.into(),
            key_limits: (standing.key != LimitChanges::default()).then(|| standing.key.into()),
            left: left.collect(),
            tokens_today: standing.spent.filter(|_| standing.user.tokens_per_day > 0).map(|spent| spent.tokens),
            cost_today: standing.spent.filter(|_| standing.user.cost_per_day > 0.0).map(|spent| spent.cost),
        }
    }
}
