//! `datagenie jobs`: what is being done for the caller, of whatever kind.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::{Client, Order},
    console::Console,
    exit::Exit,
    listing::{self, field, whole},
};

/// The arguments of `jobs`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(clap::Args)]
struct Filter {
    /// Only those in this state: waiting, queued, running, succeeded, failed or cancelled
    #[arg(long)]
    state: Option<String>,
    /// Only those of this kind: answer_question, analyse_file, sync_schema …
    #[arg(long)]
    kind: Option<String>,
    /// How many at most, the newest first
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists your jobs, newest first; the same without a word.
    List(Filter),
    /// Shows one with its attempts.
    Show {
        /// Its id
        id: Uuid,
    },
    /// Asks one to stop.
    Cancel {
        /// Its id
        id: Uuid,
    },
    /// Makes a new job of a dead one.
    Retry {
        /// Its id
        id: Uuid,
    },
}

/// Lists, shows, cancels or retries.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.client()?;
    let job = match &args.action {
        None => return list(&client, &args.filter, console).await,
        Some(Action::List(filter)) => return list(&client, filter, console).await,
        Some(Action::Show { id }) => client.get(&format!("v1/jobs/{id}"), &[], None).await?,
        Some(Action::Cancel { id }) => client.post(&format!("v1/jobs/{id}/cancel"), Order::default()).await?,
        Some(Action::Retry { id }) => {
            let key = Uuid::new_v4().to_string();
            client.post(&format!("v1/jobs/{id}/retry"), Order { key: Some(&key), ..Order::default() }).await?
        }
    };
    show(&job, console)
}

async fn list(client: &Client, filter: &Filter, console: &mut Console) -> anyhow::Result<Exit> {
    let mut query = Vec::new();
    query.extend(filter.state.clone().map(|state| ("state", state)));
    query.extend(filter.kind.clone().map(|kind| ("kind", kind)));
    let jobs = client.list("v1/jobs", &query, filter.limit).await?;
    let fields = [
        field("kind", "/kind"),
        field("state", "/state"),
        field("stage", "/stage"),
        field("created", "/created_at"),
        whole("id", "/id"),
        field("error", "/error"),
    ];
    listing::print(console, jobs, &fields, "no jobs")
}

fn show(job: &Value, console: &mut Console) -> anyhow::Result<Exit> {
    let fields = [
        field("id", "/id"),
        field("kind", "/kind"),
        field("state", "/state"),
        field("stage", "/stage"),
        field("about", "/subject_id"),
        field("batch", "/batch_id"),
        field("line", "/custom_id"),
        field("connection", "/connection_id"),
        field("attempt", "/attempt"),
        field("dead", "/dead"),
        field("error", "/error"),
        field("repeats", "/replay_of"),
        field("created", "/created_at"),
        field("started", "/started_at"),
        field("finished", "/finished_at"),
    ];
    let exit = listing::print_one(console, job, &fields)?;
    if let Some(attempts) = job["attempts"].as_array().filter(|attempts| !attempts.is_empty() && !console.json) {
        console.screen.line("")?;
        let fields = [
            field("attempt", "/attempt"),
            field("outcome", "/outcome"),
            field("stage", "/stage"),
            field("started", "/started_at"),
            field("ended", "/ended_at"),
            field("worker", "/worker"),
            field("error", "/error"),
        ];
        listing::show(&mut console.screen, attempts, &fields, "")?;
    }
    Ok(exit)
}
