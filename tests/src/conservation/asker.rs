//! A client that insists: it submits questions until each is accepted, whatever happens to the apis meanwhile.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use datagenie_common::lifecycle;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{client::Client, servers::word};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a question is insisted on.
const GIVEN_UP: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(50);
/// The longest that a `Retry-After` is heeded: a test has no more time.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How many unexpected answers are kept word for word.
const KEPT: usize = 10;

/// Where the apis are; clones are the same list, which may change while it is used.
#[derive(Clone, Debug)]
pub struct Addresses(Arc<Mutex<Vec<String>>>);

impl Addresses {
    /// These URLs.
    #[must_use]
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self(Arc::new(Mutex::new(urls.into_iter().map(Into::into).collect())))
    }

    /// From now on these.
    pub fn set<U: Into<String>>(&self, urls: impl IntoIterator<Item = U>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = urls.into_iter().map(Into::into).collect();
    }

    /// One of them, in turn.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn pick(&self, number: usize) -> String {
        let urls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!urls.is_empty(), "there is no api");
        urls[number % urls.len()].clone()
    }
}

/// What is to be asked.
#[derive(Clone)]
pub struct Plan {
    /// Who asks.
    pub client: Client,
    /// Of which apis, in turn.
    pub addresses: Addresses,
    /// Of which database; none: general questions.
    pub connection: Option<Uuid>,
    /// How many ask at the same time.
    pub at_once: usize,
    /// How long each waits between two questions.
    pub pause: Duration,
    /// How many questions; none: until it is told to stop.
    pub total: Option<usize>,
}

/// What the clients were told.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Asked {
    /// The questions that were accepted.
    #[serde(skip)]
    pub ids: Vec<Uuid>,
    /// How many.
    pub accepted: u64,
    /// Tries that brought no answer, or one that says to try again.
    pub tried_again: u64,
    /// 429 and 503 among them.
    pub put_off: u64,
    /// Tries without a key whose answer got lost: the question may be stored although nobody was told.
    pub unknown: u64,
    /// Answers that a client must not see, the first of them word for word.
    pub unexpected: Vec<String>,
}

impl Asked {
    /// What is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.unexpected.iter().map(|answer| format!("a client was answered {answer}")).collect()
    }

    /// What these and other clients were told, together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.ids.extend(other.ids);
        self.accepted += other.accepted;
        self.tried_again += other.tried_again;
        self.put_off += other.put_off;
        self.unknown += other.unknown;
        self.unexpected.extend(other.unexpected);
        self
    }

    fn unexpected(&mut self, answer: String) {
        if self.unexpected.len() < KEPT {
            self.unexpected.push(answer);
        }
    }
}

struct Shared {
    plan: Plan,
    // In the texts and keys, so that two askers ask different questions.
    word: String,
    next: AtomicUsize,
    stop: CancellationToken,
    asked: Mutex<Asked>,
}

/// Clients that ask. Dropping it stops them after the questions that they are at.
pub struct Asker {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

enum Try {
    Accepted(Uuid),
    /// The api says that it is not stored.
    PutOff(Duration),
    /// No answer, or none that says what became of it.
    Unknown,
    Unexpected(String),
}

impl Asker {
    /// How the texts of the questions end that are sent with an idempotency key: every second one.
    pub const KEYED: &'static str = "(with a key)";

    /// Begins to ask.
    #[must_use]
    pub fn start(plan: Plan) -> Self {
        let clients = plan.at_once.max(1);
        let (next, stop) = (AtomicUsize::new(0), CancellationToken::new());
        let shared = Arc::new(Shared { plan, word: word(), next, stop, asked: Mutex::default() });
        let tasks = (0..clients).map(|_| lifecycle::spawn("asker", Arc::clone(&shared).run())).collect();
        Self { shared, tasks }
    }

    /// How many questions have been accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.asked().ids.len()
    }

    /// Waits until all that were planned are accepted or given up; endless ones are stopped.
    ///
    /// # Panics
    /// If a client panicked.
    pub async fn finish(mut self) -> Asked {
        if self.shared.plan.total.is_none() {
            self.shared.stop.cancel();
        }
        for task in std::mem::take(&mut self.tasks) {
            task.await.expect("a client does not panic");
        }
        self.shared.asked().clone()
    }

    /// Takes no new question up, and waits for those that are under way.
    ///
    /// # Panics
    /// If a client panicked.
    pub async fn stop(self) -> Asked {
        self.shared.stop.cancel();
        self.finish().await
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if self.plan.total.is_some_and(|total| number >= total) {
                return;
            }
            self.insist(number).await;
            sleep(self.plan.pause).await;
        }
    }

    /// Asks one question until it is accepted. A stop does not end it: what became of a question with a key is always found out.
    async fn insist(&self, number: usize) {
        let keyed = number.is_multiple_of(2);
        let key = format!("{}-{number}", self.word);
        let suffix = if keyed { Asker::KEYED } else { "(without a key)" };
        let question = format!("How many orders are there? Ask no. {number} of {} {suffix}", self.word);
        let mut body = json!({ "question": question, "cache": "skip" });
        if let Some(connection) = self.plan.connection {
            body["connection_id"] = json!(connection);
        }
        let deadline = Instant::now() + GIVEN_UP;
        for tried in 0.. {
            let wait = match self.ask(number + tried, keyed.then_some(key.as_str()), &body).await {
                Try::Accepted(id) => {
                    let mut asked = self.asked();
                    asked.ids.push(id);
                    asked.accepted += 1;
                    return;
                }
                Try::PutOff(wait) => {
                    self.asked().put_off += 1;
                    wait
                }
                Try::Unknown => {
                    if !keyed {
                        self.asked().unknown += 1;
                    }
                    AGAIN
                }
                Try::Unexpected(answer) => return self.asked().unexpected(answer),
            };
            self.asked().tried_again += 1;
            if Instant::now() >= deadline {
                return self.asked().unexpected(format!("nothing for {} s, question {number}", GIVEN_UP.as_secs()));
            }
            sleep(wait).await;
        }
    }

    async fn ask(&self, turn: usize, key: Option<&str>, body: &Value) -> Try {
        let client = self.plan.client.at(&self.plan.addresses.pick(turn));
        let mut request = client.request(Method::POST, "/v1/questions").timeout(PATIENCE).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let Ok(response) = request.send().await else { return Try::Unknown };
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
        let Ok(text) = response.text().await else { return Try::Unknown };
        match status {
            200 | 202 => {
                let answer: Value = serde_json::from_str(&text).unwrap_or_default();
                let id = answer["id"].as_str().and_then(|id| id.parse().ok());
                id.map_or_else(|| Try::Unexpected(format!("{status} {text}")), Try::Accepted)
            }
            429 => Try::PutOff(wait.map_or(AGAIN, Duration::from_secs).min(LONGEST_WAIT)),
            // It may come from an api whose database did not say what became of it.
            503 => {
                if key.is_none() {
                    self.asked().unknown += 1;
                }
                Try::PutOff(wait.map_or(AGAIN, Duration::from_secs).min(LONGEST_WAIT))
            }
            _ => Try::Unexpected(format!("{status} {text}")),
        }
    }
}
