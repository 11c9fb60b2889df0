//! The measures one after the other, on one broker or on both.

use std::path::PathBuf;

use clap::ValueEnum;
use datagenie_local::{BrokerKind, notes::note};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    backlog::{self, Backlog},
    batches::{self, Batch},
    bystanders::{self, Cleanup, Webhooks},
    end_to_end::{self, EndToEnd},
    fleet::{Fleet, With},
    idle::{self, IdleLatency},
    intake::{self, Intake},
    model::Model,
    proc::Costs,
    sockets,
    table::{self, Table},
    workbooks,
};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    /// Questions accepted a second, no worker running.
    Intake,
    /// Questions accepted a second while a worker answers.
    IntakeLive,
    /// Answers a second, the model taking no time.
    EndToEnd0,
    /// Answers a second, the model taking 200 ms.
    EndToEnd200,
    /// From a question to its stored answer, one at a time.
    IdleLatency,
    /// CPU and memory while nothing is asked.
    IdleCost,
    /// A long backlog of one user.
    Backlog,
    /// Thousands of WebSockets.
    Sockets,
    /// One large batch.
    Batch,
    /// Webhooks delivered a second by one worker.
    Webhooks,
    /// A look through many schedules.
    Schedules,
    /// Submitting while old rows are removed.
    Cleanup,
    /// Large workbooks, from the upload to the finished analysis.
    Workbooks,
}

/// On which broker.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Brokers {
    /// Redis Streams.
    Redis,
    /// RabbitMQ.
    Rabbitmq,
    /// One after the other.
    Both,
}

/// What to measure, and how long.
#[derive(clap::Args)]
pub struct Options {
    /// The folder of the programs to measure.
    #[arg(long)]
    pub bin_dir: PathBuf,
    /// The broker.
    #[arg(long, value_enum, default_value_t = Brokers::Redis)]
    pub broker: Brokers,
    /// Only these measures, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Measure>,
    /// Seconds of each intake measurement.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Questions of each end-to-end and throughput measurement.
    #[arg(long, default_value_t = 5_000)]
    pub jobs: u64,
    /// Questions of each latency measurement.
    #[arg(long, default_value_t = 200)]
    pub questions: u64,
    /// Seconds of the idle measurement.
    #[arg(long, default_value_t = 60)]
    pub idle_seconds: u64,
    /// Jobs of the backlog; more than twice what --jobs says.
    #[arg(long, default_value_t = 200_000)]
    pub backlog: u64,
    /// Sockets.
    #[arg(long, default_value_t = 5_000)]
    pub sockets: usize,
    /// Questions of the batch.
    #[arg(long, default_value_t = 10_000)]
    pub batch: u64,
    /// Bytes of each of its lines.
    #[arg(long, default_value_t = 120)]
    pub batch_line: usize,
    /// Webhooks.
    #[arg(long, default_value_t = 5_000)]
    pub webhooks: u64,
    /// Schedules.
    #[arg(long, default_value_t = 100_000)]
    pub schedules: i64,
    /// Old questions.
    #[arg(long, default_value_t = 1_000_000)]
    pub old: i64,
    /// Rows of the xlsx.
    #[arg(long, default_value_t = 200_000)]
    pub xlsx_rows: u32,
    /// Rows of the csv.
    #[arg(long, default_value_t = 1_000_000)]
    pub csv_rows: u32,
    /// A file to analyse instead of these two.
    #[arg(long)]
    pub workbook: Option<PathBuf>,
    /// A setting of the programs by its environment variable; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub env: Vec<(String, String)>,
    /// Where the programs' logs go and stay.
    #[arg(long)]
    pub logs: Option<PathBuf>,
    /// Where the figures go.
    #[arg(long, default_value = "bench.json")]
    pub out: PathBuf,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Figures of one broker; what was not asked for is absent.
#[derive(Debug, Default, Serialize)]
struct Figures {
    intake: Option<Intake>,
    intake_live: Option<Intake>,
    end_to_end_0: Option<EndToEnd>,
    end_to_end_200: Option<EndToEnd>,
    idle_latency: Option<IdleLatency>,
    idle_cost: Option<Costs>,
    backlog: Option<Backlog>,
    sockets: Option<Value>,
    batch: Option<Batch>,
    webhooks: Option<Webhooks>,
    schedules: Option<Value>,
    cleanup: Option<Cleanup>,
    workbooks: Option<Value>,
}

/// Measures, prints and writes.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let model = Model::start()?;
    let brokers: &[(&str, BrokerKind)] = match options.broker {
        Brokers::Redis => &[("redis", BrokerKind::Redis)],
        Brokers::Rabbitmq => &[("rabbitmq", BrokerKind::Rabbitmq)],
        Brokers::Both => &[("redis", BrokerKind::Redis), ("rabbitmq", BrokerKind::Rabbitmq)],
    };
    let (mut table, mut by_broker) = (Table::default(), Map::new());
    for (name, broker) in brokers {
        let mut fleet = Box::pin(Fleet::start(&options, *broker, &model)).await?;
        let figures = Box::pin(measure(&mut fleet, &model, &options, name)).await;
        let stopped = fleet.stop().await;
        let figures = figures?;
        stopped?;
        table.column(name);
        put(&mut table, &figures);
        by_broker.insert((*name).to_owned(), serde_json::to_value(&figures)?);
        // After each broker: a failure of the second one loses nothing.
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let file = json!({ "cores": cores, "jobs": options.jobs, "questions": options.questions, "figures": by_broker });
        std::fs::write(&options.out, serde_json::to_vec_pretty(&file)?)?;
    }
    table::print(&table.text());
    Ok(())
}

