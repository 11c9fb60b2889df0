//! From checked values to the typed settings.

use std::{collections::BTreeMap, path::PathBuf};

use ipnetwork::IpNetwork;
use secrecy::SecretString;

use super::{
    Api, Auth, Broker, Bucket, BucketKey, CacheTimes, ClockShift, CustomerSources, Database, FileRoot, FileStore, Intake, Jobs, Llm, Log,
    LogFormat, Query, Redis, Scheduler, Sealing, SecretUrl, Settings, Traces, Upkeep, Webhooks, Worker,
    file_root::bucket_of,
    origins::Loaded,
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

    /// The settings, with what is known of their origins.
    pub(super) fn settings(mut self, loaded: Loaded) -> Result<Settings, SettingsError> {
        let settings = Settings {
            database: Database { url: self.url("database.url"), pool_size: self.number("database.pool_size") },
            redis: Redis { url: self.url("redis.url") },
            broker: Broker { url: self.url("broker.url"), namespace: self.text("broker.namespace") },
            api: Api {
                host: self.text("api.host"),
                port: self.number("api.port"),
                public_url: self.optional_text("api.public_url"),
                trusted_proxies: self.cidrs("api.trusted_proxies"),
                max_body_kb: self.number("api.max_body_kb"),
                slow_client_seconds: self.number("api.slow_client_seconds"),
                max_connections: self.number("api.max_connections"),
                max_connections_per_address: self.number("api.max_connections_per_address"),
                anonymous_per_minute: self.number("api.anonymous_per_minute"),
                header_seconds: self.number("api.header_seconds"),
                max_header_kb: self.number("api.max_header_kb"),
                body_seconds: self.number("api.body_seconds"),
                request_seconds: self.number("api.request_seconds"),
                keep_alive_seconds: self.number("api.keep_alive_seconds"),
                cors_origins: self.origins("api.cors_origins"),
                hsts_seconds: self.number("api.hsts_seconds"),
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
                batch_lines: self.number("limits.batch_lines"),
                batch_mb: self.number("limits.batch_mb"),
                batches_per_user: self.number("limits.batches_per_user"),
                max_wait_seconds: self.number("limits.max_wait_seconds"),
                requests_per_minute: self.number("limits.requests_per_minute"),
                questions_per_hour: self.number("limits.questions_per_hour"),
                concurrent_questions: self.number("limits.concurrent_questions"),
                uploads_per_hour: self.number("limits.uploads_per_hour"),
                upload_mb_per_day: self.number("limits.upload_mb_per_day"),
                tokens_per_day: self.number("limits.tokens_per_day"),
                cost_per_day: self.decimal("limits.cost_per_day"),
            },
            sealing: Sealing { key: SecretString::from(self.text("sealing.key")) },
            llm: self.llm(),
            files: self.files(),
            query: Query {
                max_rows: self.number("query.max_rows"),
                max_bytes: self.number("query.max_bytes"),
                max_seconds: self.number("query.max_seconds"),
                inline_bytes: self.number("query.inline_bytes"),
            },
            auth: Auth {
                session_timeout_hours: self.number("auth.session_timeout_hours"),
                session_max_hours: self.number("auth.session_max_hours"),
                password_min_length: self.number("auth.password_min_length"),
            },
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
            traces: Traces {
                endpoint: self.optional_text("traces.endpoint"),
                headers: self.optional_text("traces.headers").map(SecretString::from),
                sample_ratio: self.decimal("traces.sample_ratio"),
            },
            clock: ClockShift { offset_seconds: self.number("clock.offset_seconds") },
            upkeep: self.upkeep(),
            loaded,
        };
        if self.problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems: self.problems }) }
    }

    fn upkeep(&mut self) -> Upkeep {
        Upkeep {
            query_history_retention_days: self.number("upkeep.query_history_retention_days"),
            result_retention_days: self.number("upkeep.result_retention_days"),
            batch_retention_days: self.number("upkeep.batch_retention_days"),
            audit_log_retention_days: self.number("upkeep.audit_log_retention_days"),
            cached_schema_retention_days: self.number("upkeep.cached_schema_retention_days"),
            event_retention_days: self.number("upkeep.event_retention_days"),
            job_retention_days: self.number("upkeep.job_retention_days"),
            dead_job_retention_days: self.number("upkeep.dead_job_retention_days"),
            delivery_retention_days: self.number("upkeep.delivery_retention_days"),
            run_retention_days: self.number("upkeep.run_retention_days"),
            schema_resync_hours: self.number("upkeep.schema_resync_hours"),
        }
    }

    fn files(&mut self) -> FileStore {
        FileStore {
            root: self.file_root(),
            max_size_mb: self.number("files.max_size_mb"),
            uploads: self.number("files.uploads"),
            uploads_per_user: self.number("files.uploads_per_user"),
            upload_seconds: self.number("files.upload_seconds"),
            reader_memory_mb: self.number("files.reader_memory_mb"),
            reader_seconds: self.number("files.reader_seconds"),
            readers: self.number("files.readers"),
        }
    }

    fn file_root(&mut self) -> FileRoot {
        let root = self.text("files.root");
        let Ok(Some((name, prefix))) = bucket_of(&root) else { return FileRoot::Folder(PathBuf::from(root)) };
        let endpoint = self.optional_text("files.s3_endpoint");
        let allow_http = self.flag("files.s3_allow_http");
        if !allow_http && endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:")) {
            self.problem::<()>("files.s3_endpoint", "is not https; set files.s3_allow_http to true if nobody else can read what is sent");
        }
        let key = match (self.optional_text("files.s3_key_id"), self.optional_text("files.s3_secret_key")) {
            (Some(id), Some(secret)) => Some(BucketKey { id, secret: SecretString::from(secret) }),
            (None, None) => None,
            (Some(_), None) => self.problem("files.s3_secret_key", "is required beside files.s3_key_id"),
            (None, Some(_)) => self.problem("files.s3_key_id", "is required beside files.s3_secret_key"),
        };
        let region = self.text("files.s3_region");
        let path_style = self.flag("files.s3_path_style");
        FileRoot::Bucket(Bucket { name: name.to_owned(), prefix: prefix.to_owned(), endpoint, region, key, path_style, allow_http })
    }

    /// Settings that are right by themselves and wrong together.
    fn problem<T>(&mut self, name: &str, detail: &str) -> Option<T> {
        self.problems.push(Problem { key: name.to_owned(), origin: "settings".to_owned(), detail: detail.to_owned() });
        None
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

    fn origins(&mut self, name: &str) -> Vec<String> {
        match self.values.get(name) {
            Some(Checked::Origins(origins)) => origins.clone(),
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
