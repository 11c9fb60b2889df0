//! The tasks of the upkeep.

use crate::word_enum;

word_enum! {
    /// What the scheduler keeps in shape; also what a maintenance schedule may name.
    pub enum UpkeepTask {
        /// Expired login sessions.
        Sessions = "sessions",
        /// Expired idempotency keys.
        IdempotencyKeys = "idempotency_keys",
        /// Months of audit logs: made ahead, and dropped.
        AuditLogs = "audit_logs",
        /// Schemas that were not read for a day are read again.
        StaleSchemas = "stale_schemas",
        /// Questions past their keeping time, with their answers and files.
        Questions = "questions",
        /// Answers past their keeping time, with their files.
        Results = "results",
        /// Batches past their keeping time, and lines of uploads that came to nothing.
        Batches = "batches",
        /// Columns of customers' databases that no sync has seen for long.
        CachedSchemas = "cached_schemas",
        /// Durable events.
        Events = "events",
        /// Webhook deliveries that have ended.
        Deliveries = "deliveries",
        /// Jobs that have ended, and dead ones, with their attempts.
        Jobs = "jobs",
        /// Contents of uploads that no file is of any more.
        Workbooks = "workbooks",
        /// Files without a row, and rows whose file is gone.
        Files = "files",
        /// Records of the upkeep itself.
        Runs = "runs",
    }
}

impl UpkeepTask {
    /// Seconds from the beginning of a run to the next one.
    #[must_use]
    pub const fn every_seconds(self) -> f64 {
        match self {
            Self::StaleSchemas => 60.0,
            Self::Sessions | Self::IdempotencyKeys => 600.0,
            Self::AuditLogs | Self::Questions | Self::Results | Self::CachedSchemas | Self::Events => 3_600.0,
            Self::Batches | Self::Deliveries | Self::Jobs | Self::Workbooks => 3_600.0,
            Self::Files | Self::Runs => 21_600.0,
        }
    }
}
