//! The table of every setting: its name, form, default, secrecy and meaning. Loading, the default file and `--help` are made from it.

pub use super::kinds::{Fallback, Key, Kind, ValueType};

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, fallback: Fallback::Required, stored: None, alias: None, doc }
}

const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, fallback: Fallback::Absent, stored: None, alias: None, doc }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, fallback: Fallback::Value(default), stored: None, alias: None, doc }
}

/// A time that something is kept.
const fn days(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    key(name, Kind::Integer(1, 36_500), default, doc)
}

/// The default of `llm.base_url`; another one means a model is configured even without an API key.
pub const DEFAULT_LLM_BASE_URL: &str = "https://api.openai.com/v1";

const REDIS: &[&str] = &["redis", "redis+unix", "unix"];
const BROKER: &[&str] = &["redis", "redis+unix", "unix", "amqp", "amqps"];
const PORT: Kind = Kind::Integer(0, 65_535);

/// Every setting, by section.
pub const KEYS: &[Key] = &[
    required("database.url", Kind::SecretUrl(&["postgres", "postgresql"]), "The system database (PostgreSQL 15 or later)."),
    key("database.pool_size", Kind::Integer(2, 1_000), "16", "Connections to the system database, per process."),
    key("redis.url", Kind::SecretUrl(REDIS), "redis://127.0.0.1:6379", "Redis: caches and live events. It may be away for a while."),
    Key {
        name: "broker.url",
        kind: Kind::SecretUrl(BROKER),
        fallback: Fallback::SameAs("redis.url"),
        stored: None,
        alias: None,
        doc: "The broker that wakes the workers: Redis or RabbitMQ.",
    },
    key(
        "broker.namespace",
        Kind::Text,
        "datagenie",
        "Prefix of the names of streams and queues, for a broker shared by several installations.",
    ),
    key("api.host", Kind::Text, "127.0.0.1", "The address the api listens on."),
    key("api.port", PORT, "8080", "The port the api listens on; 0 takes any free one."),
    optional(
        "api.public_url",
        Kind::WebUrl,
        "The api's address as clients see it: pages of its origin may use the session cookie, which is Secure where this is https.",
    ),
    key(
        "api.trusted_proxies",
        Kind::Cidrs,
        "",
        "Networks of reverse proxies in front of the api: where a request comes from one of them, its X-Forwarded-For says for whom.",
    ),
    key("api.max_body_kb", Kind::Integer(16, 102_400), "1024", "The longest request body in KiB; file uploads have a limit of their own."),
    key(
        "api.slow_client_seconds",
        Kind::Integer(1, 600),
        "10",
        "After how long a client that takes nothing of what is sent to it is disconnected, and an upload of which nothing comes is given up. WebSockets are pinged at twice this interval.",
    ),
    key(
        "api.max_connections",
        Kind::Integer(16, 1_000_000),
        "50000",
        "Connections of clients an api process holds; the next one is turned away.",
    ),
    key(
        "api.max_connections_per_address",
        Kind::Integer(0, 1_000_000),
        "20000",
        "Connections of one address an api process holds; 0: no limit of its own. Trusted proxies have none.",
    ),
    key(
        "api.anonymous_per_minute",
        Kind::Integer(0, 1_000_000),
        "3000",
        "Requests without a valid token that an api process takes of one address within a minute; 0: no limit.",
    ),
    key("api.header_seconds", Kind::Integer(1, 600), "10", "How long the head of a request may take to arrive."),
    key("api.max_header_kb", Kind::Integer(8, 1_024), "32", "The longest head of a request, in KiB; it has at most 100 headers."),
    key(
        "api.body_seconds",
        Kind::Integer(1, 3_600),
        "30",
        "How long the body of a request may take to arrive; uploads have rules of their own.",
    ),
    key(
        "api.request_seconds",
        Kind::Integer(5, 3_600),
        "180",
        "How long a request may be worked on before it is given up; uploads and streams are not.",
    ),
    key("api.keep_alive_seconds", Kind::Integer(1, 3_600), "75", "How long a connection may stay open between two requests."),
    key(
        "api.cors_origins",
        Kind::Origins,
        "",
        "Web origins whose pages may call the api with a token; none: only its own pages. Cookies are never taken from other origins.",
    ),
    key(
        "api.hsts_seconds",
        Kind::Integer(0, 63_072_000),
        "0",
        "For how long browsers are told to use https alone (Strict-Transport-Security); 0: they are not. For an api behind TLS.",
    ),
    key(
        "worker.concurrency",
        Kind::Integer(1, 1_024),
        "50",
        "Questions of one user that a worker process works on at once; a quarter as many slots again are kept for other users.",
    ),
    key("worker.lanes", Kind::Lanes, "interactive,bulk,maintenance,webhook", "The lanes a worker process serves."),
    key("worker.bulk_concurrency", Kind::Integer(1, 1_024), "32", "Questions of batches a worker process works on at once."),
    key(
        "worker.webhook_concurrency",
        Kind::Integer(1, 1_024),
        "16",
        "Webhooks of one user that a worker process delivers at once; a quarter as many slots again are kept for other users.",
    ),
    key("worker.maintenance_concurrency", Kind::Integer(1, 256), "4", "Maintenance jobs a worker process works on at once."),
    optional("worker.health_port", PORT, "The port of the worker's /healthz, /readyz and /metrics on 127.0.0.1; none: not served."),
    key("worker.grace_seconds", Kind::Integer(0, 600), "20", "How long a stopping process may finish what it has begun."),
    optional("scheduler.health_port", PORT, "The port of the scheduler's /healthz, /readyz and /metrics on 127.0.0.1; none: not served."),
    key("jobs.lease_seconds", Kind::Integer(2, 3_600), "10", "How long a worker may be silent before its job is given to another one."),
    key("jobs.max_attempts", Kind::Integer(1, 100), "3", "Attempts at a job before it counts as dead."),
    key(
        "jobs.deadline_seconds",
        Kind::Integer(1, 604_800),
        "86400",
        "How long after its submission a job is given up, unless it says otherwise.",
    ),
    key(
        "jobs.run_seconds",
        Kind::Integer(1, 604_800),
        "120",
        "How long after the start of its first attempt a job is given up, unless it names a deadline of its own: how long an outage of a model or a database is waited for.",
    ),
    key(
        "jobs.lane_window",
        Kind::Integer(1, 1_000_000),
        "5000",
        "Jobs of a lane in flight (rung or running) beyond which the sweep lets in only one of each owner who has none there.",
    ),
    key("jobs.batch_window", Kind::Integer(1, 100_000), "64", "Jobs of one batch that may be rung or running at once."),
    key(
        "jobs.sweep_ms",
        Kind::Integer(10, 60_000),
        "1000",
        "How often the scheduler looks for due, lost and overdue jobs, in milliseconds.",
    ),
    key("jobs.stale_ring_seconds", Kind::Integer(1, 3_600), "5", "After how long a job that nobody claimed is announced again."),
    key(
        "limits.waiting_per_user",
        Kind::Integer(1, 100_000_000),
        "250000",
        "Jobs one user may have waiting; the next one is refused with 429.",
    ),
    key("limits.waiting", Kind::Integer(1, 1_000_000_000), "1000000", "Jobs that may wait in all; the next one is refused with 503."),
    key("limits.question_bytes", Kind::Integer(1, 1_048_576), "10240", "The longest question, in bytes."),
    key("limits.batch_lines", Kind::Integer(1, 1_000_000), "50000", "Lines of one batch."),
    key(
        "limits.batch_mb",
        Kind::Integer(1, 10_240),
        "128",
        "The longest upload of a batch, in MiB. It is kept on disk, not in memory, until it is taken in.",
    ),
    key(
        "limits.batches_per_user",
        Kind::Integer(1, 1_000_000),
        "100",
        "Batches of one user that have not ended; the next one is refused with 429.",
    ),
    key("limits.max_wait_seconds", Kind::Integer(0, 60), "60", "The longest time a request may be held by `Prefer: wait`."),
    key(
        "limits.requests_per_minute",
        Kind::Integer(0, 100_000_000),
        "0",
        "Requests one user may make within a minute, by all of his sessions and keys together; 0: no limit.",
    )
    .stored("requests_per_minute"),
    key(
        "limits.questions_per_hour",
        Kind::Integer(0, 100_000_000),
        "0",
        "Questions one user may ask within an hour, those of batches included; 0: no limit.",
    )
    .stored("questions_per_hour"),
    key(
        "limits.concurrent_questions",
        Kind::Integer(0, 100_000_000),
        "0",
        "Questions of one user that may be unanswered at a time; 0: as many as limits.waiting_per_user lets wait.",
    )
    .stored("concurrent_questions"),
    key("limits.uploads_per_hour", Kind::Integer(0, 1_000_000), "1000", "Files one user may upload within an hour; 0: no limit.")
        .stored("uploads_per_hour"),
    key("limits.upload_mb_per_day", Kind::Integer(0, 10_000_000), "51200", "What one user may upload within a day, in MiB; 0: no limit.")
        .stored("upload_mb_per_day"),
    key(
        "limits.tokens_per_day",
        Kind::Integer(0, 1_000_000_000_000),
        "0",
        "Tokens of the model that the questions of one user may use up on a day (UTC); 0: no limit.",
    )
    .stored("tokens_per_day"),
    key(
        "limits.cost_per_day",
        Kind::Decimal(0.0, 1_000_000_000.0),
        "0",
        "What the questions of one user may cost on a day (UTC), by llm.prompt_price and llm.completion_price; 0: no limit.",
    )
    .stored("cost_per_day"),
    required(
        "sealing.key",
        Kind::Secret,
        "The keys that seal secrets at rest: base64 of 32 bytes each, as id:base64 separated by commas; the first one seals.",
    )
    .alias("ENCRYPTION_KEY"),
    key("llm.base_url", Kind::WebUrl, DEFAULT_LLM_BASE_URL, "The address of an OpenAI-compatible API."),
    optional("llm.api_key", Kind::Secret, "Its API key. Without one, and with the default address, the offline planner answers.")
        .stored("openai_api_key")
        .alias("OPENAI_API_KEY"),
    key("llm.model", Kind::Text, "gpt-4", "The model.").stored("openai_model"),
    key("llm.temperature", Kind::Decimal(0.0, 2.0), "0.0", "Its temperature.").stored("openai_temperature"),
    key("llm.timeout_seconds", Kind::Integer(1, 600), "60", "How long one call of the model may take."),
    key("llm.max_concurrency", Kind::Integer(1, 10_000), "50", "Calls of the model at once, over all worker processes."),
    key(
        "llm.requests_per_minute",
        Kind::Integer(0, 10_000_000),
        "0",
        "Calls of the model within a minute, over all worker processes; 0: no limit.",
    ),
    key(
        "llm.tokens_per_minute",
        Kind::Integer(0, 10_000_000_000),
        "0",
        "Tokens of the model within a minute, over all worker processes; 0: no limit.",
    ),
    key(
        "llm.breaker_failures",
        Kind::Integer(1, 1_000),
        "8",
        "Failures in a row after which a worker process leaves the model alone for a while.",
    ),
    key(
        "llm.breaker_seconds",
        Kind::Integer(1, 600),
        "5",
        "How long a worker process leaves a failing model alone before it tries one call.",
    ),
    key("llm.prompt_price", Kind::Decimal(0.0, 1_000_000.0), "0", "Price of a million prompt tokens, for the cost told with an answer."),
    key("llm.completion_price", Kind::Decimal(0.0, 1_000_000.0), "0", "Price of a million completion tokens."),
    key(
        "llm.schema_budget_chars",
        Kind::Integer(1_000, 1_000_000),
        "24000",
        "Characters of schema a prompt may hold; larger schemas are cut to the best tables.",
    ),
    key("llm.max_tokens", Kind::Integer(16, 1_000_000), "2000", "The longest answer of the model, in tokens."),
    key(
        "llm.json_schema",
        Kind::Boolean,
        "true",
        "Whether the model is asked for strict JSON by schema; turn it off for servers that do not know it.",
    ),
    key(
        "files.root",
        Kind::FileRoot,
        ".datagenie/files",
        "Where result files, charts and uploads lie: a folder or a bucket of S3. All processes share it.",
    ),
    optional("files.s3_endpoint", Kind::WebUrl, "The address of the bucket's server, if it is not AWS's (MinIO, Ceph …)."),
    key("files.s3_region", Kind::Text, "us-east-1", "The bucket's region."),
    optional("files.s3_key_id", Kind::Text, "The id of the access key to the bucket; without one the machine's role is asked for."),
    optional("files.s3_secret_key", Kind::Secret, "The secret of the access key."),
    key(
        "files.s3_path_style",
        Kind::Boolean,
        "false",
        "Whether the bucket's name stands in the path (as most servers but AWS's want it), not in the host.",
    ),
    key("files.s3_allow_http", Kind::Boolean, "false", "Whether the bucket may be reached without TLS. For tests and private networks."),
    key("files.max_size_mb", Kind::Integer(1, 10_240), "50", "The largest upload, in MiB.").stored("max_file_size_mb"),
    key("files.uploads", Kind::Integer(1, 10_000), "16", "Uploads an api process takes in at once; the next one is refused with 503."),
    key("files.uploads_per_user", Kind::Integer(1, 10_000), "4", "Uploads of one user at once; the next one is refused with 429."),
    key("files.upload_seconds", Kind::Integer(1, 86_400), "1800", "How long one upload may take; a slower one is given up."),
    key(
        "files.reader_memory_mb",
        Kind::Integer(64, 65_536),
        "1024",
        "Memory that reading one workbook may take beside the program itself, in MiB; a workbook that takes more is refused.",
    ),
    key("files.reader_seconds", Kind::Integer(1, 3_600), "55", "How long reading one workbook may take."),
    key("files.readers", Kind::Integer(1, 64), "2", "Workbooks that a worker process reads at once."),
    key("query.max_rows", Kind::Integer(1, 10_000_000), "10000", "Rows a query may return.").stored("max_query_rows"),
    key("query.max_bytes", Kind::Integer(1_024, 1_073_741_824), "16777216", "Bytes a query's result may have."),
    key("query.max_seconds", Kind::Integer(1, 3_600), "30", "How long a query may run."),
    key(
        "query.inline_bytes",
        Kind::Integer(0, 1_048_576),
        "65536",
        "Results up to this many bytes are kept in the system database, larger ones in files.",
    ),
    key("auth.session_timeout_hours", Kind::Integer(1, 8_760), "24", "After how many hours without a request a login session ends.")
        .stored("session_timeout_hours"),
    key("auth.session_max_hours", Kind::Integer(1, 8_760), "168", "After how many hours a login session ends however much it is used.")
        .stored("session_max_hours"),
    key("auth.password_min_length", Kind::Integer(8, 64), "12", "The fewest characters of a new password.").stored("password_min_length"),
    key("cache.ttl_seconds", Kind::Integer(1, 604_800), "3600", "How long query results are cached.").stored("cache_ttl_seconds"),
    key("sources.sqlite_roots", Kind::Folders, "", "Folders from which SQLite files may be registered; none: no SQLite files."),
    key("sources.connect_timeout_seconds", Kind::Integer(1, 60), "5", "How long connecting to a customer's database may take."),
    key(
        "sources.second_opinion",
        Kind::Boolean,
        "true",
        "Whether a statement is explained by its database before it runs for the first time, and refused where that would read more than the guard allowed (PostgreSQL, MySQL).",
    ),
    key(
        "sources.profile_seconds",
        Kind::Integer(0, 600),
        "20",
        "Time for profiling a database's columns at a sync, in seconds; 0: none are.",
    ),
    key(
        "sources.sync_max_tables",
        Kind::Integer(1, 1_000_000),
        "5000",
        "Tables read from a customer's database; larger schemas are cut there and say so.",
    ),
    key("webhooks.allow_cidrs", Kind::Cidrs, "", "Private networks webhooks may be sent to; public addresses are always allowed."),
    key("log.format", Kind::Choice(&["json", "text"]), "json", "The form of log lines."),
    key("log.filter", Kind::LogFilter, "info", "Which log lines are written."),
    optional("traces.endpoint", Kind::WebUrl, "Where spans are sent by OTLP over HTTP, such as http://localhost:4318; not set: nowhere."),
    optional("traces.headers", Kind::Secret, "Headers sent with them, such as a key: name=value, separated by commas."),
    key(
        "traces.sample_ratio",
        Kind::Decimal(0.0, 1.0),
        "1",
        "The share of traces sent, of those that begin here; others follow their caller.",
    ),
    days("upkeep.query_history_retention_days", "90", "How long questions that have ended are kept, in days, with their answers.")
        .stored("query_history_retention_days"),
    days("upkeep.result_retention_days", "90", "How long answers are kept, in days; their questions stay.").stored("result_retention_days"),
    days("upkeep.audit_log_retention_days", "180", "How long the audit log is kept, in days; it goes month by month.")
        .stored("audit_log_retention_days"),
    days("upkeep.cached_schema_retention_days", "30", "How long columns are kept that no sync has seen, in days.")
        .stored("cached_schema_retention_days"),
    // As long as a webhook may be tried.
    key("upkeep.event_retention_days", Kind::Integer(15, 36_500), "30", "How long durable events are kept, in days.")
        .stored("event_retention_days"),
    days(
        "upkeep.batch_retention_days",
        "90",
        "How long batches that have ended are kept, in days; their questions have a time of their own.",
    )
    .stored("batch_retention_days"),
    days("upkeep.job_retention_days", "30", "How long jobs that have ended are kept, in days.").stored("job_retention_days"),
    days("upkeep.dead_job_retention_days", "90", "How long dead jobs are kept, in days.").stored("dead_job_retention_days"),
    days("upkeep.delivery_retention_days", "30", "How long webhook deliveries that have ended are kept, in days.")
        .stored("delivery_retention_days"),
    days("upkeep.run_retention_days", "90", "How long records of the upkeep and of schedules are kept, in days.")
        .stored("run_retention_days"),
    days("upkeep.schema_resync_hours", "24", "After how many hours the schema of a connection is read again.")
        .stored("schema_resync_hours"),
    key("clock.offset_seconds", Kind::Integer(-315_360_000, 315_360_000), "0", "Shifts the processes' clock. For tests only."),
];

/// Environment variables with the prefix that are no settings: they belong to the command line, the demo and the tests.
pub const OTHER_VARIABLES: &[&str] = &["DATAGENIE_CONFIG", "DATAGENIE_ADMIN_PASSWORD", "DATAGENIE_URL", "DATAGENIE_API_KEY"];
/// Variables with this prefix are ignored too.
pub const TEST_VARIABLES: &str = "DATAGENIE_TEST_";

/// The settings that may be changed while the service runs, in their order.
pub fn stored() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| key.stored.is_some())
}

/// The setting of that key in `system_settings`.
#[must_use]
pub fn find_stored(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.stored == Some(name))
}

/// The setting of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
