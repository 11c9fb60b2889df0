//! One batch, from the first byte of its upload to its end.

use std::time::Duration;

use anyhow::{Context, bail};
use datagenie_local::system::http::Api;
use reqwest::{Method, header};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{Fleet, With},
    proc::{Costs, Meter, peak_mb},
};

/// How often the batch is asked for its state.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A batch that makes no progress for so long is stuck.
const STALLED: Duration = Duration::from_secs(60);

/// What it took.
#[derive(Debug, Serialize)]
pub struct Batch {
    /// Its questions, all different.
    pub questions: u64,
    /// Of the upload.
    pub upload_mb: f64,
    /// From the first byte to 202.
    pub upload_seconds: f64,
    /// Questions divided by the time from 202 to the batch's end.
    pub jobs_per_second: f64,
    /// The api's highest memory during the upload, above what it had before.
    pub api_added_mb: f64,
    /// From 202 on.
    pub costs: Costs,
}

/// Uploads so many questions as lines, each of so many bytes, and waits for the end.
pub async fn batch(fleet: &mut Fleet, questions: u64, line_bytes: usize) -> anyhow::Result<Batch> {
    fleet.begin(With::Workers).await?;
    let (api, key, pid) = (Api::new(&fleet.run.url)?, fleet.run.api_key.clone(), fleet.api_pid()?);
    let lines = lines(questions, line_bytes);
    let (size, before, began) = (lines.len(), peak_mb(pid, true)?, Instant::now());
    let url = format!("{}/v1/batches?connection_id={}", api.url(), fleet.connection);
    let request = api.http().post(url).bearer_auth(&key).header(header::CONTENT_TYPE, "application/jsonl").body(lines);
    let answer = request.send().await.context("the upload of a batch")?;
    let (status, text) = (answer.status(), answer.text().await?);
    if status != 202 {
        bail!("a batch was answered {status}: {text}");
    }
    let (upload_seconds, api_added_mb) = (began.elapsed().as_secs_f64(), peak_mb(pid, false)? - before);
    let made: Value = serde_json::from_str(&text)?;
    let path = format!("/v1/batches/{}", made["id"].as_str().context("the api gave no id")?);

    let (meter, began) = (Meter::start(fleet.trees())?, Instant::now());
    let (mut seen, mut grew) = (0, Instant::now());
    loop {
        let batch = api.call(Method::GET, &path, Some(&key), None).await?;
        match batch["status"].as_str() {
            Some("completed") => break,
            Some("running") => {}
            _ => bail!("the batch ended otherwise: {batch}"),
        }
        let done = batch["counts"]["success"].as_u64().unwrap_or_default();
        if done > seen {
            (seen, grew) = (done, Instant::now());
        }
        if grew.elapsed() > STALLED {
            bail!("the batch has stood still for {} s: {batch}", STALLED.as_secs());
        }
        sleep(LOOK_AGAIN).await;
    }
    let jobs_per_second = questions as f64 / began.elapsed().as_secs_f64();
    let upload_mb = size as f64 / 1024.0 / 1024.0;
    Ok(Batch { questions, upload_mb, upload_seconds, jobs_per_second, api_added_mb, costs: meter.finish()? })
}

fn lines(questions: u64, line_bytes: usize) -> String {
    let mut lines = String::new();
    for number in 0..questions {
        let mut question = format!("How many customers are there? No. {number:010} ");
        let rest = line_bytes.saturating_sub(question.len() + 50);
        question.extend(std::iter::repeat_n('.', rest));
        lines.push_str(&json!({ "custom_id": number.to_string(), "question": question, "cache": "skip" }).to_string());
        lines.push('\n');
    }
    lines
}
