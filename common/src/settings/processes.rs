//! Settings of what a process is made of and reaches: its servers, its lanes, its log.

use std::time::Duration;

use ipnetwork::IpNetwork;
use secrecy::SecretString;

use super::SecretUrl;
use crate::{model::jobs::Lane, word_enum};

/// `[database]`
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is.
    pub url: SecretUrl,
    /// Connections per process.
    pub pool_size: u32,
}

/// `[redis]`
#[derive(Clone, Debug)]
pub struct Redis {
    /// Where it is.
    pub url: SecretUrl,
}

/// `[broker]`
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it is: a Redis or an AMQP URL.
    pub url: SecretUrl,
    /// Prefix of the names of streams and queues.
    pub namespace: String,
}

/// `[api]`
#[derive(Clone, Debug)]
pub struct Api {
    /// Address or host name to listen on.
    pub host: String,
    /// Port to listen on; 0: any free one.
    pub port: u16,
    /// The address clients use, without a slash at its end.
    pub public_url: Option<String>,
    /// The longest request body, in KiB.
    pub max_body_kb: usize,
    /// How long a client may take nothing of what is sent to it, in seconds.
    pub slow_client_seconds: u64,
    /// Connections of clients.
    pub max_connections: usize,
    /// Connections of one address; 0: no limit of its own.
    pub max_connections_per_address: usize,
    /// Requests without a valid token that are taken of one address within a minute; 0: no limit.
    pub anonymous_per_minute: u64,
    /// How long the head of a request may take to arrive, in seconds.
    pub header_seconds: u64,
    /// The longest head of a request, in KiB.
    pub max_header_kb: usize,
    /// How long the body of a request may take to arrive, in seconds.
    pub body_seconds: u64,
    /// How long a request may be worked on, in seconds.
    pub request_seconds: u64,
    /// How long a connection may stay open between two requests, in seconds.
    pub keep_alive_seconds: u64,
    /// Web origins whose pages may call the api.
    pub cors_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// For how long browsers are told to use https alone, in seconds; 0: they are not.
    pub hsts_seconds: u64,
}

impl Api {
    /// The longest request body, in bytes.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_kb * 1024
    }

    /// How long a client may take nothing of what is sent to it.
    #[must_use]
    pub fn slow_client(&self) -> Duration {
        Duration::from_secs(self.slow_client_seconds)
    }
}

/// `[worker]`
#[derive(Clone, Debug)]
pub struct Worker {
    /// Questions of one user at once, per process.
    pub concurrency: usize,
    /// Questions of batches at once, per process.
    pub bulk_concurrency: usize,
    /// Webhooks of one user at once, per process.
    pub webhook_concurrency: usize,
    /// The lanes served, each once.
    pub lanes: Vec<Lane>,
    /// Maintenance jobs at once, per process.
    pub maintenance_concurrency: usize,
    /// Where health and metrics are served; none: nowhere.
    pub health_port: Option<u16>,
    /// How long a stopping process may finish its work, in seconds.
    pub grace_seconds: u64,
}

impl Worker {
    /// How long a stopping process may finish its work.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

/// `[scheduler]`
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// Where health and metrics are served; none: nowhere.
    pub health_port: Option<u16>,
}

/// `[jobs]`
#[derive(Clone, Debug)]
pub struct Jobs {
    /// How long a lease lasts without a heartbeat, in seconds.
    pub lease_seconds: u64,
    /// Attempts before a job is dead.
    pub max_attempts: u32,
    /// How long after submission a job is given up, in seconds.
    pub deadline_seconds: u64,
    /// How long after the start of its first attempt a job without a deadline of its own is given up, in seconds.
    pub run_seconds: u64,
    /// Jobs of a lane in flight beyond which the sweep lets in only one of each owner who has none there.
    pub lane_window: u32,
    /// Jobs of a batch that may be rung or running at once.
    pub batch_window: u32,
    /// How often the scheduler sweeps, in milliseconds.
    pub sweep_ms: u64,
    /// When an unclaimed job is rung again, in seconds.
    pub stale_ring_seconds: u64,
}

impl Jobs {
    /// How long a lease lasts without a heartbeat.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// How long after submission a job is given up.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds)
    }

    /// How long after the start of its first attempt a job without a deadline of its own is given up, in seconds, as the ledger has it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds of a run are few")]
    pub fn run_limit(&self) -> f32 {
        self.run_seconds as f32
    }

    /// How often the scheduler sweeps.
    #[must_use]
    pub fn sweep(&self) -> Duration {
        Duration::from_millis(self.sweep_ms)
    }
}

word_enum! {
    /// The form of log lines.
    pub enum LogFormat {
        /// One JSON object a line.
        Json = "json",
        /// For eyes.
        Text = "text",
    }
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

/// `[traces]`
#[derive(Clone, Debug)]
pub struct Traces {
    /// Where spans are sent by OTLP over HTTP; none: nowhere.
    pub endpoint: Option<String>,
    /// Headers sent with them: `name=value`, separated by commas.
    pub headers: Option<SecretString>,
    /// The share of traces sent, of those that begin here.
    pub sample_ratio: f64,
}

/// `[clock]`
#[derive(Clone, Debug)]
pub struct ClockShift {
    /// Added to the time, in seconds. For tests only.
    pub offset_seconds: i64,
}
