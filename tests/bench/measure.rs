//! The measurements.

use std::time::Duration;

use anyhow::Context;
use datagenie_local::{System, run_file::RunFile};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};

/// Milliseconds.
#[derive(Debug, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// One in a hundred takes longer.
    pub p99: f64,
}

fn percentiles(mut samples: Vec<f64>) -> Percentiles {
    samples.sort_by(f64::total_cmp);
    let at = |part: usize| samples.get(samples.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    Percentiles { p50: at(50), p99: at(99) }
}

async fn database(run: &RunFile) -> anyhow::Result<PgConnection> {
    let url = run.postgres_url.as_deref().context("the system database is a private one")?;
    Ok(PgConnection::connect(url).await?)
}

/// From the first byte of a question to its answer standing in the database, looked at every half millisecond; one at a time.
pub async fn latency(run: &RunFile, count: usize) -> anyhow::Result<Percentiles> {
    let mut database = database(run).await?;
    #[expect(clippy::disallowed_methods, reason = "a load generator of its own")]
    let http = reqwest::Client::builder().no_proxy().build()?;
    let connection = run.connections.get("shop").context("the sample is registered")?;
    let body = json!({ "question": "How many?", "connection_id": connection, "cache": "skip" });
    let mut samples = Vec::with_capacity(count);
    // The first ones open connections and are not counted.
    for n in 0..count + 20 {
        let began = Instant::now();
        let reply = http.post(format!("{}/v1/questions", run.url)).bearer_auth(&run.api_key).json(&body).send().await?;
        anyhow::ensure!(reply.status() == 202, "a question was answered {}", reply.status());
        let id: uuid::Uuid = reply.json::<Value>().await?["id"].as_str().unwrap_or_default().parse()?;
        loop {
            let status: String =
                sqlx::query_scalar("SELECT status FROM query_history WHERE id = $1").bind(id).fetch_one(&mut database).await?;
            if status != "pending" {
                anyhow::ensure!(status == "success", "a question ended as {status}");
                break;
            }
            sleep(Duration::from_micros(500)).await;
        }
        if n >= 20 {
            samples.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(percentiles(samples))
}

/// One INSERT in a commit of its own, on the same server: what any stored answer costs at least.
pub async fn single_commit(run: &RunFile, count: usize) -> anyhow::Result<Percentiles> {
    let mut database = database(run).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS bench_commits (id bigserial PRIMARY KEY, at timestamptz DEFAULT now())")
        .execute(&mut database)
        .await?;
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        sqlx::query("INSERT INTO bench_commits DEFAULT VALUES").execute(&mut database).await?;
        samples.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    sqlx::query("DROP TABLE bench_commits").execute(&mut database).await?;
    Ok(percentiles(samples))
}

/// What one program costs.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Its name.
    pub name: String,
    /// Resident set.
    pub rss_mb: f64,
    /// Proportional set: shared pages divided among those who share them.
    pub pss_mb: f64,
    /// Of one core, while nothing is asked.
    pub cpu_percent: f64,
}

/// What the system costs while nothing is asked.
#[derive(Debug, Serialize)]
pub struct Idle {
    /// api, worker, scheduler.
    pub processes: Vec<Cost>,
    /// All of them together.
    pub cpu_percent: f64,
}

/// Looks at the programs for so many seconds.
pub async fn idle(system: &System, seconds: u64) -> anyhow::Result<Idle> {
    let programs: Vec<(String, i32)> = [("api", system.apis()), ("worker", system.workers()), ("scheduler", system.schedulers())]
        .into_iter()
        .flat_map(|(name, list)| list.iter().map(move |process| (name, process.pid())))
        .filter_map(|(name, pid)| Some((name.to_owned(), i32::try_from(pid?).ok()?)))
        .collect();
    let before: Vec<f64> = programs.iter().map(|(_, pid)| cpu_seconds(*pid)).collect::<anyhow::Result<_>>()?;
    let began = Instant::now();
    sleep(Duration::from_secs(seconds)).await;
    let elapsed = began.elapsed().as_secs_f64();
    let mut processes = Vec::new();
    for ((name, pid), before) in programs.into_iter().zip(before) {
        let cpu_percent = (cpu_seconds(pid)? - before) / elapsed * 100.0;
        processes.push(Cost { rss_mb: memory(pid, "Rss:")?, pss_mb: memory(pid, "Pss:")?, name, cpu_percent });
    }
    let cpu_percent = processes.iter().map(|cost| cost.cpu_percent).sum();
    Ok(Idle { processes, cpu_percent })
}

// Fields 14 and 15 of /proc/PID/stat, in ticks of which Linux has 100 a second.
fn cpu_seconds(pid: i32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').context("a line of /proc/PID/stat")?.1;
    let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

fn memory(pid: i32, what: &str) -> anyhow::Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.starts_with(what)).context("a line of smaps_rollup")?;
    let kb: f64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kb / 1024.0)
}
