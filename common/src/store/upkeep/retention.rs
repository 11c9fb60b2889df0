//! How long things are kept: `system_settings`, read at every run, so that a change needs no restart.

use sqlx::PgPool;

use crate::{
    store::{Result, system_settings},
    word_enum,
};

word_enum! {
    /// A keeping time, by its key in `system_settings`. In days, but for the last one.
    pub enum Kept {
        /// Questions that have ended, with their answers.
        Questions = "query_history_retention_days",
        /// Answers; their questions stay.
        Results = "result_retention_days",
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
    /// What the migration puts into the table, and what holds where somebody has removed the row.
    fn fallback(self) -> i32 {
        match self {
            Self::Questions | Self::Results | Self::DeadJobs | Self::Runs => 90,
            Self::AuditLogs => 180,
            Self::Catalogues | Self::Events | Self::Jobs | Self::Deliveries => 30,
            Self::Schemas => 24,
        }
    }
}

/// A keeping time that is no number of days: nothing is removed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("system_settings.{0} must be a whole number from 1 to 36500; nothing is removed until it is")]
pub struct Unusable(pub Kept);

/// A keeping time in days (hours for [`Kept::Schemas`]). The inner error: it is set to what is no number of them.
///
/// # Errors
/// If the database fails.
pub async fn kept(pool: &PgPool, what: Kept) -> Result<std::result::Result<i32, Unusable>> {
    let Some(value) = system_settings::get(pool, what.as_str()).await? else { return Ok(Ok(what.fallback())) };
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok()).filter(|number| (1..=36_500).contains(number));
    Ok(number.ok_or(Unusable(what)))
}
