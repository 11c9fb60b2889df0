//! A reader of the event stream who comes back with `after` whenever his socket ends, and counts what he gets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::lifecycle;
use futures::StreamExt;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::asker::Addresses;
use crate::client::Client;

/// Before all events.
const BEGINNING: &str = "00000000000000000000000000000000";
/// A socket without even a ping for so long is a dead one.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Received {
    // How often each event came.
    times: BTreeMap<Uuid, u64>,
    after: String,
    sockets: u64,
    backwards: u64,
}

/// What a reader got, compared with what is stored.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Heard {
    /// Durable events that are stored.
    pub stored: u64,
    /// Those that came.
    pub heard: u64,
    /// Those that never came.
    pub missing: u64,
    /// Those that came more than once.
    pub doubled: u64,
    /// Those that came and are not stored: they told of a commit that there never was.
    pub unfounded: u64,
    /// Those that came after a later one.
    pub backwards: u64,
    /// Sockets that it took.
    pub sockets: u64,
}

impl Heard {
    /// What is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let counts = [
            ("events were never heard", self.missing),
            ("events were heard twice", self.doubled),
            ("events were heard that are not stored", self.unfounded),
            ("events were heard out of their order", self.backwards),
        ];
        counts.into_iter().filter(|&(_, count)| count > 0).map(|(what, count)| format!("{count} {what}")).collect()
    }
}

/// Reads all events that a client may see, from the first one on. Dropping it ends it.
pub struct EventReader {
    received: Arc<Mutex<Received>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl EventReader {
    /// Begins to read, as an administrator at best, who sees everybody's.
    #[must_use]
    pub fn start(client: &Client, addresses: &Addresses) -> Self {
        let received = Received { times: BTreeMap::new(), after: BEGINNING.to_owned(), sockets: 0, backwards: 0 };
        let (received, stop) = (Arc::new(Mutex::new(received)), CancellationToken::new());
        let reading = read(received.clone(), client.token().to_owned(), addresses.clone());
        let stopped = stop.clone();
        let task = lifecycle::spawn("event_reader", async move {
            tokio::select! {
                () = reading => {}
                () = stopped.cancelled() => {}
            }
        });
        Self { received, stop, task }
    }

    /// Waits until every stored event was heard, at most so long, ends, and compares: what is stored at the first of these moments must
    /// have been heard, and what was heard must be stored at the last one. Work may go on meanwhile.
    ///
    /// # Errors
    /// If the database does not answer.
    ///
    /// # Panics
    /// If the reader panicked.
    pub async fn compare(mut self, pool: &PgPool, limit: Duration) -> Result<Heard, sqlx::Error> {
        let deadline = Instant::now() + limit;
        let stored = loop {
            let stored: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM events").fetch_all(pool).await?;
            let complete = {
                let received = lock(&self.received);
                stored.iter().all(|id| received.times.contains_key(id))
            };
            if complete || Instant::now() >= deadline {
                break stored;
            }
            sleep(AGAIN).await;
        };
        self.stop.cancel();
        (&mut self.task).await.expect("the reader does not panic");
        let afterwards: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM events").fetch_all(pool).await?;
        let afterwards: BTreeSet<Uuid> = afterwards.into_iter().collect();
        let received = lock(&self.received);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let found = count(stored.iter().filter(|id| received.times.contains_key(id)).count());
        Ok(Heard {
            stored: count(stored.len()),
            heard: count(received.times.len()),
            missing: count(stored.len()) - found,
            doubled: count(received.times.values().filter(|&&times| times > 1).count()),
            unfounded: count(received.times.keys().filter(|id| !afterwards.contains(id)).count()),
            backwards: received.backwards,
            sockets: received.sockets,
        })
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(received: Arc<Mutex<Received>>, token: String, addresses: Addresses) {
    for turn in 0.. {
        let after = lock(&received).after.clone();
        socket(&received, &token, &addresses.pick(turn), &after).await;
        sleep(AGAIN).await;
    }
}

/// One socket, until it ends.
async fn socket(received: &Mutex<Received>, token: &str, url: &str, after: &str) {
    let address = format!("{}/v1/events?after={after}", url.replacen("http://", "ws://", 1));
    let mut request = address.as_str().into_client_request().expect("the address is one of a socket");
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is a header's text");
    request.headers_mut().insert("authorization", bearer);
    let Ok(Ok((mut socket, _))) = timeout(CONNECT_LIMIT, Box::pin(connect_async(request))).await else { return };
    lock(received).sockets += 1;
    while let Ok(Some(Ok(message))) = timeout(SILENCE, socket.next()).await {
        match message {
            Message::Text(text) => note(received, text.as_str()),
            Message::Close(_) => return,
            _ => {}
        }
    }
}

/// Counts a durable event; progress has no `sequence`.
fn note(received: &Mutex<Received>, text: &str) {
    let event: Value = serde_json::from_str(text).unwrap_or_default();
    let id = event["id"].as_str().and_then(|id| id.parse().ok());
    let (Some(id), Some(sequence)) = (id, event["sequence"].as_str()) else { return };
    let mut received = lock(received);
    *received.times.entry(id).or_default() += 1;
    if sequence <= received.after.as_str() {
        received.backwards += 1;
    } else {
        sequence.clone_into(&mut received.after);
    }
}
