//! What a batch and each of its lines may say.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{jobs::CacheMode, word_enum};

word_enum! {
    /// What becomes of a batch of which some lines can't be taken.
    pub enum OnInvalid {
        /// Nothing is taken in.
        Reject = "reject",
        /// The good lines run; the others are errors of the result.
        Skip = "skip",
    }
}

/// What a batch may cost; what is not given does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Tokens read and written by the model, together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// In the currency of the configured prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

impl Budget {
    /// What is wrong with it: the field and what is expected.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.tokens.is_none() && self.cost.is_none() {
            return Some(("budget", "names neither tokens nor cost; leave it out for no limit"));
        }
        if self.tokens.is_some_and(|tokens| tokens < 1) {
            return Some(("budget.tokens", "must be a whole number from 1"));
        }
        if self.cost.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
            return Some(("budget.cost", "must be more than 0"));
        }
        None
    }
}

/// What holds for a whole batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The connection of lines that name neither a connection nor a file.
    pub connection_id: Option<Uuid>,
    /// What becomes of bad lines.
    pub on_invalid: Option<OnInvalid>,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// Called once at its end.
    pub callback_url: Option<String>,
}

/// One line of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The sender's own name of it, unique within the batch.
    pub custom_id: String,
    /// In the asker's words; this or `sql`, or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// A reviewed statement, run through the guard instead of a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The database it is asked of, instead of the batch's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<Uuid>,
    /// The uploaded file it is asked of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<Uuid>,
    /// Whether a cached answer will do; it does unless this says `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheMode>,
    /// Seconds that it has from the beginning of its first attempt on, 1 to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_seconds: Option<f64>,
}

/// What can be told of a line that is no [`Line`]: its name, if that can be read.
#[derive(Debug, Default, Deserialize)]
pub struct LineShape {
    /// Its name.
    #[serde(default)]
    pub custom_id: Option<serde_json::Value>,
}

impl LineShape {
    /// The name of a line that can be read at all.
    #[must_use]
    pub fn custom_id(text: &[u8]) -> Option<String> {
        let shape: Self = serde_json::from_slice(text).ok()?;
        Some(shape.custom_id?.as_str()?.to_owned())
    }
}
