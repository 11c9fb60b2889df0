//! A Redis of one test's own, which can be paused, killed and started again.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use datagenie_local::{Redis, RedisOptions};

/// The Redis of a test. Dropping it kills it.
pub struct TestRedis {
    url: String,
    options: RedisOptions,
    server: Mutex<Option<Redis>>,
}

impl TestRedis {
    /// Starts it below `folder`.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn start(folder: &Path) -> Self {
        let server = Box::pin(Redis::start(RedisOptions::for_tests(folder.join("redis")))).await.expect("a private Redis starts");
        Self { url: server.url(), options: server.options(), server: Mutex::new(Some(server)) }
    }

    /// Where it is, also while it is away.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// SIGSTOP: connections stay open, nothing is answered.
    pub fn pause(&self) {
        if let Some(server) = self.lock().as_mut() {
            server.pause();
        }
    }

    /// SIGCONT after a pause.
    pub fn resume(&self) {
        if let Some(server) = self.lock().as_mut() {
            server.resume();
        }
    }

    /// SIGKILL: gone, with everything that it held.
    pub fn kill(&self) {
        drop(self.lock().take());
    }

    /// Starts it anew at the same port, empty. A running one is killed first.
    ///
    /// # Panics
    /// If it can't be started.
    pub async fn restart(&self) {
        self.kill();
        let server = Box::pin(Redis::start(self.options.clone())).await.expect("Redis starts again");
        *self.lock() = Some(server);
    }

    /// A connection to it.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).expect("the URL is one of Redis");
        client.get_multiplexed_async_connection().await.expect("Redis answers")
    }

    fn lock(&self) -> MutexGuard<'_, Option<Redis>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