async fn measure(fleet: &mut Fleet, model: &Model, options: &Options, broker: &str) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for measure in Measure::value_variants() {
        if !options.only.is_empty() && !options.only.contains(measure) {
            continue;
        }
        note(&format!("{broker}: {measure:?}"));
        match measure {
            Measure::Intake => figures.intake = Some(Box::pin(intake::intake(fleet, With::Api, options.seconds)).await?),
            Measure::IntakeLive => figures.intake_live = Some(Box::pin(intake::intake(fleet, With::Workers, options.seconds)).await?),
            Measure::EndToEnd0 => figures.end_to_end_0 = Some(Box::pin(end_to_end::end_to_end(fleet, model, options.jobs, 0)).await?),
            Measure::EndToEnd200 => {
                figures.end_to_end_200 = Some(Box::pin(end_to_end::end_to_end(fleet, model, options.jobs, 200)).await?);
            }
            Measure::IdleLatency => figures.idle_latency = Some(Box::pin(idle::idle_latency(fleet, options.questions)).await?),
            Measure::IdleCost => figures.idle_cost = Some(Box::pin(idle::idle_cost(fleet, options.idle_seconds)).await?),
            Measure::Backlog => {
                let backlog = backlog::backlog(fleet, options.backlog, options.jobs, options.questions);
                figures.backlog = Some(Box::pin(backlog).await?);
            }
            Measure::Sockets => {
                fleet.begin(With::Workers).await?;
                let (url, key, pid) = (fleet.run.url.clone(), fleet.run.api_key.clone(), fleet.api_pid()?);
                let found = Box::pin(sockets::sockets(&url, &key, options.sockets, pid)).await?;
                figures.sockets = Some(serde_json::to_value(found)?);
            }
            Measure::Batch => figures.batch = Some(Box::pin(batches::batch(fleet, options.batch, options.batch_line)).await?),
            Measure::Webhooks => figures.webhooks = Some(Box::pin(bystanders::webhooks(fleet, options.webhooks)).await?),
            Measure::Schedules => {
                let found = Box::pin(bystanders::schedules(fleet, options.schedules)).await?;
                figures.schedules = Some(serde_json::to_value(found)?);
            }
            Measure::Cleanup => figures.cleanup = Some(Box::pin(bystanders::cleanup(fleet, options.old, options.seconds)).await?),
            Measure::Workbooks => {
                let own = options.workbook.as_deref();
                let found = Box::pin(workbooks::workbooks(fleet, own, options.xlsx_rows, options.csv_rows)).await?;
                figures.workbooks =
                    Some(found.into_iter().map(|(name, found)| Ok((name, serde_json::to_value(found)?))).collect::<anyhow::Result<_>>()?);
            }
        }
    }
    Ok(figures)
}

