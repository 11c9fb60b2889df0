//! A model that answers at once, or so many milliseconds later, for as little CPU as can be. It has a thread of its own, so that
//! what the load generator does never delays an answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use datagenie_common::lifecycle;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

use crate::http1;

/// What it answers to every question about the sample shop: cheap for the customer's database, so that the engine is measured.
const SQL: &str = "SELECT count(*) AS n FROM customers WHERE id <= 100";

/// An OpenAI-compatible server. It ends with this process.
pub struct Model {
    address: SocketAddr,
    latency_ms: Arc<AtomicU64>,
}

impl Model {
    /// Starts it at a free port of 127.0.0.1.
    pub fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("a port for the model")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let latency_ms = Arc::new(AtomicU64::new(0));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&latency_ms);
        std::thread::Builder::new().name("model".to_owned()).spawn(move || runtime.block_on(accept(listener, shared)))?;
        Ok(Self { address, latency_ms })
    }

    /// Its `llm.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on it takes so long over each call.
    pub fn set_latency(&self, milliseconds: u64) {
        self.latency_ms.store(milliseconds, Ordering::Relaxed);
    }
}

async fn accept(listener: std::net::TcpListener, latency_ms: Arc<AtomicU64>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let reply: Arc<[u8]> = reply().into();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (reply, latency_ms) = (Arc::clone(&reply), Arc::clone(&latency_ms));
        lifecycle::spawn("model.connection", async move {
            // A caller that goes away is no matter.
            drop(serve(stream, &reply, &latency_ms).await);
        });
    }
}

async fn serve(mut stream: TcpStream, reply: &[u8], latency_ms: &AtomicU64) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(16 * 1024);
    loop {
        let end = loop {
            if let Some(frame) = http1::frame(&received)?
                && frame.end <= received.len()
            {
                break frame.end;
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        received.drain(..end);
        let wait = latency_ms.load(Ordering::Relaxed);
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        stream.write_all(reply).await?;
    }
}

fn reply() -> Vec<u8> {
    let content = json!({ "sql": SQL, "explanation": "The first hundred customers." }).to_string();
    let body = json!({
        "id": "bench",
        "object": "chat.completion",
        "model": "bench",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440 },
    })
    .to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
