//! Settings of what is done for people: what they may ask for, how it is answered, and how long it is kept.

use std::{path::PathBuf, time::Duration};

use ipnetwork::IpNetwork;
use secrecy::{ExposeSecret, SecretString};

use super::{DEFAULT_LLM_BASE_URL, FileRoot};
use crate::{
    crypto::{Keyring, SealingError},
    model::{limits::UserLimits, policies::Limits},
};

/// `[limits]`
#[derive(Clone, Debug)]
pub struct Intake {
    /// Waiting jobs of one user.
    pub waiting_per_user: u64,
    /// Waiting jobs in all.
    pub waiting: u64,
    /// The longest question, in bytes.
    pub question_bytes: usize,
    /// Lines of one batch.
    pub batch_lines: u32,
    /// The longest upload of a batch, in MiB.
    pub batch_mb: u64,
    /// Batches of one user that have not ended.
    pub batches_per_user: i64,
    /// The longest `Prefer: wait`, in seconds.
    pub max_wait_seconds: u64,
    /// Requests of one user within a minute; 0: no limit. This and the following hold for users for whom nothing else is stored.
    pub requests_per_minute: u64,
    /// Questions of one user within an hour; 0: no limit.
    pub questions_per_hour: u64,
    /// Unanswered questions of one user; 0: no limit of their own.
    pub concurrent_questions: u64,
    /// Uploads of one user within an hour; 0: no limit.
    pub uploads_per_hour: u64,
    /// What one user uploads within a day, in MiB; 0: no limit.
    pub upload_mb_per_day: u64,
    /// Tokens of one user's questions on a day; 0: no limit.
    pub tokens_per_day: u64,
    /// Cost of one user's questions on a day; 0: no limit.
    pub cost_per_day: f64,
}

impl Intake {
    /// What one user may use up where nothing else is stored of him.
    #[must_use]
    pub fn of_one_user(&self) -> UserLimits {
        UserLimits {
            requests_per_minute: self.requests_per_minute,
            questions_per_hour: self.questions_per_hour,
            concurrent_questions: self.concurrent_questions,
            uploads_per_hour: self.uploads_per_hour,
            upload_mb_per_day: self.upload_mb_per_day,
            tokens_per_day: self.tokens_per_day,
            cost_per_day: self.cost_per_day,
        }
    }
}

/// `[sealing]`
#[derive(Clone, Debug)]
pub struct Sealing {
    /// For [`Keyring::from_setting`](crate::crypto::Keyring::from_setting).
    pub key: SecretString,
}

impl Sealing {
    /// The keys.
    ///
    /// # Errors
    /// What is wrong with them, without showing them.
    pub fn keyring(&self) -> Result<Keyring, SealingError> {
        Keyring::from_setting(self.key.expose_secret())
    }
}

/// `[llm]`
#[derive(Clone, Debug)]
pub struct Llm {
    /// Of an OpenAI-compatible API, without a slash at its end.
    pub base_url: String,
    /// Its key; local servers need none.
    pub api_key: Option<SecretString>,
    /// The model's name.
    pub model: String,
    /// 0 to 2.
    pub temperature: f64,
    /// Time-out of one call, in seconds.
    pub timeout_seconds: u64,
    /// Calls at once, over all worker processes.
    pub max_concurrency: u32,
    /// Calls within a minute, over all worker processes; 0: no limit.
    pub requests_per_minute: u64,
    /// Tokens within a minute, over all worker processes; 0: no limit.
    pub tokens_per_minute: u64,
    /// Failures in a row after which the model is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone, in seconds.
    pub breaker_seconds: u64,
    /// Of a million prompt tokens.
    pub prompt_price: f64,
    /// Of a million completion tokens.
    pub completion_price: f64,
    /// Characters of schema in a prompt.
    pub schema_budget_chars: usize,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// Whether to ask for strict JSON by schema.
    pub json_schema: bool,
}

impl Llm {
    /// Whether there is a model to ask: a key, or an address of one's own (local servers need no key). Else the offline planner answers.
    #[must_use]
    pub fn configured(&self) -> bool {
        self.api_key.is_some() || self.base_url != DEFAULT_LLM_BASE_URL
    }

