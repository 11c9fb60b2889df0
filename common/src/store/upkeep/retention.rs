//! How long things are kept: settings that may change while the service runs.

use crate::{settings::Upkeep, word_enum};

word_enum! {
    /// A keeping time, by its key in `system_settings`. In days, but for the last one.
    pub enum Kept {
        /// Questions that have ended, with their answers.
        Questions = "query_history_retention_days",
        /// Answers; their questions stay.
        Results = "result_retention_days",
        /// Batches that have ended, with their lines.
        Batches = "batch_retention_days",
        /// Months of audit logs.
        AuditLogs = "audit_log_retention_days",
        /// The columns of customers' databases, as last synced.
        Catalogues = "cached_schema_retention_days",
        /// Durable events.
        Events = "event_retention_days",
        /// Jobs that have ended, with their attempts.
        Jobs = "job_retention_days",
        /// Dead jobs.
        DeadJobs = "dead_job_retention_days",
        /// Webhook deliveries that have ended, with their attempts.
        Deliveries = "delivery_retention_days",
        /// Runs of the upkeep and of schedules.
        Runs = "run_retention_days",
        /// Hours after which a schema is read again.
        Schemas = "schema_resync_hours",
    }
}

impl Kept {
    /// What the settings say of it: days, or hours for [`Kept::Schemas`].
    #[must_use]
    pub fn of(self, settings: &Upkeep) -> i32 {
        match self {
            Self::Questions => settings.query_history_retention_days,
            Self::Results => settings.result_retention_days,
            Self::Batches => settings.batch_retention_days,
            Self::AuditLogs => settings.audit_log_retention_days,
            Self::Catalogues => settings.cached_schema_retention_days,
            Self::Events => settings.event_retention_days,
            Self::Jobs => settings.job_retention_days,
            Self::DeadJobs => settings.dead_job_retention_days,
            Self::Deliveries => settings.delivery_retention_days,
            Self::Runs => settings.run_retention_days,
            Self::Schemas => settings.schema_resync_hours,
        }
    }
}

/// A keeping time that is no number of days: nothing is removed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("system_settings.{0} must be a whole number from 1 to 36500; nothing is removed until it is")]
pub struct Unusable(pub Kept);
