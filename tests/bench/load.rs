//! The load generator: questions over raw keep-alive HTTP/1.1, from bytes made once, because it shares the machine with what it measures.

use std::{cell::Cell, ops::Range, time::Duration};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};
use uuid::Uuid;

use crate::{
    http1::{self, Frame},
    percentiles::{self, Percentiles},
};

/// Where a question's number goes, so that no two are the same.
const NUMBER: &str = "0000000000";
/// How long a line waits when it was told that too much is waiting.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

/// A question as it goes over the line, but for its number.
pub struct Question {
    address: String,
    request: Vec<u8>,
    digits: Range<usize>,
}

impl Question {
    /// A question of the owner of this API key about this connection, not from the cache.
    pub fn new(url: &str, key: &str, connection: &str) -> anyhow::Result<Self> {
        let address = url.strip_prefix("http://").context("the api's URL begins with http://")?.trim_end_matches('/').to_owned();
        let question = format!("How many customers are there? No. {NUMBER}");
        let body = json!({ "connection_id": connection, "question": question, "cache": "skip" }).to_string();
        let head = format!(
            "POST /v1/questions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let at = head.len() + body.rfind(NUMBER).context("the question has its number")?;
        Ok(Self { address, request: format!("{head}{body}").into_bytes(), digits: at..at + NUMBER.len() })
    }
}

/// A keep-alive connection that asks one question after the other.
pub struct Line {
    stream: TcpStream,
    request: Vec<u8>,
    digits: Range<usize>,
    received: Vec<u8>,
}

impl Line {
    /// Connects.
    pub async fn open(question: &Question) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&question.address).await.context("the api")?;
        stream.set_nodelay(true)?;
        let (request, digits) = (question.request.clone(), question.digits.clone());
        Ok(Self { stream, request, digits, received: Vec::with_capacity(4096) })
    }

    /// Asks, and gives the status of the answer.
    pub async fn ask(&mut self, number: u64) -> anyhow::Result<u16> {
        self.exchange(number).await?;
        let status = self.received.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        status.and_then(|digits| digits.parse().ok()).context("an HTTP answer begins with its status")
    }

    /// Asks a question that must be accepted, and gives its id.
    pub async fn accepted(&mut self, number: u64) -> anyhow::Result<Uuid> {
        let frame = self.exchange(number).await?;
        let body = self.received.get(frame.body..frame.end).unwrap_or_default();
        ensure!(self.received.starts_with(b"HTTP/1.1 202"), "a question was refused: {}", String::from_utf8_lossy(body));
        let question: Value = serde_json::from_slice(body).context("the answer to a question")?;
        question["id"].as_str().unwrap_or_default().parse().context("the id of a question")
    }

    async fn exchange(&mut self, number: u64) -> anyhow::Result<Frame> {
        let mut rest = number;
        for digit in self.request[self.digits.clone()].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        self.stream.write_all(&self.request).await?;
        self.received.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the api closed a connection in the middle of an answer");
            if let Some(frame) = http1::frame(&self.received)?
                && frame.end <= self.received.len()
            {
                return Ok(frame);
            }
        }
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// When so many were accepted.
    Count(u64),
    /// After this time.
    After(Duration),
}

/// What became of a load.
pub struct Submitted {
    /// Answered 202.
    pub accepted: u64,
    /// Answered 429 or 503.
    pub refused: u64,
    /// From the first question to the last answer.
    pub seconds: f64,
    /// Of the accepted ones.
    pub latency_ms: Percentiles,
}

impl Submitted {
    /// Accepted ones a second.
    pub fn per_second(&self) -> f64 {
        self.accepted as f64 / self.seconds
    }
}

#[derive(Default)]
struct Tally {
    latency_ms: Vec<f64>,
    refused: u64,
}

/// Asks over so many connections at once, each one question at a time.
pub async fn submit(question: &Question, lines: usize, until: Until) -> anyhow::Result<Submitted> {
    let open = futures::future::try_join_all((0..lines).map(|_| Line::open(question))).await?;
    let next = Cell::new(0_u64);
    let began = Instant::now();
    let tallies = futures::future::try_join_all(open.into_iter().map(|line| keep_asking(line, &next, until, began))).await?;
    let seconds = began.elapsed().as_secs_f64();
    let refused = tallies.iter().map(|tally| tally.refused).sum();
    let latency_ms: Vec<f64> = tallies.into_iter().flat_map(|tally| tally.latency_ms).collect();
    Ok(Submitted { accepted: latency_ms.len() as u64, refused, seconds, latency_ms: percentiles::of(latency_ms) })
}

async fn keep_asking(mut line: Line, next: &Cell<u64>, until: Until, began: Instant) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    loop {
        let number = next.get();
        let is_over = match until {
            Until::Count(count) => number >= count,
            Until::After(time) => began.elapsed() >= time,
        };
        if is_over {
            return Ok(tally);
        }
        next.set(number + 1);
        loop {
            let asked = Instant::now();
            match line.ask(number).await? {
                202 => {
                    tally.latency_ms.push(asked.elapsed().as_secs_f64() * 1000.0);
                    break;
                }
                429 | 503 => {
                    tally.refused += 1;
                    sleep(REFUSED_PAUSE).await;
                    if matches!(until, Until::After(time) if began.elapsed() >= time) {
                        return Ok(tally);
                    }
                }
                status => bail!("a question was answered {status}: {}", String::from_utf8_lossy(&line.received)),
            }
        }
    }
}
