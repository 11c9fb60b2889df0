//! The audit log's lines of what was read. A reading waits only until its line has a place in a bounded buffer, from which lines are
//! stored many at once; where there is none in time, since the database is away, the reading is refused. No line is dropped unseen: a
//! process that stops stores what it holds, and one that is killed loses what it held, a slice of a few milliseconds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use datagenie_common::{
    lifecycle,
    store::{
        StoreError,
        audit::{self, Line},
    },
};
use sqlx::PgPool;
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use crate::error::{ApiError, Code, Result};

/// Lines that wait to be stored; some 4 MiB of them.
const WAITING: usize = 4096;
/// Lines that one statement stores at most.
const SLICE: usize = 256;
/// How long a reading waits for a place.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one statement may take.
const SEND: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The way to the log.
pub struct Trail {
    queue: mpsc::Sender<Line>,
    unstored: Arc<Unstored>,
}

#[derive(Default)]
struct Unstored {
    count: AtomicUsize,
    none: Notify,
}

impl Trail {
    /// Starts the task that stores lines; it ends with this.
    #[must_use]
    pub fn start(pool: PgPool) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let unstored: Arc<Unstored> = Arc::default();
        lifecycle::spawn("audit.store", run(pool, waiting, unstored.clone()));
        Self { queue, unstored }
    }

    /// Notes a reading, before it is answered.
    ///
    /// # Errors
    /// 503 when there is no place for it in time: then nothing may be shown.
    pub async fn note(&self, line: Line) -> Result<()> {
        if let Ok(Ok(place)) = timeout(PATIENCE, self.queue.reserve()).await {
            // Counted first, and both without a wait in between: who stops must not find none, and who is cut off leaves nothing.
            self.unstored.count.fetch_add(1, Ordering::SeqCst);
            place.send(line);
            return Ok(());
        }
        metrics::counter!("datagenie_audit_refused_total").increment(1);
        let detail = "the audit log can't be written, so nothing is shown; try again";
        Err(ApiError::new(Code::Unavailable, detail).retry_after(Duration::from_secs(1)))
    }

    /// Waits until every line is stored.
    pub async fn stored(&self) {
        loop {
            let none = self.unstored.none.notified();
            if self.unstored.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            none.await;
        }
    }

    /// Lines that are not stored yet.
    #[must_use]
    pub fn unstored(&self) -> usize {
        self.unstored.count.load(Ordering::SeqCst)
    }
}

impl Unstored {
    fn stored(&self, lines: usize) {
        if self.count.fetch_sub(lines, Ordering::SeqCst) == lines {
            self.none.notify_waiters();
        }
    }
}

async fn run(pool: PgPool, mut waiting: mpsc::Receiver<Line>, unstored: Arc<Unstored>) {
    let mut lines = Vec::with_capacity(SLICE);
    while waiting.recv_many(&mut lines, SLICE).await > 0 {
        store(&pool, &lines).await;
        unstored.stored(lines.len());
        lines.clear();
    }
}

/// Stores lines, however long it takes.
async fn store(pool: &PgPool, lines: &[Line]) {
    let mut pause = FIRST_PAUSE;
    loop {
        match timeout(SEND, audit::insert_lines(pool, lines)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) if is_lines_fault(&error) && lines.len() > 1 => {
                // One of them can't be stored, and took the others with it: each for itself.
                tracing::warn!(error = &error as &dyn std::error::Error, lines = lines.len(), "audit lines are stored one by one");
                for line in lines {
                    Box::pin(store(pool, std::slice::from_ref(line))).await;
                }
                return;
            }
            Ok(Err(error)) if is_lines_fault(&error) => {
                // Said where it can be said: a line that no database takes must not keep the others.
                metrics::counter!("datagenie_audit_unstorable_total").increment(1);
                tracing::error!(error = &error as &dyn std::error::Error, line = ?lines.first(), "an audit line can't be stored");
                return;
            }
            Ok(Err(error)) => tracing::warn!(error = %error, lines = lines.len(), "audit lines wait for the database"),
            Err(_) => tracing::warn!(lines = lines.len(), "audit lines wait for the database, which does not answer in time"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether a line, and not the state of the database, keeps it from being stored: its values, or a rule of the table.
fn is_lines_fault(error: &StoreError) -> bool {
    match error {
        StoreError::Constraint(_) => true,
        StoreError::Database(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
        }
        _ => false,
    }
}
