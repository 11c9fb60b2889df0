//! `datagenie schedules run`: a run that does not wait for its time.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{Named, id_of};
use crate::{
    batch,
    client::{Client, ClientError, Order},
    console::Console,
    exit::Exit,
    listing::{self, field},
    show, watch,
};

/// A scheduler makes the run within a second; if none does for so long, none is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// The arguments of `schedules run`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    named: Named,
    /// Wait for what comes of it; of a question, show the answer
    #[arg(long)]
    wait: bool,
}

/// Asks for a run.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn run(client: &Client, args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let id = id_of(client, &args.named.schedule).await?;
    let asked = client.post(&format!("v1/schedules/{id}/run"), Order::default()).await?;
    if !args.wait {
        return tell(&asked, console);
    }
    let waiting = made(client, id, &asked);
    let run = watch::during(&mut console.talk, "waiting for a scheduler", Instant::now(), waiting).await??;
    let started = Instant::now();
    match (run["question_id"].as_str().and_then(|id| id.parse().ok()), run["job_id"].as_str()) {
        (Some(question), _) => {
            let question = client.question(question, None).await?;
            // Nobody listens, so every stage is dropped.
            let (stages, _) = mpsc::channel(1);
            let ended = watch::during(&mut console.talk, "answering", started, client.wait(question, &stages)).await??;
            if console.json {
                console.print_json(&ended.body)?;
            } else {
                show::answer(&mut console.screen, &ended, started.elapsed())?;
            }
            Ok(Exit::of_question(&ended))
        }
        (None, Some(job)) => {
            let job = client.get(&format!("v1/jobs/{job}"), &[], None).await?;
            let ended = watch::job(client, job, &mut console.talk).await?;
            if console.json {
                console.print_json(&ended)?;
            } else {
                console.screen.line(&crate::text::printable(&listing::outcome(&ended)))?;
            }
            Ok(Exit::of_done(ended["state"] == "succeeded"))
        }
        (None, None) => match run["batch_id"].as_str().and_then(|id| id.parse().ok()) {
            Some(id) => batch::follow(client, id, console).await,
            None => tell(&run, console),
        },
    }
}

/// The run once a scheduler has made it.
async fn made(client: &Client, schedule: Uuid, asked: &Value) -> anyhow::Result<Value> {
    let started = Instant::now();
    let path = format!("v1/schedules/{schedule}/runs");
    loop {
        let runs = client.list(&path, &[], 100).await?;
        let run = runs.into_iter().find(|run| run["id"] == asked["id"]);
        match run {
            Some(run) if run["state"] != "asked" => return Ok(run),
            _ if started.elapsed() < PATIENCE => sleep(Duration::from_millis(300)).await,
            _ => {
                let told = format!("no scheduler has made the run within {} s", PATIENCE.as_secs());
                return Err(ClientError::Misuse(told)).context("the run was asked for, and may come yet");
            }
        }
    }
}

fn tell(run: &Value, console: &mut Console) -> anyhow::Result<Exit> {
    let fields = [field("run", "/id"), field("state", "/state"), field("reason", "/reason"), field("upkeep", "/upkeep_run_id")];
    listing::print_one(console, run, &fields)?;
    Ok(Exit::of_done(run["state"] == "asked" || run["state"] == "fired"))
}
