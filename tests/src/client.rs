//! A client of the api, as a user has one.

use std::{fmt::Display, net::IpAddr, time::Duration};

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::wait::DEADLINE;

/// Sends requests as somebody, or as nobody.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    /// Who he is; nobody: the nil id.
    pub user_id: Uuid,
}

/// What the api answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as JSON; `Null` if it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Client {
    /// A client that is not signed in.
    ///
    /// # Panics
    /// If the HTTP client can't be made.
    #[must_use]
    pub fn anonymous(url: &str) -> Self {
        Self { http: http(None), url: url.to_owned(), token: None, user_id: Uuid::nil() }
    }

    /// The same client calling from another address of this machine (`127.0.0.2` and so on).
    #[must_use]
    pub fn from_address(&self, address: &str) -> Self {
        Self { http: http(Some(address.parse().expect("an IP address"))), ..self.clone() }
    }

    /// The same client with another token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same person at another api.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// His token; nobody's is empty.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The same client signed in.
    ///
    /// # Panics
    /// If the login is refused.
    pub async fn login(&self, username: &str, password: &str) -> Self {
        let reply = self.post("/v1/auth/login", json!({ "username": username, "password": password })).await.expect(200);
        let token = reply.body["token"].as_str().expect("a login gives a token").to_owned();
        let user_id = reply.body["user"]["id"].as_str().and_then(|id| id.parse().ok()).expect("a login tells who one is");
        Self { token: Some(token), user_id, ..self.clone() }
    }

    /// A request to be given headers and a body; [`Client::send`] sends it.
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{}", self.url, path.as_ref()));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let response = request.send().await.expect("the api answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("the answer is whole").to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status, headers, body, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = self.request(method, path);
        self.send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// GET.
    pub async fn get(&self, path: impl AsRef<str>, body: impl Into<Option<Value>>) -> Reply {
        self.call(Method::GET, path.as_ref(), body.into()).await
    }

    /// POST.
    pub async fn post(&self, path: impl AsRef<str>, body: impl Into<Option<Value>>) -> Reply {
        self.call(Method::POST, path.as_ref(), body.into()).await
    }

    /// PUT.
    pub async fn put(&self, path: impl AsRef<str>, body: impl Into<Option<Value>>) -> Reply {
        self.call(Method::PUT, path.as_ref(), body.into()).await
    }

    /// PATCH.
    pub async fn patch(&self, path: impl AsRef<str>, body: impl Into<Option<Value>>) -> Reply {
        self.call(Method::PATCH, path.as_ref(), body.into()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: impl AsRef<str>, body: impl Into<Option<Value>>) -> Reply {
        self.call(Method::DELETE, path.as_ref(), body.into()).await
    }

    /// GET with `Prefer: wait`.
    pub async fn get_waiting(&self, path: impl AsRef<str>, seconds: u32) -> Reply {
        self.send(self.request(Method::GET, path).header("prefer", format!("wait={seconds}"))).await
    }

    /// Asks a question: its id.
    ///
    /// # Panics
    /// If it is not taken in.
    pub async fn ask(&self, question: Value) -> Uuid {
        let reply = self.post("/v1/questions", question).await;
        assert!(matches!(reply.status, 200 | 202), "the question was not taken in: {} {}", reply.status, reply.text);
        reply.id()
    }

    /// Waits for the end of a question: the whole of it.
    ///
    /// # Panics
    /// If it has not ended after a minute.
    pub async fn wait(&self, id: impl Display) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let reply = self.get_waiting(format!("/v1/questions/{id}"), 10).await;
            assert!(matches!(reply.status, 200 | 202), "the question can't be read: {} {}", reply.status, reply.text);
            if reply.body["status"] != "pending" {
                return reply.body;
            }
            assert!(Instant::now() < deadline, "no answer after {} s: {}", DEADLINE.as_secs(), reply.body);
        }
    }

    /// Asks, and waits for the end.
    pub async fn answer(&self, question: Value) -> Value {
        let id = self.ask(question).await;
        self.wait(id).await
    }
}

impl Reply {
    /// The same reply, if it has this status.
    ///
    /// # Panics
    /// With the body, if not.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The `id` of the body.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    #[track_caller]
    pub fn id(&self) -> Uuid {
        let id = self.body["id"].as_str().and_then(|id| id.parse().ok());
        id.unwrap_or_else(|| panic!("no id: {} {}", self.status, self.text))
    }

    /// A header's text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Checks that this is a problem of the contract's form, with this status and code, and gives its body.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status, &self.body["code"]), (status, &json!(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "the problem names its request");
        assert!(self.body["type"].is_string() && self.body["title"].is_string() && self.body["detail"].is_string(), "{}", self.text);
        assert!(self.body["retryable"].is_boolean() && self.body["errors"].is_array(), "{}", self.text);
        &self.body
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the tests' HTTP client is made, with a time-out")]
fn http(from: Option<IpAddr>) -> reqwest::Client {
    crate::install_tls();
    reqwest::Client::builder().timeout(Duration::from_secs(90)).no_proxy().local_address(from).build().expect("an HTTP client")
}
