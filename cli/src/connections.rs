//! `datagenie connections`, and finding the connection that a name means.

use anyhow::Context as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    client::{Client, ClientError, Column, Connection, Row, Server},
    exit::Exit,
    screen::Screen,
    table,
};

/// Lists the connections that the caller may see, all of them.
///
/// # Errors
/// Those of the client, and of the screen.
pub async fn run(server: &Server, screen: &mut Screen) -> anyhow::Result<Exit> {
    let connections = Client::new(server)?.connections().await.context("the connections can't be listed")?;
    if connections.is_empty() {
        screen.line("no connections: an administrator registers them, and permits them to users")?;
        return Ok(Exit::Answered);
    }
    let columns = ["name", "type", "state", "id", "error"].map(|name| Column {
        name: name.to_owned(),
        type_name: "text".to_owned(),
        kind: Some("text".to_owned()),
    });
    let with_errors = connections.iter().any(|connection| error_text(connection).is_some());
    let columns = if with_errors { &columns[..] } else { &columns[..4] };
    let rows: Vec<Row> = connections.iter().map(row).collect();
    // A list is asked for whole, and its names and ids are there to be copied.
    for line in table::render_whole(columns, &rows, &[0, 3], screen.width()) {
        screen.line(&line)?;
    }
    Ok(Exit::Answered)
}

fn row(connection: &Connection) -> Row {
    vec![
        json!(connection.name),
        json!(connection.db_type),
        json!(connection.state),
        json!(connection.id.to_string()),
        json!(error_text(connection).unwrap_or_default()),
    ]
}

fn error_text(connection: &Connection) -> Option<&str> {
    match connection.error.as_ref()? {
        Value::String(text) => Some(text.as_str()),
        error => error.get("message").and_then(Value::as_str),
    }
}

/// The id of the connection that the caller named, by id or by name.
///
/// # Errors
/// `Misuse` for a name that none or several have, and those of the client.
pub async fn find(client: &Client, named: &str) -> Result<Uuid, ClientError> {
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

    fn connection(name: &str, error: Option<Value>) -> Connection {
        Connection { id: Uuid::new_v4(), name: name.to_owned(), db_type: "sqlite".to_owned(), state: "ready".to_owned(), error }
    }

    #[test]
    fn a_name_means_the_one_connection_that_has_it() {
        let known = [connection("shop", None), connection("twice", None), connection("twice", None)];
        assert_eq!(pick(&known, "shop").ok(), Some(known[0].id));
        let told = |named: &str| pick(&known, named).map_err(|e| e.to_string()).expect_err("no single one");
        assert!(told("Shop").contains("there are: shop, twice, twice"));
        assert!(told("twice").contains(&known[2].id.to_string()));
        assert!(pick(&[], "shop").is_err());
    }

    #[test]
    fn the_error_of_a_connection_is_a_sentence_or_a_failure() {
        assert_eq!(error_text(&connection("a", Some(json!("wrong password")))), Some("wrong password"));
        assert_eq!(error_text(&connection("a", Some(json!({"code": "source_refused", "message": "no"})))), Some("no"));
        assert_eq!(error_text(&connection("a", None)), None);
    }
}
