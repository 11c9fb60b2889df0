//! Schedules: each time once, whatever runs, stops or jumps.

mod calls;
mod firing;
mod leading;

use std::collections::BTreeMap;

use datagenie_common::{
    clock::Clock,
    settings::{Settings, Sources},
};
use datagenie_scheduler::{start::Scheduler, tasks::fire_schedules};
use datagenie_tests::{Client, TestApp};
use serde_json::{Value, json};
use uuid::Uuid;

/// A scheduler that does only what the test tells it, its database's clock shifted by an interval such as `PT2H`.
pub(crate) fn scheduler(app: &TestApp, shifted: &str) -> Scheduler {
    let mut environment = app.environment.clone();
    environment.insert("DATAGENIE_DATABASE__URL".to_owned(), format!("{}?options[datagenie.clock_offset]={shifted}", app.database.url));
    let settings = Settings::load(&Sources { environment, file: None, stored: BTreeMap::new() }).expect("the test's settings are right");
    datagenie_scheduler::start::environment(settings, format!("scheduler-{}", Uuid::new_v4())).expect("a scheduler is put together")
}

/// Fires what is due by this scheduler's clock.
pub(crate) async fn fire(scheduler: &Scheduler) {
    fire_schedules::run(scheduler).await.expect("schedules are fired");
}

/// Every hour a question without a database, half an hour from now for the first time: no time comes while a test runs.
pub(crate) fn hourly(catch_up: &str) -> Value {
    let minute = (Clock::new(0).now().timestamp() / 60 + 30) % 60;
    json!({
        "name": "hourly", "cron": format!("{minute} * * * *"), "time_zone": "Asia/Seoul", "catch_up": catch_up, "catch_up_max": 3,
        "action": { "kind": "question", "question": "What is new?" },
    })
}

pub(crate) async fn make(client: &Client, body: Value) -> Uuid {
    client.post("/v1/schedules", body).await.expect(201).id()
}

/// The runs of a schedule, newest first.
pub(crate) async fn runs(client: &Client, id: Uuid) -> Vec<Value> {
    let listed = client.get(format!("/v1/schedules/{id}/runs"), None).await.expect(200).body;
    listed["items"].as_array().cloned().expect("a list has items")
}

/// How many runs are in each state.
async fn states(client: &Client, id: Uuid) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for run in runs(client, id).await {
        *found.entry(run["state"].as_str().expect("a run has a state").to_owned()).or_default() += 1;
    }
    found
}

fn counted(states: &[(&str, usize)]) -> BTreeMap<String, usize> {
    states.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect()
}
