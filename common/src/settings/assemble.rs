//! From checked values to the typed settings.

use std::{collections::BTreeMap, path::PathBuf};

use ipnetwork::IpNetwork;
use secrecy::SecretString;

use super::{
    Api, Auth, Broker, CacheTimes, ClockShift, CustomerSources, Database, FileStore, Intake, Jobs, Llm, Log, LogFormat, Query, Redis,
    Scheduler, Sealing, SecretUrl, Settings, Webhooks, Worker,
    problems::{Problem, SettingsError},
    values::Checked,
};
use crate::model::jobs::Lane;

/// The checked values, and what does not fit the types after all: a fault of the table of keys, told like any other problem.
pub(super) struct Assembly {
    values: BTreeMap<&'static str, Checked>,
    problems: Vec<Problem>,
}

impl Assembly {
    pub(super) fn new(values: BTreeMap<&'static str, Checked>) -> Self {
        Self { values, problems: Vec::new() }
    }

    pub(super) fn settings(mut self) -> Result<Settings, SettingsError> {
        let settings = Settings {
            database: Database { url: self.url("database.url"), pool_size: self.number("database.pool_size") },
            redis: Redis { url: self.url("redis.url") },
            broker: Broker { url: self.url("broker.url"), namespace: self.text("broker.namespace") },
            api: Api {
                host: self.text("api.host"),
                port: self.number("api.port"),
                public_url: self.optional_text("api.public_url"),
                max_body_kb: self.number("api.max_body_kb"),
                slow_client_seconds: self.number("api.slow_client_seconds"),
            },
            worker: self.worker(),
            scheduler: Scheduler { health_port: self.optional_number("scheduler.health_port") },
            jobs: Jobs {
                lease_seconds: self.number("jobs.lease_seconds"),
                max_attempts: self.number("jobs.max_attempts"),
                deadline_seconds: self.number("jobs.deadline_seconds"),
                run_seconds: self.number("jobs.run_seconds"),
                lane_window: self.number("jobs.lane_window"),
                batch_window: self.number("jobs.batch_window"),
                sweep_ms: self.number("jobs.sweep_ms"),
                stale_ring_seconds: self.number("jobs.stale_ring_seconds"),
            },
            limits: Intake {
                waiting_per_user: self.number("limits.waiting_per_user"),
                waiting: self.number("limits.waiting"),
                question_bytes: self.number("limits.question_bytes"),
                max_wait_seconds: self.number("limits.max_wait_seconds"),
            },
            sealing: Sealing { key: SecretString::from(self.text("sealing.key")) },
            llm: self.llm(),
            files: FileStore {
                root: PathBuf::from(self.text("files.root")),
                max_size_mb: self.number("files.max_size_mb"),
                reader_memory_mb: self.number("files.reader_memory_mb"),
                reader_seconds: self.number("files.reader_seconds"),
                readers: self.number("files.readers"),
            },
            query: Query {
                max_rows: self.number("query.max_rows"),
                max_bytes: self.number("query.max_bytes"),
                max_seconds: self.number("query.max_seconds"),
                inline_bytes: self.number("query.inline_bytes"),
            },
            auth: Auth { session_timeout_hours: self.number("auth.session_timeout_hours") },
            cache: CacheTimes { ttl_seconds: self.number("cache.ttl_seconds") },
            sources: CustomerSources {
                sqlite_roots: self.folders("sources.sqlite_roots"),
                connect_timeout_seconds: self.number("sources.connect_timeout_seconds"),
                second_opinion: self.flag("sources.second_opinion"),
                profile_seconds: self.number("sources.profile_seconds"),
                sync_max_tables: self.number("sources.sync_max_tables"),
            },
            webhooks: Webhooks { allow_cidrs: self.cidrs("webhooks.allow_cidrs") },
            log: Log { format: self.text("log.format").parse().unwrap_or(LogFormat::Json), filter: self.text("log.filter") },
            clock: ClockShift { offset_seconds: self.number("clock.offset_seconds") },
        };
        if self.problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems: self.problems }) }
    }

    fn worker(&mut self) -> Worker {
        Worker {
            concurrency: self.number("worker.concurrency"),
            lanes: self.lanes("worker.lanes"),
            bulk_concurrency: self.number("worker.bulk_concurrency"),
            webhook_concurrency: self.number("worker.webhook_concurrency"),
            maintenance_concurrency: self.number("worker.maintenance_concurrency"),
            health_port: self.optional_number("worker.health_port"),
            grace_seconds: self.number("worker.grace_seconds"),
        }
    }

    fn llm(&mut self) -> Llm {
        Llm {
            base_url: self.text("llm.base_url"),
            api_key: self.optional_text("llm.api_key").map(SecretString::from),
            model: self.text("llm.model"),
            temperature: self.decimal("llm.temperature"),
            timeout_seconds: self.number("llm.timeout_seconds"),
            max_concurrency: self.number("llm.max_concurrency"),
            requests_per_minute: self.number("llm.requests_per_minute"),
            tokens_per_minute: self.number("llm.tokens_per_minute"),
            breaker_failures: self.number("llm.breaker_failures"),
            breaker_seconds: self.number("llm.breaker_seconds"),
            prompt_price: self.decimal("llm.prompt_price"),
            completion_price: self.decimal("llm.completion_price"),
            schema_budget_chars: self.number("llm.schema_budget_chars"),
            max_tokens: self.number("llm.max_tokens"),
            json_schema: self.flag("llm.json_schema"),
        }
    }

    /// Reports a value that is not there or not of the form the typed setting has.
    fn misfit<T: Default>(&mut self, name: &str) -> T {
        let detail = "the table of settings and the typed settings do not agree".to_owned();
        self.problems.push(Problem { key: name.to_owned(), origin: "program".to_owned(), detail });
        T::default()
    }

    fn text(&mut self, name: &str) -> String {
        match self.values.get(name) {
            Some(Checked::Text(text)) => text.clone(),
            _ => self.misfit(name),
        }
    }

    fn optional_text(&mut self, name: &str) -> Option<String> {
        self.values.contains_key(name).then(|| self.text(name))
    }

    fn number<T: TryFrom<i64> + Default>(&mut self, name: &str) -> T {
        let number = match self.values.get(name) {
            Some(Checked::Integer(number)) => T::try_from(*number).ok(),
            _ => None,
        };
        match number {
            Some(number) => number,
            None => self.misfit(name),
        }
    }

    fn optional_number<T: TryFrom<i64> + Default>(&mut self, name: &str) -> Option<T> {
        self.values.contains_key(name).then(|| self.number(name))
    }

    fn decimal(&mut self, name: &str) -> f64 {
        match self.values.get(name) {
            Some(Checked::Decimal(number)) => *number,
            _ => self.misfit(name),
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Checked::Boolean(flag)) => *flag,
            _ => self.misfit(name),
        }
    }

    fn url(&mut self, name: &str) -> SecretUrl {
        match self.values.get(name) {
            Some(Checked::Url(url)) => url.clone(),
            _ => self.misfit(name),
        }
    }

    fn folders(&mut self, name: &str) -> Vec<PathBuf> {
        match self.values.get(name) {
            Some(Checked::Folders(folders)) => folders.clone(),
            _ => self.misfit(name),
        }
    }

    fn cidrs(&mut self, name: &str) -> Vec<IpNetwork> {
        match self.values.get(name) {
            Some(Checked::Cidrs(cidrs)) => cidrs.clone(),
            _ => self.misfit(name),
        }
    }

    fn lanes(&mut self, name: &str) -> Vec<Lane> {
        match self.values.get(name) {
            Some(Checked::Lanes(lanes)) => lanes.clone(),
            _ => self.misfit(name),
        }
    }
}
