//! Takes questions in: submissions that arrive together share one commit. A lone one waits for nobody; while a commit is under way,
//! the next slice gathers by itself.

use std::{sync::Arc, time::Duration};

use datagenie_common::{
    lifecycle,
    store::{
        StoreError,
        ledger::{NewQuestion, Submitted, intake},
    },
};
use sqlx::PgPool;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::error::{ApiError, Code, Result};

/// Submissions that one commit takes at most.
const SLICE: usize = 256;
/// Submissions that may wait for a commit; more are told to come again.
const WAITING: usize = 4096;
/// Commits under way at once.
const COMMITTERS: usize = 2;
/// How long a submission may wait for its commit.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a submission is sent whose outcome is unknown.
const SENDS: u32 = 3;

struct Submission {
    question: NewQuestion,
    answer: oneshot::Sender<std::result::Result<Submitted, StoreError>>,
}

/// The way in.
#[derive(Clone)]
pub struct Intake {
    queue: mpsc::Sender<Submission>,
}

impl Intake {
    /// Starts the committers.
    #[must_use]
    pub fn start(pool: &PgPool) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..COMMITTERS {
            lifecycle::spawn("intake.commit", commit(pool.clone(), waiting.clone()));
        }
        Self { queue }
    }

    /// Takes a question in; returns when it is committed, or known not to be.
    ///
    /// # Errors
    /// 503 where the database does not answer or too many wait; 409 and 422 for the idempotency key; 404 for what is gone.
    pub async fn submit(&self, question: NewQuestion) -> Result<Submitted> {
        let (answer, committed) = oneshot::channel();
        let full = || ApiError::new(Code::Unavailable, "too many submissions are being taken in").retry_after(Duration::from_secs(1));
        self.queue.try_send(Submission { question, answer }).map_err(|_| full())?;
        let late = || {
            ApiError::new(Code::Unavailable, "the service's database does not answer in time; whether the question was taken in is not known, send it again with the same Idempotency-Key")
                .retry_after(Duration::from_secs(1))
        };
        let committed = tokio::time::timeout(PATIENCE, committed).await.map_err(|_| late())?;
        match committed.map_err(|_| full())? {
            Ok(submitted) => Ok(submitted),
            // Deleted between the check and the commit.
            Err(error) if error.is_constraint("query_history_connection_id_fkey") => Err(ApiError::not_found("connection")),
            Err(StoreError::Constraint(name)) if name.ends_with("_user_id_fkey") => {
                Err(ApiError::new(Code::Unauthenticated, "this user does not exist any more"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn commit(pool: PgPool, waiting: Arc<Mutex<mpsc::Receiver<Submission>>>) {
    loop {
        let mut slice = Vec::new();
        if waiting.lock().await.recv_many(&mut slice, SLICE).await == 0 {
            return;
        }
        let (questions, answers): (Vec<_>, Vec<_>) = slice.into_iter().map(|s| (s.question, s.answer)).unzip();
        metrics::histogram!("datagenie_intake_slice").record(f64::from(u32::try_from(questions.len()).unwrap_or(u32::MAX)));
        match send(&pool, &questions).await {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(Ok(outcome));
                }
            }
            // The database is away for all of them.
            Err(error) if error.is_outage() => {
                for answer in answers {
                    let _ = answer.send(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)));
                }
            }
            // One of them can't be stored, and took the others with it: each for itself.
            Err(_) if questions.len() > 1 => {
                for (question, answer) in questions.into_iter().zip(answers) {
                    let outcome = send(&pool, std::slice::from_ref(&question)).await;
                    let _ = answer.send(outcome.map(|mut outcomes| outcomes.pop().unwrap_or(Submitted::New)));
                }
            }
            Err(error) => {
                if let Some(answer) = answers.into_iter().next() {
                    let _ = answer.send(Err(error));
                }
            }
        }
    }
}

// The ids were minted before: what was stored by a send whose answer got lost is found, not stored again.
async fn send(pool: &PgPool, questions: &[NewQuestion]) -> std::result::Result<Vec<Submitted>, StoreError> {
    let mut wait = Duration::from_millis(50);
    for _ in 1..SENDS {
        match intake::submit(pool, questions).await {
            Err(error) if error.is_outage() => tracing::warn!(error = %error, "a commit's outcome is unknown; sending it again"),
            other => return other,
        }
        tokio::time::sleep(wait).await;
        wait *= 4;
    }
    intake::submit(pool, questions).await
}
