//! Another user, who asks a question now and then while the first one has a great many waiting.

use anyhow::Context;
use datagenie_local::{run_file::RunFile, system::http::Api};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const NAME: &str = "neighbour";

/// Makes the user, lets him query the connection, and gives an API key of his.
pub async fn make(run: &RunFile, connection: &str) -> anyhow::Result<String> {
    let api = Api::new(&run.url)?;
    let password = Uuid::new_v4().to_string();
    let user = json!({ "username": NAME, "email": "neighbour@datagenie.local", "password": password, "role": "user" });
    let user = api.call(Method::POST, "/v1/users", Some(&run.api_key), Some(&user)).await?;
    let path = format!("/v1/connections/{connection}/permissions/{}", word(&user, "id")?);
    let permission = json!({ "can_query": true, "max_rows_per_query": 1000, "max_execution_time_seconds": 30 });
    api.call(Method::PUT, &path, Some(&run.api_key), Some(&permission)).await?;
    let login = json!({ "username": NAME, "password": password });
    let session = api.call(Method::POST, "/v1/auth/login", None, Some(&login)).await?;
    let key = json!({ "name": "bench", "scopes": ["read", "ask"] });
    let key = api.call(Method::POST, "/v1/api-keys", Some(&word(&session, "token")?), Some(&key)).await?;
    word(&key, "key")
}

fn word(value: &Value, name: &str) -> anyhow::Result<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("the api gave no {name}"))
}