    /// Whether a model by these settings is the same as by the others.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let key = |of: &Self| of.api_key.as_ref().map(|key| key.expose_secret().to_owned());
        // `Debug` shows every field but the key.
        format!("{self:?}") == format!("{other:?}") && key(self) == key(other)
    }

    /// Time-out of one call.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// `[files]`
#[derive(Clone, Debug)]
pub struct FileStore {
    /// Where they lie, for all processes.
    pub root: FileRoot,
    /// The largest upload, in MiB.
    pub max_size_mb: u64,
    /// Uploads that an api process takes in at once.
    pub uploads: usize,
    /// Uploads of one user among them.
    pub uploads_per_user: usize,
    /// Seconds that one upload may take.
    pub upload_seconds: u64,
    /// Memory of the process that reads one workbook, in MiB.
    pub reader_memory_mb: u64,
    /// Seconds that reading one workbook may take.
    pub reader_seconds: u64,
    /// Workbooks that a worker process reads at once.
    pub readers: usize,
}

impl FileStore {
    /// How long one upload may take.
    #[must_use]
    pub fn upload_time(&self) -> Duration {
        Duration::from_secs(self.upload_seconds)
    }
}

/// `[query]`
#[derive(Clone, Debug)]
pub struct Query {
    /// Rows returned at most.
    pub max_rows: u64,
    /// Bytes returned at most.
    pub max_bytes: u64,
    /// Time on the customer's database, in seconds.
    pub max_seconds: u64,
    /// Results up to this size stay in the system database.
    pub inline_bytes: usize,
}

impl Query {
    /// The bounds as a policy holds them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { max_rows: self.max_rows, max_bytes: self.max_bytes, max_seconds: self.max_seconds }
    }
}

/// `[auth]`
#[derive(Clone, Debug)]
pub struct Auth {
    /// After how many hours without a request a session ends.
    pub session_timeout_hours: u64,
    /// After how many hours a session ends however much it is used.
    pub session_max_hours: u64,
    /// The fewest characters of a new password.
    pub password_min_length: usize,
}

impl Auth {
    /// After how long without a request a session ends.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        Duration::from_secs(self.session_timeout_hours * 3_600)
    }

    /// After how long a session ends however much it is used.
    #[must_use]
    pub fn session_max(&self) -> Duration {
        Duration::from_secs(self.session_max_hours * 3_600)
    }
}

/// `[cache]`
#[derive(Clone, Debug)]
pub struct CacheTimes {
    /// How long query results are cached, in seconds.
    pub ttl_seconds: u64,
}

impl CacheTimes {
    /// How long query results are cached.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds)
    }
}

/// `[sources]`
#[derive(Clone, Debug)]
pub struct CustomerSources {
    /// Absolute folders from which SQLite files may be registered.
    pub sqlite_roots: Vec<PathBuf>,
    /// Time-out of connecting, in seconds.
    pub connect_timeout_seconds: u64,
    /// Whether a statement is explained by its database before it runs for the first time.
    pub second_opinion: bool,
    /// Time for profiling a database's columns at a sync, in seconds; 0: none are.
    pub profile_seconds: u64,
    /// Tables read by a sync at most.
    pub sync_max_tables: usize,
}

impl CustomerSources {
    /// Time-out of connecting.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds)
    }
}

/// `[webhooks]`
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Private networks that may be called.
    pub allow_cidrs: Vec<IpNetwork>,
}

/// `[upkeep]`: how long things are kept, in days unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Upkeep {
    /// Questions that have ended, with their answers.
    pub query_history_retention_days: i32,
    /// Answers; their questions stay.
    pub result_retention_days: i32,
    /// Batches that have ended.
    pub batch_retention_days: i32,
    /// Months of audit logs.
    pub audit_log_retention_days: i32,
    /// Columns of customers' databases that no sync has seen.
    pub cached_schema_retention_days: i32,
    /// Durable events.
    pub event_retention_days: i32,
    /// Jobs that have ended.
    pub job_retention_days: i32,
    /// Dead jobs.
    pub dead_job_retention_days: i32,
    /// Webhook deliveries that have ended.
    pub delivery_retention_days: i32,
    /// Records of the upkeep and of schedules.
    pub run_retention_days: i32,
    /// Hours after which a schema is read again.
    pub schema_resync_hours: i32,
}
