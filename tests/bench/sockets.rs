//! What open sockets cost the api, and how soon an event is with all of them.

use std::time::Duration;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opened first and not counted: they fill what the api keeps anyway.
const WARM_UP: usize = 100;
/// Opened at the same time.
const AT_ONCE: usize = 50;
/// Until the api's memory is looked at: what opening needed is given back.
const SETTLE: Duration = Duration::from_secs(2);
/// What one may cost, open and idle, in KB of 1,024 bytes.
const MOST_KB: f64 = 20.0;
/// Of fewer sockets the growth says little.
const ENOUGH: usize = 1_000;
/// Until the event must be with the last.
const PATIENCE: Duration = Duration::from_secs(60);

/// What so many sockets cost.
#[derive(Debug, Serialize)]
pub struct SocketFigures {
    /// How many were open and counted.
    pub sockets: usize,
    /// Seconds until all were open.
    pub open_seconds: f64,
    /// Growth of the api's resident set for each, open and idle, in KB of 1,024 bytes.
    pub rss_kb: f64,
    /// Growth of its proportional set, likewise.
    pub pss_kb: f64,
    /// Growth of its proportional set for each once all have had an event, and hold the buffer that it was written in.
    pub pss_after_kb: f64,
    /// From asking for the event to the first that has it, in milliseconds.
    pub first_ms: f64,
    /// From asking for the event to the last that has it, in milliseconds.
    pub last_ms: f64,
}

/// Opens `count` sockets on the api at `url` (`http://…`) as the owner of `token`, then cancels a question of his, whose end goes to all
/// of them. The sockets' other ends are in this process, so that the growth of the process `api_pid` is the api's share alone. This
/// process needs as many file descriptors.
///
/// # Errors
/// If a socket does not open, the event does not come, the api's memory can't be read, or a socket costs more than 20 KB of it.
pub async fn sockets(url: &str, token: &str, count: usize, api_pid: u32) -> anyhow::Result<SocketFigures> {
    let warm = open(url, token, WARM_UP).await?;
    sleep(SETTLE).await;
    let before = Memory::of(api_pid)?;
    let began = Instant::now();
    let mut sockets = open(url, token, count).await?;
    let open_seconds = began.elapsed().as_secs_f64();
    sleep(SETTLE).await;
    let idle = Memory::of(api_pid)?;
    let arrivals = one_event(url, token, &mut sockets).await?;
    let after = Memory::of(api_pid)?;
    drop((sockets, warm));
    #[expect(clippy::cast_precision_loss, reason = "sockets are few")]
    let each = |grown: f64| grown / count.max(1) as f64;
    let pss_kb = each(idle.pss_kb - before.pss_kb);
    anyhow::ensure!(count < ENOUGH || pss_kb <= MOST_KB, "an open socket costs {pss_kb:.1} KB of the api, more than {MOST_KB} KB");
    Ok(SocketFigures {
        sockets: count,
        open_seconds,
        rss_kb: each(idle.rss_kb - before.rss_kb),
        pss_kb,
        pss_after_kb: each(after.pss_kb - before.pss_kb),
        first_ms: arrivals.iter().copied().fold(f64::INFINITY, f64::min),
        last_ms: arrivals.iter().copied().fold(0.0, f64::max),
    })
}

async fn open(url: &str, token: &str, count: usize) -> anyhow::Result<Vec<Socket>> {
    let address = format!("{}/v1/events", url.replacen("http://", "ws://", 1));
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).context("the token is a header's text")?;
    stream::iter(0..count)
        .map(|_| {
            let (address, bearer) = (address.clone(), bearer.clone());
            Box::pin(async move {
                let mut request = address.into_client_request()?;
                request.headers_mut().insert("authorization", bearer);
                // Thousands of the usual buffers would be a gigabyte here.
                let config = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
                let (socket, _) = connect_async_with_config(request, Some(config), true).await?;
                anyhow::Ok(socket)
            })
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Makes one durable event; after how many milliseconds each socket had it.
async fn one_event(url: &str, token: &str, sockets: &mut [Socket]) -> anyhow::Result<Vec<f64>> {
    #[expect(clippy::disallowed_methods, reason = "a load generator of its own")]
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let asked = http.post(format!("{url}/v1/questions")).bearer_auth(token).json(&json!({ "question": "To be stopped?" })).send().await?;
    let asked: Value = asked.error_for_status()?.json().await?;
    let id = asked["id"].as_str().context("a question has an id")?.to_owned();
    let began = Instant::now();
    let cancel = async {
        let cancel = http.post(format!("{url}/v1/questions/{id}/cancel")).bearer_auth(token).send().await?;
        // 409: a worker was quicker; its end is as good.
        anyhow::ensure!(cancel.status().is_success() || cancel.status() == 409, "the cancellation was answered {}", cancel.status());
        anyhow::Ok(())
    };
    let arrivals = async {
        let waiting = sockets.iter_mut().map(|socket| arrival(socket, &id, began));
        futures::future::try_join_all(waiting).await
    };
    let ((), arrivals) = tokio::try_join!(cancel, arrivals)?;
    Ok(arrivals)
}

async fn arrival(socket: &mut Socket, subject: &str, began: Instant) -> anyhow::Result<f64> {
    loop {
        let message = timeout_at(began + PATIENCE, socket.next()).await.context("the event does not come")?;
        if let Message::Text(text) = message.context("a socket has ended")?? {
            let event: Value = serde_json::from_str(text.as_str())?;
            if event["sequence"].is_string() && event["subject"] == subject {
                return Ok(began.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
}

struct Memory {
    rss_kb: f64,
    pss_kb: f64,
}

impl Memory {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let rollup = std::fs::read_to_string(&path).with_context(|| format!("{path} can't be read"))?;
        let kb = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("{path} has no {name}"))?;
            let number = line.split_whitespace().next().with_context(|| format!("{path} has no number at {name}"))?;
            anyhow::Ok(number.parse::<f64>()?)
        };
        Ok(Self { rss_kb: kb("Rss:")?, pss_kb: kb("Pss:")? })
    }
}
