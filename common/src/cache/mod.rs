//! Caches and live messages over Redis, which may be away: a look-up that fails is a miss, a write that fails is nothing.

mod attempts;
mod breaker;
mod keys;
mod subscription;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::stream::BoxStream;
use redis::{
    Client, Cmd, FromRedisValue, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{runtime::Handle, time::timeout};

use self::breaker::Breaker;
pub use self::{
    attempts::{Attempt, Rules, Verdict},
    keys::CacheKey,
    subscription::Heard,
};

/// Values longer than this are not stored.
pub const MAX_VALUE_BYTES: usize = 1_048_576;

const COMMAND_TIMEOUT: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const METRIC: &str = "datagenie_cache_total";

/// Why there is no cache at all: a fault of the program or its settings, never of Redis.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The URL is not one the driver takes.
    #[error("redis.url is not a URL for Redis")]
    Url(#[source] RedisError),
    /// Made outside a tokio runtime.
    #[error("the cache must be made inside the async runtime")]
    NoRuntime,
}

/// The cache of a process, cheap to clone. Every call ends within 50 ms; after a failure Redis is left alone for half a second.
#[derive(Clone)]
pub struct Cache {
    client: Client,
    connection: ConnectionManager,
    breaker: Arc<Breaker>,
    /// In milliseconds; shared by all clones.
    query_ttl: Arc<AtomicU64>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("query_ttl", &self.query_ttl()).finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache on this Redis; it is connected to when first used, and again whenever it comes back. `query_ttl` is `cache.ttl_seconds`.
    ///
    /// # Errors
    /// [`CacheError`]; a Redis that is away is no error.
    pub fn connect(url: &str, query_ttl: Duration) -> Result<Self, CacheError> {
        // The driver starts a task at once and would panic.
        Handle::try_current().map_err(|_| CacheError::NoRuntime)?;
        let client = Client::open(url).map_err(CacheError::Url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT));
        let connection = client.get_connection_manager_lazy(config).map_err(CacheError::Url)?;
        Ok(Self { client, connection, breaker: Arc::new(Breaker::new()), query_ttl: Arc::new(AtomicU64::new(milliseconds(query_ttl))) })
    }

    /// Sets how long query results are kept that are stored from now on, for all clones.
    pub fn set_query_ttl(&self, ttl: Duration) {
        self.query_ttl.store(milliseconds(ttl), Ordering::Relaxed);
    }

    fn query_ttl(&self) -> Duration {
        Duration::from_millis(self.query_ttl.load(Ordering::Relaxed))
    }

    /// The value under a key; none if there is none, if it has another form, or if Redis is away.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &CacheKey<'_>) -> Option<T> {
        let Some(stored) = self.run::<Option<Vec<u8>>>(cmd("GET").arg(key.to_string())).await else {
            count(key, "error");
            return None;
        };
        let Some(bytes) = stored else {
            count(key, "miss");
            return None;
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => {
                count(key, "hit");
                Some(value)
            }
            // Written by another version of the program, or by somebody else.
            Err(_) => {
                count(key, "unreadable");
                None
            }
        }
    }

    /// Stores a value for the key's time. Says whether it is stored.
    pub async fn set_json<T: Serialize + ?Sized>(&self, key: &CacheKey<'_>, value: &T) -> bool {
        self.set_json_within(key, value, Duration::MAX).await
    }

    /// Stores a value for the key's time, or for `at_most` if that is shorter (a session that ends sooner).
    pub async fn set_json_within<T: Serialize + ?Sized>(&self, key: &CacheKey<'_>, value: &T, at_most: Duration) -> bool {
        self.set(key, value, at_most, false).await == Some(true)
    }

    /// Stores a value if there is none yet. `Some(true)`: stored; `Some(false)`: there is one; none: not known, since Redis is away or
    /// the value is too long.
    pub async fn set_nx<T: Serialize + ?Sized>(&self, key: &CacheKey<'_>, value: &T) -> Option<bool> {
        self.set(key, value, Duration::MAX, true).await
    }

    /// Deletes a key. Says whether Redis confirmed; an old value may live on where it did not.
    pub async fn delete(&self, key: &CacheKey<'_>) -> bool {
        let done = self.run::<i64>(cmd("DEL").arg(key.to_string())).await.is_some();
        count(key, if done { "deleted" } else { "error" });
        done
    }

    /// Wakes the subscribers of a channel, wherever they are. Says whether Redis took it.
    pub async fn publish(&self, channel: &str, payload: impl AsRef<[u8]> + Send) -> bool {
        let mut command = cmd("PUBLISH");
        command.arg(channel).arg(payload.as_ref());
        self.run::<i64>(&command).await.is_some()
    }

    /// Runs a script with these keys and arguments; none if Redis is away or is being left alone.
    pub async fn evaluate<T: FromRedisValue>(&self, script: &Script, keys: &[String], arguments: &[String]) -> Option<T> {
        if self.breaker.is_open() {
            return None;
        }
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        let mut connection = self.connection.clone();
        match timeout(COMMAND_TIMEOUT, call.invoke_async::<T>(&mut connection)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.breaker.trip(&error);
                None
            }
            Err(elapsed) => {
                self.breaker.trip(&elapsed);
                None
            }
        }
    }

    /// Hears these channels for ever: reconnects by itself, and says so, because what was published meanwhile is lost.
    #[must_use]
    pub fn subscribe(&self, channels: Vec<String>) -> BoxStream<'static, Heard> {
        subscription::stream(self.client.clone(), channels)
    }

    /// Whether Redis answers now. For `/readyz`, which reports it and stays ready without it.
    pub async fn ping(&self) -> bool {
        self.run::<String>(&cmd("PING")).await.is_some()
    }

    async fn set<T: Serialize + ?Sized>(&self, key: &CacheKey<'_>, value: &T, at_most: Duration, only_new: bool) -> Option<bool> {
        let Ok(bytes) = serde_json::to_vec(value) else {
            count(key, "unreadable");
            return None;
        };
        if bytes.len() > MAX_VALUE_BYTES {
            count(key, "too_long");
            return None;
        }
        let milliseconds = milliseconds(key.ttl(self.query_ttl()).min(at_most));
        if milliseconds == 0 {
            return Some(false);
        }
        let mut command = cmd("SET");
        command.arg(key.to_string()).arg(bytes).arg("PX").arg(milliseconds);
        if only_new {
            command.arg("NX");
        }
        // `OK`, or nil where NX found a value.
        let stored = self.run::<Option<String>>(&command).await.map(|answer| answer.is_some());
        count(key, if stored.is_some() { "stored" } else { "error" });
        stored
    }

    /// Runs one command within its time; none if Redis is away or is being left alone.
    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        if self.breaker.is_open() {
            return None;
        }
        let mut connection = self.connection.clone();
        match timeout(COMMAND_TIMEOUT, command.query_async::<T>(&mut connection)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.breaker.trip(&error);
                None
            }
            Err(elapsed) => {
                self.breaker.trip(&elapsed);
                None
            }
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn count(key: &CacheKey<'_>, outcome: &'static str) {
    metrics::counter!(METRIC, "cache" => key.kind(), "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::TcpListener;

    use super::*;
    use crate::ids::SessionId;

    const KEY: CacheKey<'_> = CacheKey::SystemSettings { category: "llm" };

    fn cache(url: &str) -> Cache {
        Cache::connect(url, Duration::from_secs(60)).expect("a URL for Redis")
    }

    #[tokio::test]
    async fn without_redis_everything_is_a_miss() {
        // A port that nobody listens on any more.
        let port = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("an address").port();
        let cache = cache(&format!("redis://127.0.0.1:{port}"));
        assert_eq!(cache.get_json::<u8>(&KEY).await, None);
        assert!(!cache.set_json(&KEY, &1).await);
        assert_eq!(cache.set_nx(&KEY, &1).await, None);
        assert!(!cache.delete(&KEY).await);
        assert!(!cache.publish("channel", "text").await);
        assert!(!cache.ping().await);
    }

    #[tokio::test]
    async fn a_redis_that_hangs_costs_little() {
        // It accepts connections (the kernel does) and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let cache = cache(&format!("redis://{}", silent.local_addr().expect("an address")));
        let began = Instant::now();
        for _ in 0..100 {
            assert_eq!(cache.get_json::<u8>(&KEY).await, None);
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn long_values_and_spent_times_are_not_sent() {
        let cache = cache("redis://127.0.0.1:1");
        let long = "x".repeat(MAX_VALUE_BYTES);
        assert_eq!(cache.set_nx(&KEY, &long).await, None);
        assert!(!cache.breaker.is_open(), "Redis was not asked");
        let session = CacheKey::Session { session: SessionId::new() };
        assert!(!cache.set_json_within(&session, &1, Duration::ZERO).await);
        assert!(!cache.breaker.is_open(), "Redis was not asked");
    }

    #[tokio::test]
    async fn a_wrong_url_is_an_error_and_debug_shows_no_password() {
        assert!(matches!(Cache::connect("mysql://x", Duration::ZERO), Err(CacheError::Url(_))));
        let shown = format!("{:?}", cache("redis://:s3cret@127.0.0.1:1"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn outside_a_runtime_it_is_an_error() {
        assert!(matches!(Cache::connect("redis://127.0.0.1", Duration::ZERO), Err(CacheError::NoRuntime)));
    }
}
