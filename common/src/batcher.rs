//! Calls that come together go together: while one statement is under way, the next ones gather, and go in one. A lone call waits
//! for nobody.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use crate::lifecycle;

/// Calls that may wait for their turn; a caller beyond them waits to enter.
const WAITING: usize = 4096;

type Call<I, O> = (I, oneshot::Sender<O>);

struct Waiting<I, O> {
    calls: mpsc::Receiver<Call<I, O>>,
    /// When the next batch may begin though it is not full.
    next: Instant,
}

impl<I, O> Waiting<I, O> {
    /// The next batch; empty: nobody will call any more.
    async fn take(&mut self, most: usize, spacing: &(impl Fn() -> Duration + Sync)) -> Vec<Call<I, O>> {
        let mut calls = Vec::new();
        self.calls.recv_many(&mut calls, most).await;
        while calls.len() < most && Instant::now() < self.next {
            let room = most - calls.len();
            match timeout_at(self.next, self.calls.recv_many(&mut calls, room)).await {
                Ok(1..) => {}
                // The time is over, or nobody will call any more.
                Err(_) | Ok(0) => break,
            }
        }
        self.next = Instant::now() + spacing();
        calls
    }
}

/// Gathers calls of one kind.
pub struct Batcher<I, O> {
    queue: mpsc::Sender<Call<I, O>>,
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Starts `runners` tasks, each of which takes at most `most` calls at once to `run`, which gives one answer for each, in their
    /// order, within `patience`. They end with the batcher.
    #[must_use]
    pub fn start<R, F>(name: &'static str, runners: usize, most: usize, patience: Duration, run: R) -> Self
    where
        R: Fn(Vec<I>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Vec<O>> + Send + 'static,
    {
        Self::spaced(name, runners, most, || Duration::ZERO, patience, run)
    }

    /// The same, and a batch begins no sooner than `spacing` after the one before, unless it is full: under load, what comes within that
    /// time shares a batch. A call after a quiet moment still waits for nobody. The spacing is asked for whenever a batch begins.
    #[must_use]
    pub fn spaced<S, R, F>(name: &'static str, runners: usize, most: usize, spacing: S, patience: Duration, run: R) -> Self
    where
        S: Fn() -> Duration + Clone + Send + Sync + 'static,
        R: Fn(Vec<I>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Vec<O>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel::<Call<I, O>>(WAITING);
        let waiting = Arc::new(Mutex::new(Waiting { calls: waiting, next: Instant::now() }));
        for _ in 0..runners {
            let (waiting, spacing, run) = (waiting.clone(), spacing.clone(), run.clone());
            lifecycle::spawn(name, async move {
                loop {
                    let mut calls = waiting.lock().await.take(most, &spacing).await;
                    if calls.is_empty() {
                        return;
                    }
                    // Who went away while he waited is not served.
                    calls.retain(|(_, answer)| !answer.is_closed());
                    if calls.is_empty() {
                        continue;
                    }
                    let (inputs, answers): (Vec<I>, Vec<_>) = calls.into_iter().unzip();
                    // A database that stands still, or a fault of ours, ends these calls and not the runner.
                    match timeout(patience, AssertUnwindSafe(run(inputs)).catch_unwind()).await {
                        Ok(Ok(outputs)) => {
                            for (answer, output) in answers.into_iter().zip(outputs) {
                                let _ = answer.send(output);
                            }
                        }
                        Ok(Err(_)) => tracing::error!(batch = name, "a batch of calls panicked"),
                        Err(_) => tracing::warn!(batch = name, "a batch of calls is not answered in time"),
                    }
                }
            });
        }
        Self { queue }
    }

    /// Makes one call; none if there was no answer in time: whether it was done is then not known.
    pub async fn call(&self, input: I) -> Option<O> {
        let (answer, answered) = oneshot::channel();
        self.queue.send((input, answer)).await.ok()?;
        answered.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_panic_and_a_standstill_end_their_calls_and_not_the_runner() {
        let batcher = Batcher::start("test", 1, 1, Duration::from_millis(20), |calls: Vec<u32>| async move {
            match calls[0] {
                0 => "no number".parse::<u8>().map(|_| Vec::new()).expect("on purpose"),
                1 => std::future::pending().await,
                _ => calls,
            }
        });
        assert_eq!(batcher.call(0).await, None);
        assert_eq!(batcher.call(1).await, None);
        assert_eq!(batcher.call(2).await, Some(2));
    }

    /// A batcher of at most four calls at once whose batches answer with their size.
    fn counting(spacing: Duration) -> Batcher<(), usize> {
        Batcher::spaced("test", 2, 4, move || spacing, PATIENCE, |calls: Vec<()>| async move { vec![calls.len(); calls.len()] })
    }

    #[tokio::test]
    async fn a_spaced_batch_begins_when_it_is_full_or_its_time_has_come() {
        // Nobody waits for this one: what is answered was alone, or one of four.
        let batcher = counting(Duration::from_hours(1));
        assert_eq!(batcher.call(()).await, Some(1), "a call after a quiet moment waits for nobody");
        let answers = join_all((0..4).map(|_| batcher.call(()))).await;
        assert_eq!(answers, [Some(4); 4]);
        let late = timeout(Duration::from_millis(50), batcher.call(())).await;
        assert!(late.is_err(), "one alone waits for others: {late:?}");

        let batcher = counting(Duration::from_millis(10));
        assert_eq!(batcher.call(()).await, Some(1));
        let answers = join_all((0..3).map(|_| batcher.call(()))).await;
        assert_eq!(answers, [Some(3); 3], "those who came within the spacing go together, though they fill no batch");
    }

    #[tokio::test]
    async fn calls_that_come_while_one_is_under_way_go_together_and_each_gets_its_own_answer() {
        let gate = Arc::new(Semaphore::new(0));
        let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
        let batcher = Batcher::start("test", 1, 64, PATIENCE, {
            let (gate, sizes) = (gate.clone(), sizes.clone());
            move |calls: Vec<u32>| {
                let (gate, sizes) = (gate.clone(), sizes.clone());
                async move {
                    gate.acquire().await.expect("the gate stays").forget();
                    sizes.lock().await.push(calls.len());
                    calls.into_iter().map(|call| call * 10).collect()
                }
            }
        });
        let calls = join_all((0..10).map(|n| batcher.call(n)));
        let open = async {
            // The first call alone is under way when all of them have been made.
            tokio::task::yield_now().await;
            gate.add_permits(100);
        };
        let (answers, ()) = tokio::join!(calls, open);
        assert_eq!(answers, (0..10).map(|n| Some(n * 10)).collect::<Vec<_>>());
        let sizes = sizes.lock().await;
        assert_eq!(sizes.iter().sum::<usize>(), 10);
        assert!(sizes.len() <= 2, "{sizes:?}");
    }
}
