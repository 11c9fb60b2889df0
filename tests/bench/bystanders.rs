//! What is not a question: webhooks to deliver, schedules to look through, old rows to remove.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use datagenie_common::{
    lifecycle,
    settings::{Settings, Sources},
};
use datagenie_local::system::http::Api;
use datagenie_scheduler::tasks::fire_schedules;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    time::{Instant, sleep},
};

use crate::{
    fleet::{Fleet, With},
    http1,
    load::{self, Until},
    percentiles::Percentiles,
    proc::{Costs, Meter},
};

/// Connections that ask while webhooks are made, and while rows are removed.
const LINES: usize = 8;
/// How often is looked whether something has come to its end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// When no webhook comes for so long, something is wrong.
const STALLED: Duration = Duration::from_secs(30);
/// Schedules whose time comes at once, of all of them.
const DUE: i64 = 1_000;

/// Deliveries by one worker.
#[derive(Debug, Serialize)]
pub struct Webhooks {
    /// Waiting when the worker started.
    pub deliveries: u64,
    /// Signed and delivered a second, from the first to the last.
    pub per_second: f64,
    /// For all of it.
    pub costs: Costs,
}

/// Answers so many questions whose ends an endpoint is to be told, then has one worker deliver them to a sink that takes everything.
pub async fn webhooks(fleet: &mut Fleet, count: u64) -> anyhow::Result<Webhooks> {
    fleet.begin(With::Api).await?;
    let sink = Sink::start()?;
    let (api, key) = (Api::new(&fleet.run.url)?, fleet.run.api_key.clone());
    let endpoint = json!({ "url": sink.url(), "events": ["question.succeeded"] });
    let endpoint = api.call(Method::POST, "/v1/webhooks", Some(&key), Some(&endpoint)).await?;
    let id = endpoint["id"].as_str().context("the api gave no id")?.to_owned();
    fleet.start_worker(&[("DATAGENIE_WORKER__LANES", "interactive")])?;
    load::submit(&fleet.question()?, LINES, Until::Count(count)).await?;
    fleet.wait_ended(count).await?;
    fleet.end_others().await;

    fleet.start_worker(&[("DATAGENIE_WORKER__LANES", "webhook")])?;
    sink.reached(1).await?;
    let (meter, began, first) = (Meter::start(fleet.trees())?, Instant::now(), sink.count());
    sink.reached(count).await?;
    let seconds = began.elapsed().as_secs_f64();
    let costs = meter.finish()?;
    api.call(Method::DELETE, &format!("/v1/webhooks/{id}"), Some(&key), None).await?;
    Ok(Webhooks { deliveries: count, per_second: (count - first) as f64 / seconds, costs })
}

/// A look at many schedules.
#[derive(Debug, Serialize)]
pub struct Schedules {
    /// How many there are.
    pub schedules: i64,
    /// One look when none is due.
    pub scan_ms: f64,
    /// How many came due at once then.
    pub due: i64,
    /// Until all of those were fired.
    pub fire_ms: f64,
}

/// Looks through so many schedules, as the scheduler does each sweep.
pub async fn schedules(fleet: &mut Fleet, count: i64) -> anyhow::Result<Schedules> {
    fleet.begin(With::Api).await?;
    let (api, key) = (Api::new(&fleet.run.url)?, fleet.run.api_key.clone());
    let schedule = json!({ "name": "each minute", "cron": "* * * * *", "time_zone": "Asia/Seoul", "catch_up": "once",
        "action": { "kind": "question", "question": "What is new?" } });
    api.call(Method::POST, "/v1/schedules", Some(&key), Some(&schedule)).await?;
    fleet.ledger.copy_schedules(count - 1).await?;
    let environment: BTreeMap<String, String> = fleet.environment().iter().cloned().collect();
    let settings = Settings::load(&Sources { environment, file: None, stored: BTreeMap::new() })?;
    let scheduler = datagenie_scheduler::start::environment(settings, "bench".to_owned())?;
    // The first look opens connections.
    fire_schedules::run(&scheduler).await?;
    let began = Instant::now();
    fire_schedules::run(&scheduler).await?;
    let scan_ms = began.elapsed().as_secs_f64() * 1000.0;
    fleet.ledger.make_due(DUE).await?;
    let began = Instant::now();
    fire_schedules::run(&scheduler).await?;
    let fire_ms = began.elapsed().as_secs_f64() * 1000.0;
    let fired = fleet.ledger.schedule_runs().await?;
    ensure!(fired == DUE, "{fired} of {DUE} schedules were fired");
    fleet.ledger.remove_schedules().await?;
    Ok(Schedules { schedules: count, scan_ms, due: DUE, fire_ms })
}

