//! `datagenie schedules`: what comes by itself.

mod create;
mod run_now;

use anyhow::Context as _;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    client::{Client, ClientError, Order},
    console::Console,
    exit::Exit,
    listing::{self, field, whole},
};

const MOST: usize = 10_000;

/// The arguments of `schedules`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists them, newest first; the same without a word.
    List,
    /// Shows one.
    Show(Named),
    /// Makes one.
    Create(create::Args),
    /// Puts one to rest.
    Pause(Named),
    /// Ends its rest; the times of its rest are not made up for.
    Resume(Named),
    /// Has one run now.
    Run(run_now::Args),
    /// Shows what came of its times, newest first.
    Runs {
        #[command(flatten)]
        named: Named,
        /// How many at most
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Deletes one and the record of its runs; what they have made stays.
    Delete(Named),
}

/// Which schedule.
#[derive(clap::Args)]
struct Named {
    /// Its name or id
    schedule: String,
}

/// Lists, shows, makes, changes, runs or deletes.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.client()?;
    match &args.action {
        None | Some(Action::List) => list(&client, console).await,
        Some(Action::Show(named)) => {
            let id = id_of(&client, &named.schedule).await?;
            let schedule = client.get(&format!("v1/schedules/{id}"), &[], None).await?;
            show(&schedule, console)
        }
        Some(Action::Create(args)) => {
            let schedule = create::create(&client, args).await?;
            show(&schedule, console)
        }
        Some(Action::Pause(named)) => change(&client, named, "pause", console).await,
        Some(Action::Resume(named)) => change(&client, named, "resume", console).await,
        Some(Action::Run(args)) => run_now::run(&client, args, console).await,
        Some(Action::Runs { named, limit }) => runs(&client, named, *limit, console).await,
        Some(Action::Delete(named)) => {
            let id = id_of(&client, &named.schedule).await?;
            client.delete(&format!("v1/schedules/{id}")).await?;
            console.say(&format!("deleted {id}"))?;
            Ok(Exit::Answered)
        }
    }
}

async fn list(client: &Client, console: &mut Console) -> anyhow::Result<Exit> {
    let schedules = client.list("v1/schedules", &[], MOST).await.context("the schedules can't be listed")?;
    let fields = [
        whole("name", "/name"),
        field("cron", "/cron"),
        field("time zone", "/time_zone"),
        field("next", "/next_run_at"),
        whole("id", "/id"),
    ];
    listing::print(console, schedules, &fields, "no schedules: `datagenie schedules create` makes one")
}

fn show(schedule: &Value, console: &mut Console) -> anyhow::Result<Exit> {
    let fields = [
        field("name", "/name"),
        field("id", "/id"),
        field("cron", "/cron"),
        field("time zone", "/time_zone"),
        field("next", "/next_run_at"),
        field("last", "/last_fire_time"),
        field("paused", "/paused"),
        field("missed times", "/catch_up"),
        field("may overlap", "/allow_overlap"),
        field("does", "/action/kind"),
        field("question", "/action/question"),
        field("statement", "/action/sql"),
        field("task", "/action/task"),
        field("connection", "/action/connection_id"),
        field("created", "/created_at"),
    ];
    listing::print_one(console, schedule, &fields)
}

async fn change(client: &Client, named: &Named, what: &str, console: &mut Console) -> anyhow::Result<Exit> {
    let id = id_of(client, &named.schedule).await?;
    let schedule = client.post(&format!("v1/schedules/{id}/{what}"), Order::default()).await?;
    show(&schedule, console)
}

async fn runs(client: &Client, named: &Named, limit: usize, console: &mut Console) -> anyhow::Result<Exit> {
    let id = id_of(client, &named.schedule).await?;
    let runs = client.list(&format!("v1/schedules/{id}/runs"), &[], limit).await?;
    let fields = [
        field("time", "/fire_time"),
        field("by hand", "/by_hand"),
        field("state", "/state"),
        field("reason", "/reason"),
        field("job", "/job_state"),
        whole("question", "/question_id"),
        whole("batch", "/batch_id"),
    ];
    listing::print(console, runs, &fields, "it has not run yet")
}

/// The id of the schedule that the caller named, by id or by name.
async fn id_of(client: &Client, named: &str) -> anyhow::Result<Uuid> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let schedules = client.list("v1/schedules", &[], MOST).await.context("the schedules can't be listed")?;
    pick(&schedules, named).map_err(Into::into)
}

fn pick(schedules: &[Value], named: &str) -> Result<Uuid, ClientError> {
    let ids: Vec<&str> =
        schedules.iter().filter(|schedule| schedule["name"] == named).filter_map(|schedule| schedule["id"].as_str()).collect();
    match ids.as_slice() {
        [one] => one.parse().map_err(|_| ClientError::Unreadable { what: "schedule", source: "its id is none".into() }),
        [] => Err(ClientError::Misuse(format!("no schedule is named `{named}`; `datagenie schedules` lists them"))),
        several => Err(ClientError::Misuse(format!("several schedules are named `{named}`; say which by its id: {}", several.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_means_the_one_schedule_that_has_it() {
        let ids = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
        let known = [json!({"name": "a", "id": ids[0]}), json!({"name": "b", "id": ids[1]}), json!({"name": "b", "id": ids[2]})];
        assert_eq!(pick(&known, "a").ok(), Some(ids[0]));
        assert!(pick(&known, "b").err().is_some_and(|e| e.to_string().contains(&ids[2].to_string())));
        assert!(pick(&known, "c").is_err());
    }
}
