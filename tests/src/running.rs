//! A program of ours inside the test's process, on threads and a runtime of its own, so that it can be stopped or crash by itself.

use std::{
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use datagenie_common::lifecycle::Shutdown;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// From the soft to the hard step of a stop.
const GRACE: Duration = Duration::from_secs(5);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A program that runs, or ran. Dropping it ends it as a crash would.
pub struct Running {
    name: &'static str,
    shutdown: Shutdown,
    crash: CancellationToken,
    thread: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
}

impl Running {
    /// A program that was never started.
    pub(crate) fn nothing(name: &'static str) -> Self {
        Self { name, shutdown: Shutdown::new(GRACE), crash: CancellationToken::new(), thread: Mutex::new(None) }
    }

    /// Starts `serve` and waits until it says that its environment is there.
    ///
    /// # Panics
    /// If it ends before that.
    pub(crate) async fn start<F, S>(name: &'static str, serve: F) -> Self
    where
        F: FnOnce(Shutdown, oneshot::Sender<()>) -> S + Send + 'static,
        S: Future<Output = anyhow::Result<()>>,
    {
        let running = Self::nothing(name);
        let (started, ready) = oneshot::channel();
        let (shutdown, crash) = (running.shutdown.clone(), running.crash.clone());
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let served = runtime.block_on(async {
                tokio::select! {
                    served = Box::pin(serve(shutdown, started)) => served,
                    () = crash.cancelled() => Ok(()),
                }
            });
            // What still runs is dropped where it stands; a blocking call is left to itself.
            runtime.shutdown_timeout(Duration::from_millis(200));
            served
        });
        *running.lock() = Some(thread.expect("a thread starts"));
        if ready.await.is_err() {
            running.join().await;
            panic!("the {name} ended before it was up");
        }
        running
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.lock().as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops it in order, as SIGTERM does; what does not end within five seconds is given back. Stopping it twice is nothing.
    ///
    /// # Panics
    /// If it ends with an error, or not at all.
    pub async fn stop(&self) {
        self.shutdown.begin();
        let hard = Instant::now() + GRACE;
        while self.is_running() && Instant::now() < hard {
            sleep(LOOK_AGAIN).await;
        }
        self.shutdown.force();
        self.join().await;
    }

    /// Ends it in the middle of whatever it does: nothing is given back, nothing written.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn crash(&self) {
        self.crash.cancel();
        self.join().await;
    }

    async fn join(&self) {
        let limit = Instant::now() + STOP_LIMIT;
        while self.is_running() {
            assert!(Instant::now() < limit, "the {} does not stop", self.name);
            sleep(LOOK_AGAIN).await;
        }
        let thread = self.lock().take();
        if let Some(thread) = thread {
            match thread.join() {
                Ok(served) => served.unwrap_or_else(|error| panic!("the {} failed: {error:#}", self.name)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<anyhow::Result<()>>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.crash.cancel();
        let thread = self.lock().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
