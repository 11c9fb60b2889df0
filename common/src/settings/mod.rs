//! The settings, from the environment, `system_settings`, a file and the defaults, in that order, checked whole.
//!
//! `Settings::load` is called twice by a server: first without stored settings, to learn where the database is, then with them.

mod answers;
mod assemble;
mod file_root;
pub mod keys;
mod kinds;
mod load;
mod origins;
mod problems;
mod processes;
pub mod programs;
pub mod render;
mod sources;
mod urls;
mod values;

pub use ipnetwork::IpNetwork;

pub use self::{
    answers::{Auth, CacheTimes, CustomerSources, FileStore, Intake, Llm, Query, Sealing, Upkeep, Webhooks},
    file_root::{Bucket, BucketKey, FileRoot},
    keys::{DEFAULT_LLM_BASE_URL, Key, ValueType},
    origins::{Loaded, Origin, SourceKind, default_of},
    problems::{Problem, SettingsError},
    processes::{Api, Broker, ClockShift, Database, Jobs, Log, LogFormat, Redis, Scheduler, Traces, Worker},
    sources::Sources,
    urls::SecretUrl,
    values::acceptable,
};

/// All settings. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The system database.
    pub database: Database,
    /// Redis, for caches and live events.
    pub redis: Redis,
    /// What wakes the workers.
    pub broker: Broker,
    /// The HTTP api.
    pub api: Api,
    /// Worker processes.
    pub worker: Worker,
    /// Scheduler processes.
    pub scheduler: Scheduler,
    /// The ledger.
    pub jobs: Jobs,
    /// What one user and all users may ask for.
    pub limits: Intake,
    /// Secrets at rest.
    pub sealing: Sealing,
    /// The language model.
    pub llm: Llm,
    /// Files.
    pub files: FileStore,
    /// Bounds of a query on a customer's database.
    pub query: Query,
    /// Signing in.
    pub auth: Auth,
    /// Caches.
    pub cache: CacheTimes,
    /// Customers' databases.
    pub sources: CustomerSources,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// Log lines.
    pub log: Log,
    /// Spans.
    pub traces: Traces,
    /// The clock.
    pub clock: ClockShift,
    /// Keeping times.
    pub upkeep: Upkeep,
    /// Where each of them comes from.
    pub loaded: Loaded,
}

impl Settings {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// Every problem of every source at once: unknown names (with the nearest known one), wrong types, values out of bounds, missing ones.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        load::load(sources)
    }
}

#[cfg(test)]
mod tests;
