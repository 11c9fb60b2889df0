//! The few calls to the API that the launcher makes.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::error::LocalError;

/// A client of the API of this machine.
pub struct Api {
    http: reqwest::Client,
    url: String,
}

impl Api {
    /// A client for the API at `url`; no proxy stands between two programs of one machine.
    ///
    /// # Errors
    /// [`LocalError::NoAnswer`] when no client can be made.
    pub fn new(url: &str) -> Result<Self, LocalError> {
        // The first provider of a process stays; an error says only that there is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        #[expect(clippy::disallowed_methods, reason = "the one place of this crate that makes a client; it has a time-out")]
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|source| LocalError::NoAnswer { call: "the client".to_owned(), source })?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// The client below.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes one call and gives its JSON; an empty body is `null`.
    ///
    /// # Errors
    /// [`LocalError::NoAnswer`], or [`LocalError::Answer`] for any status but 2xx.
    pub async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Value, LocalError> {
        let call = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let no_answer = |source: reqwest::Error| LocalError::NoAnswer { call: call.clone(), source: source.without_url() };
        let answer = request.send().await.map_err(no_answer)?;
        let status = answer.status();
        let text = answer.text().await.map_err(no_answer)?;
        let value: Value = if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::Null) };
        if status.is_success() {
            return Ok(value);
        }
        let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let detail = format!("{} {}", word("code"), word("detail")).trim().to_owned();
        let detail = if detail.is_empty() { "no detail".to_owned() } else { detail };
        Err(LocalError::Answer { call, status: status.as_u16(), detail })
    }
}
