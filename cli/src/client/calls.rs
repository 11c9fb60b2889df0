//! Calls whose answers are shown as they come: any resource, any list, any file.

use std::io::Write;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Client, ClientError};

const PAGE: usize = 100;
/// A download of which nothing comes for so long has broken off.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// What goes with a POST.
#[derive(Clone, Copy, Default)]
pub struct Order<'a> {
    /// The body; none: an empty one.
    pub body: Option<&'a Value>,
    /// The `Idempotency-Key`. Only with one is a call sent again that found nobody.
    pub key: Option<&'a str>,
    /// Seconds that the answer may be held back until the work has ended.
    pub hold: Option<u64>,
}

impl Client {
    /// A resource, held back until it ends for at most `hold` seconds.
    pub async fn get(&self, path: &str, query: &[(&str, String)], hold: Option<u64>) -> Result<Value, ClientError> {
        let url = self.endpoint(path, query)?;
        let response = self
            .persist(|| {
                let request = self.request(Method::GET, url.clone());
                match hold {
                    Some(seconds) => request.header("Prefer", format!("wait={seconds}")),
                    None => request,
                }
            })
            .await?;
        self.json(response, "answer").await
    }

    /// Does something; what comes back is the resource, or null where the server sends nothing.
    pub async fn post(&self, path: &str, order: Order<'_>) -> Result<Value, ClientError> {
        let url = self.endpoint(path, &[])?;
        let build = || {
            let mut request = self.request(Method::POST, url.clone());
            if let Some(body) = order.body {
                request = request.json(body);
            }
            if let Some(key) = order.key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(seconds) = order.hold {
                request = request.header("Prefer", format!("wait={seconds}"));
            }
            request
        };
        let response = if order.key.is_some() { self.persist(build).await? } else { self.send(build).await? };
        self.perhaps_json(response).await
    }

    /// Deletes a resource.
    pub async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        let url = self.endpoint(path, &[])?;
        let response = self.send(|| self.request(Method::DELETE, url.clone())).await?;
        self.perhaps_json(response).await
    }

    /// The first `limit` items of a list.
    pub async fn list(&self, path: &str, filters: &[(&str, String)], limit: usize) -> Result<Vec<Value>, ClientError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let mut query = filters.to_vec();
            query.push(("limit", PAGE.min(limit - items.len()).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query, None).await?;
            let Value::Array(found) = page["items"].take() else {
                return Err(ClientError::Unreadable { what: "list", source: "it has no `items`".into() });
            };
            let was_empty = found.is_empty();
            items.extend(found);
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || was_empty {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// Writes what lies at a path to `out` as it comes.
    ///
    /// # Errors
    /// Those of a call, and of `out`.
    pub async fn download(&self, path: &str, query: &[(&str, String)], out: &mut dyn Write) -> anyhow::Result<()> {
        let url = self.endpoint(path, query)?;
        let mut response = self.persist(|| self.stream_request(Method::GET, url.clone())).await?;
        loop {
            let Ok(next) = timeout(SILENCE, response.chunk()).await else {
                let source = format!("nothing came for {} s", SILENCE.as_secs()).into();
                return Err(ClientError::Unreadable { what: "file", source }.into());
            };
            match next.map_err(|e| self.unreachable(e))? {
                Some(chunk) => out.write_all(&chunk)?,
                None => break,
            }
        }
        out.flush()?;
        Ok(())
    }

    /// Opens a session.
    pub async fn login(&self, username: &str, password: &str) -> Result<Value, ClientError> {
        let body = json!({ "username": username, "password": password });
        self.post("v1/auth/login", Order { body: Some(&body), ..Order::default() }).await
    }

    async fn perhaps_json(&self, response: Response) -> Result<Value, ClientError> {
        let body = self.body(response, "answer").await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|e| ClientError::Unreadable { what: "answer", source: e.into() })
    }
}
