//! What one user may use up: how it is stored where it differs from the settings, and what holds then.

use serde::{Deserialize, Serialize};

/// Limits in place of other ones; none: what else holds. 0: no limit. The stored form, and the one that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitChanges {
    /// Requests within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Questions within an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions_per_hour: Option<u64>,
    /// Unanswered questions at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_questions: Option<u64>,
    /// Uploads within an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads_per_hour: Option<u64>,
    /// MiB uploaded within a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_mb_per_day: Option<u64>,
    /// Tokens of the model on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<u64>,
    /// Cost on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_day: Option<f64>,
}

/// What holds; 0: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UserLimits {
    /// Requests within a minute.
    pub requests_per_minute: u64,
    /// Questions within an hour.
    pub questions_per_hour: u64,
    /// Unanswered questions at a time.
    pub concurrent_questions: u64,
    /// Uploads within an hour.
    pub uploads_per_hour: u64,
    /// MiB uploaded within a day.
    pub upload_mb_per_day: u64,
    /// Tokens of the model on a day.
    pub tokens_per_day: u64,
    /// Cost on a day.
    pub cost_per_day: f64,
}

impl UserLimits {
    /// With these changes.
    #[must_use]
    pub fn changed(self, by: &LimitChanges) -> Self {
        Self {
            requests_per_minute: by.requests_per_minute.unwrap_or(self.requests_per_minute),
            questions_per_hour: by.questions_per_hour.unwrap_or(self.questions_per_hour),
            concurrent_questions: by.concurrent_questions.unwrap_or(self.concurrent_questions),
            uploads_per_hour: by.uploads_per_hour.unwrap_or(self.uploads_per_hour),
            upload_mb_per_day: by.upload_mb_per_day.unwrap_or(self.upload_mb_per_day),
            tokens_per_day: by.tokens_per_day.unwrap_or(self.tokens_per_day),
            cost_per_day: by.cost_per_day.unwrap_or(self.cost_per_day),
        }
    }

    /// How much of a day's tokens and cost is used up: 1 being all of what is limited.
    #[must_use]
    pub fn share(&self, tokens: f64, cost: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "tokens of a day are far below 2^52")]
        let of_tokens = if self.tokens_per_day == 0 { 0.0 } else { tokens / self.tokens_per_day as f64 };
        let of_cost = if self.cost_per_day <= 0.0 { 0.0 } else { cost / self.cost_per_day };
        of_tokens.max(of_cost)
    }

    /// Whether there is a limit to what a day may use up.
    #[must_use]
    pub fn has_day(&self) -> bool {
        self.tokens_per_day > 0 || self.cost_per_day > 0.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_stored_holds_and_the_rest_is_the_settings() {
        let stored: LimitChanges = serde_json::from_value(json!({ "questions_per_hour": 5, "tokens_per_day": 0 })).expect("it is read");
        let settings = UserLimits { requests_per_minute: 60, questions_per_hour: 100, tokens_per_day: 9, ..UserLimits::default() };
        let holds = settings.changed(&stored);
        assert_eq!((holds.requests_per_minute, holds.questions_per_hour, holds.tokens_per_day), (60, 5, 0));
        assert_eq!(json!(stored), json!({ "questions_per_hour": 5, "tokens_per_day": 0 }));
    }

    #[test]
    fn the_tighter_limit_of_a_day_counts_and_none_is_none() {
        let limits = |tokens_per_day, cost_per_day| UserLimits { tokens_per_day, cost_per_day, ..UserLimits::default() };
        for (limits, expected) in [(limits(100, 0.0), 0.5), (limits(100, 9.0), 1.0), (limits(0, 0.0), 0.0)] {
            assert!((limits.share(50.0, 9.0) - expected).abs() < 1e-9);
            assert_eq!(limits.has_day(), expected > 0.0);
        }
    }
}
