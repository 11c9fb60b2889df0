//! `datagenie schedules create`.

use anyhow::bail;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, Order},
    connections,
};

/// The arguments of `schedules create`.
#[derive(clap::Args)]
pub struct Args {
    /// What it is called
    name: String,
    /// When: minute, hour, day of month, month, day of week, such as "0 9 * * MON"
    #[arg(long)]
    cron: String,
    /// In whose wall clock time, such as Asia/Seoul; else UTC
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Ask this question
    #[arg(long)]
    question: Option<String>,
    /// Run this statement
    #[arg(long, value_name = "STATEMENT", requires = "connection")]
    sql: Option<String>,
    /// Read the schema of the connection again (administrators)
    #[arg(long, requires = "connection", conflicts_with_all = ["question", "sql"])]
    sync: bool,
    /// Run a task of the upkeep (administrators)
    #[arg(long, value_name = "TASK", conflicts_with_all = ["question", "sql", "sync", "connection"])]
    maintenance: Option<String>,
    /// On which database, by name or id
    #[arg(short, long, value_name = "NAME_OR_ID")]
    connection: Option<String>,
    /// What becomes of times that were missed
    #[arg(long, value_parser = ["skip", "once", "all"])]
    catch_up: Option<String>,
    /// With `--catch-up all`: how many of the newest at most
    #[arg(long, value_name = "N")]
    catch_up_max: Option<u32>,
    /// Let it run while an earlier run still goes
    #[arg(long)]
    allow_overlap: bool,
    /// Let it rest at first
    #[arg(long)]
    paused: bool,
}

/// Makes a schedule.
///
/// # Errors
/// If nothing is to be done, and those of the client.
pub async fn create(client: &Client, args: &Args) -> anyhow::Result<Value> {
    let connection = match &args.connection {
        Some(named) => Some(connections::named(client, named).await?),
        None => None,
    };
    let body = body(args, connection)?;
    let key = Uuid::new_v4().to_string();
    Ok(client.post("v1/schedules", Order { body: Some(&body), key: Some(&key), hold: None }).await?)
}

fn body(args: &Args, connection: Option<Uuid>) -> anyhow::Result<Value> {
    let mut action = match (&args.maintenance, args.sync, &args.question, &args.sql) {
        (Some(task), ..) => json!({ "kind": "maintenance", "task": task }),
        (None, true, ..) => json!({ "kind": "schema_sync" }),
        (None, false, None, None) => bail!("say what it does: --question, --sql, --sync or --maintenance"),
        (None, false, ..) => json!({ "kind": "question" }),
    };
    let mut body = json!({ "name": args.name, "cron": args.cron, "allow_overlap": args.allow_overlap, "paused": args.paused });
    put(&mut action, "question", args.question.as_ref().map(|text| json!(text)));
    put(&mut action, "sql", args.sql.as_ref().map(|text| json!(text)));
    put(&mut action, "connection_id", connection.map(|id| json!(id)));
    put(&mut body, "time_zone", args.time_zone.as_ref().map(|zone| json!(zone)));
    put(&mut body, "catch_up", args.catch_up.as_ref().map(|what| json!(what)));
    put(&mut body, "catch_up_max", args.catch_up_max.map(|most| json!(most)));
    body["action"] = action;
    Ok(body)
}

/// Sets a member that is given; the server has its own defaults for the others.
fn put(body: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body[name] = value;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn made(line: &[&str], connection: Option<Uuid>) -> Option<Value> {
        let all = ["create", "weekly", "--cron", "0 9 * * MON"].iter().chain(line);
        Line::try_parse_from(all).ok().and_then(|line| body(&line.args, connection).ok())
    }

    #[test]
    fn only_what_is_said_is_sent() {
        let id = Uuid::new_v4();
        let expected = json!({"name": "weekly", "cron": "0 9 * * MON", "time_zone": "Asia/Seoul", "allow_overlap": false, "paused": true,
            "action": {"kind": "question", "question": "지난주 주문 수는?", "connection_id": id}});
        let line = ["--time-zone", "Asia/Seoul", "--question", "지난주 주문 수는?", "-c", "shop", "--paused"];
        assert_eq!(made(&line, Some(id)), Some(expected));
        assert_eq!(
            made(&["--maintenance", "files"], None).map(|body| body["action"].clone()),
            Some(json!({"kind": "maintenance", "task": "files"}))
        );
        assert_eq!(
            made(&["--sync", "-c", "shop"], Some(id)).map(|body| body["action"].clone()),
            Some(json!({"kind": "schema_sync", "connection_id": id}))
        );
    }

    #[test]
    fn it_does_one_thing() {
        for line in [
            &[][..],
            &["--sync"],
            &["--sql", "SELECT 1"],
            &["--question", "?", "--maintenance", "files"],
            &["--question", "?", "--catch-up", "x"],
        ] {
            assert_eq!(made(line, None), None, "{line:?}");
        }
    }
}
