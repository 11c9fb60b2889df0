//! A job's states and the words around it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::questions::Failure;
use crate::word_enum;

word_enum! {
    /// Which queue a job rings in; each lane has workers and windows of its own, so none waits for another.
    pub enum Lane {
        /// Somebody is waiting for it.
        Interactive = "interactive",
        /// Items of batches.
        Bulk = "bulk",
        /// Probes, syncs, clean-ups.
        Maintenance = "maintenance",
        /// Deliveries of webhooks.
        Webhook = "webhook",
    }
}

word_enum! {
    /// `waiting → queued → running → succeeded | failed | cancelled`, and `running → waiting` for a retry.
    pub enum JobState {
        /// In PostgreSQL only: its time or its turn has not come.
        Waiting = "waiting",
        /// Its bell was rung.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        /// Ended with a result.
        Succeeded = "succeeded",
        /// Ended without one.
        Failed = "failed",
        /// Ended on request.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether the job is over for good.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// How far a running job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// What is counted.
    pub unit: String,
}

/// What an attempt that brought no result asks of the ledger.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JobError {
    /// Something went wrong that may not go wrong again: costs an attempt, and is tried again after a backoff, never sooner than `after`.
    #[error("{}", failure.message)]
    Retry {
        /// What to report when the attempts are spent.
        failure: Failure,
        /// The least time to wait.
        after: Duration,
    },
    /// Nobody's fault (rate limit, source or model down): costs no attempt, ends at the job's deadline.
    #[error("{}", failure.message)]
    Later {
        /// What to report when the deadline passes.
        failure: Failure,
        /// When to try again.
        at: DateTime<Utc>,
    },
    /// Final.
    #[error("{}", .0.message)]
    Fail(Failure),
}

impl JobError {
    /// The failure told, whatever is done about it.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Retry { failure, .. } | Self::Later { failure, .. } | Self::Fail(failure) => failure,
        }
    }

    /// The same, with the stage it happened in.
    #[must_use]
    pub fn at(mut self, stage: super::questions::Stage) -> Self {
        match &mut self {
            Self::Retry { failure, .. } | Self::Later { failure, .. } | Self::Fail(failure) => {
                failure.stage.get_or_insert(stage);
            }
        }
        self
    }
}
