//! Registering: an API key of the admin, and the sample's connections.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::http::Api;
use super::programs::ADMIN;
use crate::error::LocalError;

/// A worker looks at a new connection at once; this is for a machine that is busy with other things.
const READY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A database to be registered.
pub struct Wanted {
    /// The connection's name.
    pub name: &'static str,
    /// Its name for people.
    pub display_name: &'static str,
    /// `postgresql`, `sqlite` or `mysql`.
    pub db_type: &'static str,
    /// What the contract calls `config`.
    pub config: Value,
}

/// An API key with every scope: the one of an earlier run if it still works, else a new one.
///
/// # Errors
/// [`LocalError::Refused`] when the admin has another password, else what the API answered.
pub async fn api_key(api: &Api, earlier: Option<&str>, password: &str) -> Result<String, LocalError> {
    if let Some(key) = earlier
        && api.call(Method::GET, "/v1/me", Some(key), None).await.is_ok()
    {
        return Ok(key.to_owned());
    }
    let login = json!({"username": ADMIN, "password": password});
    let session = match api.call(Method::POST, "/v1/auth/login", None, Some(&login)).await {
        Err(LocalError::Answer { status: 401, .. }) => {
            return Err(LocalError::Refused(format!(
                "the database already has a user {ADMIN} with another password; give it in DATAGENIE_ADMIN_PASSWORD"
            )));
        }
        answer => answer?,
    };
    let token = word(&session, "token", "POST /v1/auth/login")?;
    let wanted = json!({"name": "demo", "scopes": ["read", "ask", "manage", "admin"]});
    let key = api.call(Method::POST, "/v1/api-keys", Some(&token), Some(&wanted)).await?;
    word(&key, "key", "POST /v1/api-keys")
}

/// Registers each database under its name, or points the connection of that name at it, and waits until all are ready.
/// Gives name → id.
///
/// # Errors
/// [`LocalError::Refused`] when a connection is refused or not ready in time, else what the API answered.
pub async fn connections(api: &Api, key: &str, wanted: &[Wanted]) -> Result<BTreeMap<String, String>, LocalError> {
    let there = existing(api, key).await?;
    let mut ids = BTreeMap::new();
    for database in wanted {
        let id = match there.get(database.name) {
            Some(id) => {
                // A private server has a new port at each start.
                let path = format!("/v1/connections/{id}");
                api.call(Method::PATCH, &path, Some(key), Some(&json!({"config": database.config}))).await?;
                api.call(Method::POST, &format!("{path}/test"), Some(key), None).await?;
                id.clone()
            }
            None => {
                let body = json!({
                    "name": database.name,
                    "display_name": database.display_name,
                    "description": "2,000 customers, 50,000 orders from 2023 to 2025, made for trying things out",
                    "db_type": database.db_type,
                    "config": database.config,
                });
                let made = api.call(Method::POST, "/v1/connections", Some(key), Some(&body)).await?;
                word(&made, "id", "POST /v1/connections")?
            }
        };
        ids.insert(database.name.to_owned(), id);
    }
    let deadline = Instant::now() + READY_LIMIT;
    for (name, id) in &ids {
        wait_ready(api, key, name, id, deadline).await?;
    }
    Ok(ids)
}

/// All connections that are registered, name → id.
async fn existing(api: &Api, key: &str) -> Result<BTreeMap<String, String>, LocalError> {
    let mut found = BTreeMap::new();
    let mut path = "/v1/connections?limit=100".to_owned();
    loop {
        let page = api.call(Method::GET, &path, Some(key), None).await?;
        for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            found.insert(word(item, "name", "GET /v1/connections")?, word(item, "id", "GET /v1/connections")?);
        }
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(cursor) => path = format!("/v1/connections?limit=100&cursor={cursor}"),
            None => return Ok(found),
        }
    }
}

async fn wait_ready(api: &Api, key: &str, name: &str, id: &str, deadline: Instant) -> Result<(), LocalError> {
    loop {
        let connection = api.call(Method::GET, &format!("/v1/connections/{id}"), Some(key), None).await?;
        let state = connection.get("state").and_then(Value::as_str).unwrap_or("unknown");
        if state == "ready" {
            return Ok(());
        }
        // A tested one may show an earlier run's state for a moment, so only the deadline decides.
        if Instant::now() >= deadline {
            let error = connection.get("error").filter(|error| !error.is_null()).map(Value::to_string).unwrap_or_default();
            return Err(LocalError::Refused(format!(
                "the connection {name} is {state} after {} s {error}; the workers' logs tell more",
                READY_LIMIT.as_secs()
            )));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn word(value: &Value, key: &str, call: &str) -> Result<String, LocalError> {
    value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| LocalError::Answer {
        call: call.to_owned(),
        status: 200,
        detail: format!("no {key} in it"),
    })
}