/// Submitting, alone and beside the removal of old rows.
#[derive(Debug, Serialize)]
pub struct Cleanup {
    /// Old questions, each with its answer.
    pub old: i64,
    /// Removed while questions were asked.
    pub removed: i64,
    /// Of a POST, beside nothing.
    pub alone_ms: Percentiles,
    /// Of a POST, beside the removal.
    pub beside_ms: Percentiles,
}

/// Makes so many old questions, and asks for so many seconds without and with a scheduler that removes them.
pub async fn cleanup(fleet: &mut Fleet, old: i64, seconds: u64) -> anyhow::Result<Cleanup> {
    fleet.begin(With::Workers).await?;
    fleet.end_others().await;
    fleet.ledger.copy_old_questions(old).await?;
    let (question, time) = (fleet.question()?, Duration::from_secs(seconds));
    load::submit(&question, LINES, Until::After(Duration::from_secs(1))).await?;
    let alone_ms = load::submit(&question, LINES, Until::After(time)).await?.latency_ms;
    fleet.ledger.forget_upkeep().await?;
    let oldest = fleet.ledger.oldest_question().await?;
    fleet.start_scheduler()?;
    let began = Instant::now();
    while fleet.ledger.oldest_question().await? == oldest {
        ensure!(began.elapsed() < STALLED, "no old question was removed for {} s", STALLED.as_secs());
        sleep(LOOK_AGAIN).await;
    }
    let beside_ms = load::submit(&question, LINES, Until::After(time)).await?.latency_ms;
    let removed = old - fleet.ledger.old_questions().await?;
    Ok(Cleanup { old, removed, alone_ms, beside_ms })
}

/// A target that takes every webhook for as little CPU as can be, on a thread of its own. It ends with this process.
struct Sink {
    address: SocketAddr,
    taken: Arc<AtomicU64>,
}

impl Sink {
    fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("a port for the sink")?;
        listener.set_nonblocking(true)?;
        let (address, taken) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&taken);
        std::thread::Builder::new().name("sink".to_owned()).spawn(move || runtime.block_on(accept(listener, shared)))?;
        Ok(Self { address, taken })
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn count(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    async fn reached(&self, count: u64) -> anyhow::Result<()> {
        let (mut seen, mut grew) = (0, Instant::now());
        loop {
            let taken = self.count();
            if taken >= count {
                return Ok(());
            }
            if taken > seen {
                (seen, grew) = (taken, Instant::now());
            }
            ensure!(grew.elapsed() < STALLED, "no webhook came for {} s ({taken} of {count})", STALLED.as_secs());
            sleep(LOOK_AGAIN).await;
        }
    }
}

async fn accept(listener: std::net::TcpListener, taken: Arc<AtomicU64>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let taken = Arc::clone(&taken);
        lifecycle::spawn("sink.connection", async move {
            // A worker that goes away is no matter.
            drop(serve(stream, &taken).await);
        });
    }
}

async fn serve(mut stream: TcpStream, taken: &AtomicU64) -> anyhow::Result<()> {
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
        stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await?;
        taken.fetch_add(1, Ordering::Relaxed);
    }
}
