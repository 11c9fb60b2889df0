//! Takes questions in: submissions that arrive together share one commit. A lone one waits for nobody; while a commit is under way,
//! the next slice gathers by itself.

use std::time::Duration;

use datagenie_common::{
    dispatch::Dispatch,
    lifecycle,
    model::jobs::Lane,
    store::{
        StoreError,
        ledger::{
            Flow, NewQuestion, Ring, Submitted,
            intake::{self, Taken},
        },
        line::Line,
    },
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    bells::Bells,
    error::{ApiError, Code, Result},
};

/// Submissions that one commit takes at most.
const SLICE: usize = 256;
/// Submissions that may wait for a commit; more are told to come again.
const WAITING: usize = 4096;
/// How long a submission may wait for its commit.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one send may take.
const SEND: Duration = Duration::from_secs(6);
/// How often a submission is sent whose outcome is unknown.
const SENDS: u32 = 3;

type Answer = oneshot::Sender<std::result::Result<Submitted, StoreError>>;

struct Submission {
    question: NewQuestion,
    answer: Answer,
}

/// The way in.
#[derive(Clone)]
pub struct Intake {
    queue: mpsc::Sender<Submission>,
}

impl Intake {
    /// Starts the committer, on a line of its own. There is one: two would ask for the same owner's window at the same time.
    #[must_use]
    pub fn start(line: Line, dispatch: &Dispatch, bells: &Bells) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let committer = Committer { line, dispatch: dispatch.clone(), bells: bells.clone() };
        lifecycle::spawn("intake.commit", committer.run(waiting));
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
            Err(error) if error.is_constraint("query_history_file_id_fkey") => Err(ApiError::not_found("file")),
            Err(StoreError::Constraint(name)) if name.ends_with("_user_id_fkey") => {
                Err(ApiError::new(Code::Unauthenticated, "this user does not exist any more"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

struct Committer {
    line: Line,
    dispatch: Dispatch,
    bells: Bells,
}

impl Committer {
    async fn run(self, mut waiting: mpsc::Receiver<Submission>) {
        loop {
            let mut slice = Vec::new();
            if waiting.recv_many(&mut slice, SLICE).await == 0 {
                return;
            }
            // Who was told 503 meanwhile and asks again must not find two questions.
            slice.retain(|submission: &Submission| !submission.answer.is_closed());
            if slice.is_empty() {
                continue;
            }
            let (questions, answers): (Vec<_>, Vec<_>) = slice.into_iter().map(|s| (s.question, s.answer)).unzip();
            metrics::histogram!("datagenie_intake_slice").record(f64::from(u32::try_from(questions.len()).unwrap_or(u32::MAX)));
            match self.send(&questions).await {
                Ok(taken) => self.committed(&questions, taken, answers),
                // The database is away for all of them.
                Err(error) if error.is_outage() => {
                    for answer in answers {
                        let _ = answer.send(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)));
                    }
                }
                // One of them can't be stored, and took the others with it: each for itself.
                Err(error) if questions.len() > 1 => {
                    tracing::warn!(error = &error as &dyn std::error::Error, questions = questions.len(), "a slice is stored one by one");
                    self.one_by_one(questions, answers).await;
                }
                Err(error) => {
                    if let Some(answer) = answers.into_iter().next() {
                        let _ = answer.send(Err(error));
                    }
                }
            }
        }
    }

    async fn one_by_one(&self, questions: Vec<NewQuestion>, answers: Vec<Answer>) {
        let mut away = false;
        for (question, answer) in questions.into_iter().zip(answers) {
            let one = std::slice::from_ref(&question);
            // The database went away meanwhile: not each of them is to wait for it.
            let sent = if away { Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)) } else { self.send(one).await };
            match sent {
                Ok(taken) => self.committed(one, taken, vec![answer]),
                Err(error) => {
                    away |= error.is_outage();
                    let _ = answer.send(Err(error));
                }
            }
        }
    }

    /// Rings what was let in, and answers.
    fn committed(&self, questions: &[NewQuestion], taken: Taken, answers: Vec<Answer>) {
        let rung = questions.iter().zip(&taken.outcomes).filter(|(_, outcome)| matches!(outcome, Submitted::New { rung: true }));
        let rings: Vec<Ring> = rung.map(|(question, _)| question.ring()).collect();
        if !rings.is_empty() {
            self.bells.ring(rings);
        }
        for user_id in taken.let_in {
            self.dispatch.let_in(Flow { lane: Lane::Interactive, user_id });
        }
        for (answer, outcome) in answers.into_iter().zip(taken.outcomes) {
            let _ = answer.send(Ok(outcome));
        }
    }

    // The ids were minted before: what was stored by a send whose answer got lost is found, not stored again.
    async fn send(&self, questions: &[NewQuestion]) -> std::result::Result<Taken, StoreError> {
        let window = self.dispatch.window(Lane::Interactive).await;
        let mut wait = Duration::from_millis(50);
        for _ in 1..SENDS {
            match self.submit(questions, window).await {
                Err(error) if error.is_outage() => tracing::warn!(error = %error, "a commit's outcome is unknown; sending it again"),
                other => return other,
            }
            tokio::time::sleep(wait).await;
            wait *= 4;
        }
        self.submit(questions, window).await
    }

    async fn submit(&self, questions: &[NewQuestion], window: u32) -> std::result::Result<Taken, StoreError> {
        let submitting = async {
            let mut call = self.line.call().await?;
            let taken = intake::submit_on(call.connection(), questions, window).await;
            call.kept(taken)
        };
        // A connection that stands still would keep everybody waiting for as long as the kernel believes in it.
        tokio::time::timeout(SEND, submitting).await.unwrap_or(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)))
    }
}
