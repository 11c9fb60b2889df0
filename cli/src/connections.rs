//! `datagenie connections`, and finding the connection that a name means.

use anyhow::Context as _;
use uuid::Uuid;

use crate::{
    client::{Client, ClientError, Connection, Order},
    console::Console,
    exit::Exit,
    listing::{self, field, whole},
    watch,
};

const MOST: usize = 10_000;

/// The arguments of `connections`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists all that you may ask; the same without a word.
    List,
    /// Shows one, without its secrets.
    Show {
        /// Its name or id
        connection: String,
    },
    /// Looks at one again, and tells its state (administrators).
    Test {
        /// Its name or id
        connection: String,
    },
    /// Reads the schema of one again (administrators).
    Sync {
        /// Its name or id
        connection: String,
    },
}

/// Lists, shows, tests or syncs.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn run(args: &Args, console: &mut Console) -> anyhow::Result<Exit> {
    let client = console.client()?;
    match &args.action {
        None | Some(Action::List) => list(&client, console).await,
        Some(Action::Show { connection }) => {
            let id = named(&client, connection).await?;
            show(&client, id, console).await
        }
        Some(Action::Test { connection }) => look(&client, connection, "test", console).await,
        Some(Action::Sync { connection }) => look(&client, connection, "sync", console).await,
    }
}

async fn list(client: &Client, console: &mut Console) -> anyhow::Result<Exit> {
    let connections = client.list("v1/connections", &[], MOST).await.context("the connections can't be listed")?;
    let fields =
        [whole("name", "/name"), field("type", "/db_type"), field("state", "/state"), whole("id", "/id"), field("error", "/error")];
    listing::print(console, connections, &fields, "no connections: an administrator registers them, and permits them to users")
}

async fn show(client: &Client, id: Uuid, console: &mut Console) -> anyhow::Result<Exit> {
    let connection = client.get(&format!("v1/connections/{id}"), &[], None).await?;
    let fields = [
        field("name", "/name"),
        field("display name", "/display_name"),
        field("description", "/description"),
        field("id", "/id"),
        field("type", "/db_type"),
        field("server version", "/server_version"),
        field("state", "/state"),
        field("error", "/error"),
        field("hint", "/error/hint"),
        field("active", "/is_active"),
        field("last sync", "/last_schema_sync"),
        field("sessions at once", "/max_connections"),
        field("warnings", "/role_warnings"),
        field("notes", "/probe_notes"),
        field("created", "/created_at"),
    ];
    listing::print_one(console, &connection, &fields)?;
    Ok(Exit::of_done(connection["state"] == "ready"))
}

/// Has a worker look at the connection, waits, and tells what came of it.
async fn look(client: &Client, connection: &str, what: &str, console: &mut Console) -> anyhow::Result<Exit> {
    let id = named(client, connection).await?;
    let key = Uuid::new_v4().to_string();
    let order = Order { key: Some(&key), hold: Some(2), ..Order::default() };
    let job = client.post(&format!("v1/connections/{id}/{what}"), order).await?;
    let ended = watch::job(client, job, &mut console.talk).await?;
    let exit = show(client, id, console).await?;
    if ended["state"] == "succeeded" {
        return Ok(exit);
    }
    console.say(&format!("the {what} {}", listing::outcome(&ended)))?;
    Ok(Exit::Unanswered)
}

/// The id of the connection that the caller named, by id or by name, told so that he knows what could not be found.
///
/// # Errors
/// As [`find`].
pub async fn named(client: &Client, named: &str) -> anyhow::Result<Uuid> {
    match find(client, named).await {
        Err(error @ ClientError::Misuse(_)) => Err(error).context("the connection can't be found"),
        found => Ok(found?),
    }
}

/// The id of the connection that the caller named, by id or by name.
///
/// # Errors
/// `Misuse` for a name that none or several have, and those of the client.
async fn find(client: &Client, named: &str) -> Result<Uuid, ClientError> {
    match named.parse() {
        Ok(id) => Ok(id),
        Err(_) => pick(&client.connections().await?, named),
    }
}

fn pick(connections: &[Connection], named: &str) -> Result<Uuid, ClientError> {
    let matching: Vec<&Connection> = connections.iter().filter(|connection| connection.name == named).collect();
    match matching.as_slice() {
        [one] => Ok(one.id),
        [] => {
            let known: Vec<&str> = connections.iter().map(|connection| connection.name.as_str()).collect();
            let known = if known.is_empty() { "there are none".to_owned() } else { format!("there are: {}", known.join(", ")) };
            Err(ClientError::Misuse(format!("no connection that you may see is named `{named}`; {known}")))
        }
        several => {
            let ids: Vec<String> = several.iter().map(|connection| connection.id.to_string()).collect();
            Err(ClientError::Misuse(format!("several connections are named `{named}`; say which by its id: {}", ids.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str) -> Connection {
        Connection { id: Uuid::new_v4(), name: name.to_owned(), db_type: "sqlite".to_owned() }
    }

    #[test]
    fn a_name_means_the_one_connection_that_has_it() {
        let known = ["shop", "twice", "twice"].map(connection);
        assert_eq!(pick(&known, "shop").ok(), Some(known[0].id));
        let told = |named: &str| pick(&known, named).map_err(|e| e.to_string()).expect_err("no single one");
        assert!(told("Shop").contains("there are: shop, twice, twice"));
        assert!(told("twice").contains(&known[2].id.to_string()));
        assert!(pick(&[], "shop").is_err());
    }
}
