//! What a system on one machine is made of.

use std::path::PathBuf;

/// Which broker a private system uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BrokerKind {
    /// Redis Streams, on the Redis that is there anyway.
    Redis,
    /// RabbitMQ.
    Rabbitmq,
}

/// Servers that are there already and are used instead of private ones. It has no `Debug`: URLs hold passwords.
#[derive(Clone, Default)]
pub struct ConfiguredServers {
    /// `DATAGENIE_DATABASE__URL`.
    pub database: Option<String>,
    /// `DATAGENIE_REDIS__URL`.
    pub redis: Option<String>,
    /// `DATAGENIE_BROKER__URL`.
    pub broker: Option<String>,
}

/// How a system is to run.
#[derive(Clone)]
pub struct SystemOptions {
    /// The folder of `datagenie-api`, `datagenie-worker` and `datagenie-scheduler`.
    pub bin_dir: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// The port of the API on 127.0.0.1.
    pub port: u16,
    /// The broker, where none is configured.
    pub broker: BrokerKind,
    /// How many worker processes.
    pub workers: usize,
    /// How many scheduler processes.
    pub schedulers: usize,
    /// Whether the data stay at the end.
    pub keep: bool,
    /// Whether the sample shop is loaded and registered.
    pub sample: bool,
    /// Whether there is a private MariaDB too, which holds the sample shop as well where that is loaded.
    pub mysql: bool,
    /// Whether PostgreSQL and MariaDB wait for the disk.
    pub durable: bool,
    /// Servers that are there already.
    pub configured: ConfiguredServers,
    /// Environment of the programs: what the caller set. What the system decides itself is added and wins.
    pub env: Vec<(String, String)>,
}

impl SystemOptions {
    /// One worker and one scheduler with private servers and an empty environment, without the sample.
    #[must_use]
    pub fn new(bin_dir: impl Into<PathBuf>, data: impl Into<PathBuf>, port: u16) -> Self {
        Self {
            bin_dir: bin_dir.into(),
            data: data.into(),
            port,
            broker: BrokerKind::Redis,
            workers: 1,
            schedulers: 1,
            keep: false,
            sample: false,
            mysql: false,
            durable: true,
            configured: ConfiguredServers::default(),
            env: Vec::new(),
        }
    }

    /// Takes the caller's environment over: configured servers, settings, and what programs need to run.
    #[must_use]
    pub fn with_environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        for (key, value) in variables {
            match key.as_str() {
                "DATAGENIE_DATABASE__URL" if !value.is_empty() => self.configured.database = Some(value.clone()),
                "DATAGENIE_REDIS__URL" if !value.is_empty() => self.configured.redis = Some(value.clone()),
                "DATAGENIE_BROKER__URL" if !value.is_empty() => self.configured.broker = Some(value.clone()),
                _ => {}
            }
            if is_handed_on(&key) {
                self.env.push((key, value));
            }
        }
        self
    }

    /// What the caller set a variable to, if to anything.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.env.iter().rev().find(|(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// Settings, and what any program may need of its surroundings. Nothing else of the caller's environment matters.
fn is_handed_on(key: &str) -> bool {
    const SURROUNDINGS: [&str; 17] = [
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "LC_ALL",
        "TZ",
        "TMPDIR",
        "RUST_LOG",
        "RUST_BACKTRACE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "LLVM_PROFILE_FILE",
        "OPENAI_API_KEY",
        "ENCRYPTION_KEY",
    ];
    let setting = key.starts_with("DATAGENIE_") && !key.starts_with("DATAGENIE_TEST_") && !key.starts_with("DATAGENIE_LOCAL_");
    setting || SURROUNDINGS.iter().any(|name| name.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_configured_servers_come_from_the_environment() {
        let variables = [
            ("DATAGENIE_DATABASE__URL", "postgres://h/d"),
            ("DATAGENIE_REDIS__URL", ""),
            ("DATAGENIE_LLM__MODEL", "m"),
            ("DATAGENIE_TEST_BIN_DIR", "t"),
            ("OPENAI_API_KEY", "k"),
            ("DATABASE_URL", "other"),
            ("https_proxy", "p"),
        ];
        let variables = variables.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let options = SystemOptions::new("bin", "data", 1).with_environment(variables);
        assert_eq!(options.configured.database.as_deref(), Some("postgres://h/d"));
        assert_eq!(options.configured.redis, None);
        assert_eq!(options.setting("DATAGENIE_LLM__MODEL"), Some("m"));
        assert_eq!(options.setting("DATAGENIE_REDIS__URL"), None);
        let keys: Vec<&str> = options.env.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["DATAGENIE_DATABASE__URL", "DATAGENIE_REDIS__URL", "DATAGENIE_LLM__MODEL", "OPENAI_API_KEY", "https_proxy"]);
    }
}
