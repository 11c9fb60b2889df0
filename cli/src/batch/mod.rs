//! `datagenie batch`: thousands of questions at once.

mod csv;
mod input;
mod progress;
mod results;
mod run;
mod state;

use anyhow::Context as _;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::{Client, Order},
    console::Console,
    exit::Exit,
    listing::{self, field, whole},
};

/// The arguments of `batch`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Asks all questions of a file, waits, and writes the results; the same command goes on where it was interrupted.
    #[command(after_help = run::HELP)]
    Run(run::Args),
    /// Shows how far a batch is.
    Status {
        /// Its id
        id: Uuid,
    },
    /// Fetches the results, those so far while it runs.
    Results(results::Args),
    /// Stops a batch; what is done stays.
    Cancel {
        /// Its id
        id: Uuid,
    },
    /// Lists your batches, newest first.
    List {
        /// Only those in this state: running, cancelling, completed, cancelled or `budget_spent`
        #[arg(long)]
        status: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
}

impl Args {
    /// Whether Ctrl-C is answered by the command itself, which tells how to go on.
    pub fn ends_itself(&self) -> bool {
        matches!(self.action, Action::Run(_))
    }
}

/// Runs, shows, fetches, stops or lists.
///
/// # Errors
/// Those of the client, the files and the screen.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.client()?;
    match &args.action {
        Action::Run(args) => run::run(&client, args, console).await,
        Action::Status { id } => {
            let batch = client.get(&format!("v1/batches/{id}"), &[], None).await?;
            show(&batch, console)
        }
        Action::Results(args) => results::run(&client, args, console).await,
        Action::Cancel { id } => {
            let batch = client.post(&format!("v1/batches/{id}/cancel"), Order::default()).await?;
            show(&batch, console)
        }
        Action::List { status, limit } => list(&client, status.as_deref(), *limit, console).await,
    }
}

async fn list(client: &Client, status: Option<&str>, limit: usize, console: &mut Console) -> anyhow::Result<Exit> {
    let filters: Vec<(&str, String)> = status.map(|status| ("status", status.to_owned())).into_iter().collect();
    let batches = client.list("v1/batches", &filters, limit).await.context("the batches can't be listed")?;
    let fields = [
        field("status", "/status"),
        field("questions", "/counts/total"),
        field("answered", "/counts/success"),
        field("errors", "/counts/error"),
        field("created", "/created_at"),
        whole("id", "/id"),
    ];
    listing::print(console, batches, &fields, "no batches: `datagenie batch run FILE --out FILE` makes one")
}

fn show(batch: &Value, console: &mut Console) -> anyhow::Result<Exit> {
    let fields = [
        field("id", "/id"),
        field("status", "/status"),
        field("questions", "/counts/total"),
        field("waiting", "/counts/waiting"),
        field("running", "/counts/running"),
        field("answered", "/counts/success"),
        field("errors", "/counts/error"),
        field("time-outs", "/counts/timeout"),
        field("cancelled", "/counts/cancelled"),
        field("refused lines", "/invalid"),
        field("to compute", "/questions"),
        field("budget, tokens", "/budget/tokens"),
        field("budget, cost", "/budget/cost"),
        field("tokens read", "/usage/prompt_tokens"),
        field("tokens written", "/usage/completion_tokens"),
        field("cost", "/usage/cost"),
        field("created", "/created_at"),
        field("finished", "/finished_at"),
    ];
    listing::print_one(console, batch, &fields)
}

/// Waits for the end of a batch, and shows it.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn follow(client: &Client, id: Uuid, console: &mut Console) -> anyhow::Result<Exit> {
    let first = client.get(&format!("v1/batches/{id}"), &[], None).await?;
    let ended = run::watched(client, id, first, &mut console.talk).await?;
    show(&ended, console)?;
    Ok(run::exit_of(&ended))
}

/// Whether a batch will not change any more.
fn is_over(batch: &Value) -> bool {
    !matches!(batch["status"].as_str(), None | Some("running" | "cancelling"))
}
