//! A target of webhooks: keeps what it was sent, and answers as it is told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use datagenie_common::lifecycle;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::wait::until;

/// How the sink takes a delivery.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// With this status.
    Status(u16),
    /// With this status, and a `Retry-After` in seconds.
    StatusAfter(u16, u64),
    /// It never answers.
    Never,
}

/// One request that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, to the byte.
    pub body: Bytes,
}

impl Received {
    /// A header as text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The envelope.
    ///
    /// # Panics
    /// If it is no JSON.
    #[must_use]
    pub fn event(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

#[derive(Default)]
struct Script {
    next: VecDeque<Takes>,
    received: Vec<Received>,
}

/// The sink. Clones are the same one; it ends with the test's runtime. Unless told otherwise it takes everything with 204.
#[derive(Clone)]
pub struct Sink {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Sink {
    /// A sink at a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let sink = Self { address: listener.local_addr().expect("a listener has an address"), script: Arc::default() };
        let router = Router::new().fallback(take).with_state(sink.clone());
        lifecycle::spawn("sink", async move {
            let _ = axum::serve(listener, router).await;
        });
        sink
    }

    /// Where it is, with a query that nobody is to log.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook?token=sink-secret", self.address)
    }

    /// How the next deliveries are taken, one after the other.
    pub fn next(&self, takes: impl IntoIterator<Item = Takes>) {
        self.script().next.extend(takes);
    }

    /// All that came.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.script().received.clone()
    }

    /// Waits until so many have come; all of them.
    ///
    /// # Panics
    /// If they do not come.
    pub async fn has(&self, count: usize) -> Vec<Received> {
        until(|| async { Some(self.received()).filter(|received| received.len() >= count) }, "the sink is called").await
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> Response {
    let takes = {
        let mut script = sink.script();
        script.received.push(Received { headers, body });
        script.next.pop_front().unwrap_or(Takes::Status(204))
    };
    let status = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match takes {
        Takes::Status(code) => status(code).into_response(),
        Takes::StatusAfter(code, seconds) => (status(code), [("retry-after", seconds.to_string())]).into_response(),
        Takes::Never => std::future::pending().await,
    }
}
