//! Reads and analyses an uploaded workbook.

use std::collections::BTreeMap;

use datagenie_common::{
    analyses::AnalysisChart,
    jobs::AnalyseFile,
    model::{
        connections::DbType,
        jobs::JobError,
        questions::{Insight, Provenance, Stage, Usage},
    },
    store::{
        answers::{Answer, Rows},
        ledger::Outcome,
        questions::Ending,
    },
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    question::file,
    run::Context,
    workbooks::{self, Ready},
};

/// Who made an analysis: code, no model.
const COMPUTED: &str = "computed";

/// The part of an analysis that is its answer.
#[derive(Debug, Deserialize)]
struct Said {
    charts: Vec<AnalysisChart>,
    summary: String,
    insights: Vec<Insight>,
}

/// One attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    let payload: AnalyseFile = context.payload()?;
    let began = Instant::now();
    let ready = workbooks::prepare(context, payload.file_id, payload.language).await?;
    let reading_ms = milliseconds(began);
    context.stage(Stage::Summarising);
    let said: Said = workbooks::analysis(context, &ready).await?;
    let timings = BTreeMap::from([("reading", reading_ms), ("total", milliseconds(began))]);
    Ok(Outcome::Answered { ending: Box::new(ending(&ready, &timings)), answer: Box::new(answer(said)) })
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn ending(ready: &Ready, timings: &BTreeMap<&'static str, u64>) -> Ending {
    let tables = &ready.reading.prepared.tables;
    let rows = tables.iter().map(|table| table.rows).sum::<u64>();
    let provenance = Provenance { model: COMPUTED.to_owned(), tables: tables.iter().map(file::place).collect(), ..Provenance::default() };
    Ending {
        dialect: Some(DbType::Sqlite.as_str().to_owned()),
        row_count: Some(i32::try_from(rows).unwrap_or(i32::MAX)),
        execution_time_ms: timings.get("reading").map(|&reading| i32::try_from(reading).unwrap_or(i32::MAX)),
        provenance: serde_json::json!(provenance),
        usage: serde_json::json!(Usage::default()),
        timings: serde_json::json!(timings),
        cached: ready.reused,
        ..Ending::default()
    }
}

// The whole analysis stays with its workbook, in storage: it goes with the file, not with this answer.
fn answer(said: Said) -> Answer {
    let chart = said.charts.into_iter().next().map(|first| first.chart);
    Answer {
        columns: Vec::new(),
        first_rows: Vec::new(),
        rows: Rows::Inline(Vec::new()),
        chart_type: chart.as_ref().map(|chart| chart.kind.as_str().to_owned()),
        chart_spec: chart.as_ref().map(datagenie_common::charts::Chart::vega_lite),
        chart: chart.and_then(|chart| serde_json::to_value(chart).ok()),
        summary: said.summary,
        insights: said.insights,
    }
}