fn put(table: &mut Table, figures: &Figures) {
    for (label, intake) in [("intake", &figures.intake), ("intake while working", &figures.intake_live)] {
        let Some(intake) = intake else { continue };
        table.put(&format!("{label}, accepted a second"), intake.accepted_per_second);
        table.put(&format!("{label}, POST p50 ms"), intake.latency_ms.p50);
        table.put(&format!("{label}, POST p99 ms"), intake.latency_ms.p99);
        if intake.refused > 0 {
            table.put(&format!("{label}, refused in all"), intake.refused as f64);
        }
        if intake.completed_per_second > 0.0 {
            table.put(&format!("{label}, completed a second meanwhile"), intake.completed_per_second);
        }
        put_cpu(table, label, &intake.costs, intake.accepted);
    }
    for (label, found) in [("end to end, model 0 ms", &figures.end_to_end_0), ("end to end, model 200 ms", &figures.end_to_end_200)] {
        let Some(found) = found else { continue };
        table.put(&format!("{label}, jobs a second"), found.jobs_per_second);
        put_cpu(table, label, &found.costs, found.jobs);
        put_memory(table, label, &found.costs);
    }
    if let Some(found) = &figures.idle_latency {
        table.put("idle, submit to done, p50 ms", found.question_ms.p50);
        table.put("idle, submit to done, p99 ms", found.question_ms.p99);
        table.put("one INSERT in a commit, p50 ms", found.single_commit_ms.p50);
        table.put("ratio of the two medians", found.question_ms.p50 / found.single_commit_ms.p50);
    }
    if let Some(found) = &figures.idle_cost {
        for tree in found.trees.iter().filter(|tree| tree.name != "bench") {
            table.put(&format!("idle, {} CPU % of a core", tree.name), tree.cpu_seconds / found.seconds * 100.0);
        }
        put_memory(table, "idle", found);
    }
    if let Some(found) = &figures.backlog {
        put_backlog(table, found);
    }
    for (label, found) in [("sockets", &figures.sockets), ("schedules", &figures.schedules), ("analysis", &figures.workbooks)] {
        if let Some(found) = found {
            table.put_all(label, found);
        }
    }
    put_bystanders(table, figures);
}

fn put_bystanders(table: &mut Table, figures: &Figures) {
    if let Some(found) = &figures.batch {
        table.put("batch, questions", found.questions as f64);
        table.put("batch, upload MB", found.upload_mb);
        table.put("batch, upload seconds", found.upload_seconds);
        table.put("batch, jobs a second", found.jobs_per_second);
        if let Some(single) = &figures.end_to_end_0 {
            table.put("batch : end to end, model 0 ms", found.jobs_per_second / single.jobs_per_second);
        }
        table.put("batch, added to the api's memory, MB", found.api_added_mb);
        put_cpu(table, "batch", &found.costs, found.questions);
    }
    if let Some(found) = &figures.webhooks {
        table.put("webhooks, delivered a second", found.per_second);
        put_cpu(table, "webhooks", &found.costs, found.deliveries);
    }
    if let Some(found) = &figures.cleanup {
        table.put("cleanup, old questions", found.old as f64);
        table.put("cleanup, removed meanwhile", found.removed as f64);
        table.put("cleanup, POST p99 alone, ms", found.alone_ms.p99);
        table.put("cleanup, POST p99 beside it, ms", found.beside_ms.p99);
        table.put("cleanup, p99 beside it : alone", found.beside_ms.p99 / found.alone_ms.p99);
    }
}

fn put_backlog(table: &mut Table, found: &Backlog) {
    table.put("backlog, jobs", found.waiting as f64);
    table.put("backlog, accepted a second while made", found.filled_per_second);
    table.put("backlog, jobs a second without", found.jobs_per_second_without);
    table.put("backlog, jobs a second with", found.jobs_per_second_with);
    table.put("backlog, with : without", found.jobs_per_second_with / found.jobs_per_second_without);
    table.put("backlog, other user idle, p50 ms", found.other_user_idle_ms.p50);
    table.put("backlog, other user beside it, p50 ms", found.other_user_ms.p50);
    table.put("backlog, other user beside it, p99 ms", found.other_user_ms.p99);
    table.put("backlog, added at the median, ms", found.other_user_ms.p50 - found.other_user_idle_ms.p50);
    table.put("backlog, jobs left at the end", found.left as f64);
    put_memory(table, "backlog, without", &found.costs_without);
    put_memory(table, "backlog, with", &found.costs_with);
}

fn put_cpu(table: &mut Table, label: &str, costs: &Costs, jobs: u64) {
    let thousands = jobs.max(1) as f64 / 1000.0;
    table.put(&format!("{label}, api + worker + scheduler CPU s per 1,000"), costs.cpu(&["api", "worker", "scheduler"]) / thousands);
    for tree in &costs.trees {
        table.put(&format!("{label}, {} CPU s per 1,000", tree.name), tree.cpu_seconds / thousands);
    }
}

fn put_memory(table: &mut Table, label: &str, costs: &Costs) {
    table.put(&format!("{label}, api + worker + scheduler PSS MB"), costs.pss(&["api", "worker", "scheduler"]));
    for tree in costs.trees.iter().filter(|tree| matches!(tree.name, "api" | "worker" | "scheduler")) {
        if let Some(pss) = tree.pss_mb {
            table.put(&format!("{label}, {} PSS MB", tree.name), pss);
        }
    }
}
