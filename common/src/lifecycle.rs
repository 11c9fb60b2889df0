//! Stopping in two steps, and tasks that do not die unseen.

use std::{io, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

/// Starts a task with a name. A panic in it is logged with the name and then handed to whoever joins the task.
#[expect(clippy::disallowed_methods, reason = "one of the two places that spawn")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let watched = async move {
        match AssertUnwindSafe(future).catch_unwind().await {
            Ok(output) => output,
            Err(panic) => {
                error!(task = name, "a task panicked");
                std::panic::resume_unwind(panic)
            }
        }
    };
    tokio::spawn(watched.instrument(info_span!("task", task = name)))
}

/// Starts a task without a name, that is within the span of who starts it or makes its own. A panic in it is handed to whoever joins it, and
/// what the log says of it is the panic hook's line.
#[expect(clippy::disallowed_methods, reason = "one of the two places that spawn")]
pub fn spawn_within<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

/// Runs a server program to its end, with a thread for every second core, since a process shares its machine with others of ours and what
/// scales is their number; tokio's own variable `TOKIO_WORKER_THREADS` says otherwise. On two cores one thread does a tenth more work than
/// two, which spend it on waking each other; and it is the program's first one, for the same reason.
///
/// Where there are more, `program` itself runs beside them, and has to be woken for every message: what has much to do is a task.
///
/// # Errors
/// If the system gives no threads or no way to wait for input.
pub fn run<F: Future>(program: F) -> io::Result<F::Output> {
    Ok(runtime()?.block_on(program))
}

fn runtime() -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = match (std::env::var_os("TOKIO_WORKER_THREADS"), cores.div_ceil(2)) {
        (Some(_), _) => Builder::new_multi_thread(),
        (None, 1) => Builder::new_current_thread(),
        (None, threads) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().build()
}

/// The two steps of stopping. Soft: take nothing new, finish what is begun. Hard: leave now; leases and the ledger mend the rest.
/// Clones share one state.
#[derive(Clone, Debug)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    grace: Duration,
}

impl Shutdown {
    /// Not stopping yet. `grace` is the time between the soft and the hard step.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { soft: CancellationToken::new(), hard: CancellationToken::new(), grace }
    }

    /// Starts watching: the first SIGTERM or SIGINT (or [`begin`](Self::begin)) is the soft step; a second signal, or the end of the grace
    /// time, the hard one.
    ///
    /// # Errors
    /// If the signal handlers cannot be installed.
    pub fn listen(&self) -> io::Result<()> {
        let signals = stream::select(named(signal(SignalKind::terminate())?, "SIGTERM"), named(signal(SignalKind::interrupt())?, "SIGINT"));
        let shutdown = self.clone();
        spawn("shutdown", async move { shutdown.watch(signals).await });
        Ok(())
    }

    /// Takes the soft step. Without [`listen`](Self::listen) nothing turns it into the hard one.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Takes both steps at once.
    pub fn force(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Whether the soft step was taken.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Whether the hard step was taken.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.hard.is_cancelled()
    }

    /// The token of the soft step.
    #[must_use]
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// The token of the hard step.
    #[must_use]
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Waits for the soft step.
    pub async fn stopping(&self) {
        self.soft.cancelled().await;
    }

    /// Waits for the hard step.
    pub async fn forced(&self) {
        self.hard.cancelled().await;
    }

    async fn watch(&self, signals: impl Stream<Item = &'static str>) {
        // A source of signals that ends is not a signal.
        let mut signals = std::pin::pin!(signals.chain(stream::pending()));
        tokio::select! {
            name = signals.next() => info!(signal = name, grace_seconds = self.grace.as_secs(), "stopping"),
            () = self.soft.cancelled() => info!(grace_seconds = self.grace.as_secs(), "stopping"),
        }
        self.soft.cancel();
        tokio::select! {
            name = signals.next() => warn!(signal = name, "stopping at once"),
            () = sleep(self.grace) => warn!("the grace time is over"),
            () = self.hard.cancelled() => {}
        }
        self.hard.cancel();
    }
}

fn named(signal: Signal, name: &'static str) -> impl Stream<Item = &'static str> {
    stream::unfold(signal, move |mut signal| async move { signal.recv().await.map(|()| (name, signal)) }).boxed()
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;

    const NEVER: Duration = Duration::from_secs(86_400);

    #[tokio::test]
    async fn the_first_signal_is_soft_and_the_second_hard() {
        let shutdown = Shutdown::new(NEVER);
        let (sender, signals) = mpsc::unbounded();
        let watching = spawn("watch", {
            let shutdown = shutdown.clone();
            async move { shutdown.watch(signals).await }
        });
        assert!(!shutdown.is_stopping());
        sender.unbounded_send("SIGTERM").expect("it listens");
        shutdown.stopping().await;
        assert!(!shutdown.is_forced());
        sender.unbounded_send("SIGINT").expect("it listens");
        shutdown.forced().await;
        watching.await.expect("it ends");
    }

    #[tokio::test]
    async fn the_grace_time_ends() {
        let shutdown = Shutdown::new(Duration::ZERO);
        shutdown.begin();
        shutdown.watch(stream::empty()).await;
        assert!(shutdown.is_forced());
    }

    #[tokio::test]
    async fn an_ended_source_of_signals_stops_nothing() {
        let shutdown = Shutdown::new(NEVER);
        let watching = shutdown.watch(stream::empty());
        assert!(watching.now_or_never().is_none());
        assert!(!shutdown.is_stopping());
    }

    #[tokio::test]
    async fn force_takes_both_steps() {
        let shutdown = Shutdown::new(NEVER);
        shutdown.force();
        shutdown.watch(stream::empty()).await;
        assert!(shutdown.is_stopping() && shutdown.is_forced());
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_joins() {
        let task = spawn("broken", async { "no number".parse::<u8>().expect("on purpose") });
        let error = task.await.expect_err("it panicked");
        assert!(error.is_panic());
    }
}
