//! The client of the HTTP contract: one method a call, typed answers, problems as errors.

mod error;
mod wait;
mod wire;

use std::{net::IpAddr, time::Duration};

use reqwest::{Certificate, Method, RequestBuilder, Response, header, redirect::Policy};
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use url::{Host, Url};
use uuid::Uuid;

use self::wire::{Page, ResultPage};
pub use self::{
    error::{ClientError, Problem},
    wire::{Ask, Column, Connection, Question, QuestionStatus, Row},
};

/// No call but an event stream takes longer; a held one (`Prefer: wait`) asks for ten seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long, in all, a call waits because the server says `Retry-After`.
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_BODY: usize = 64 * 1024 * 1024;
const MAX_PROBLEM: usize = 64 * 1024;
const PAGE: usize = 100;

/// Where the server is and who asks.
#[derive(clap::Args)]
pub struct Server {
    /// Where the server is
    #[arg(long, env = "DATAGENIE_URL", default_value = "http://127.0.0.1:8080", value_parser = parse_url)]
    pub url: Url,
    /// The API key (`dg_…`); other users of this machine can see arguments, so better set DATAGENIE_API_KEY
    #[arg(long, env = "DATAGENIE_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}

/// The picture formats of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartFormat {
    /// Pixels.
    Png,
    /// Vectors.
    Svg,
}

/// A connection to one server. Has no `Debug`: it holds the key.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    api_key: Option<String>,
}

impl Client {
    /// A client of the server at `server.url`. Sends nothing yet.
    ///
    /// # Errors
    /// `Misuse` for a key that can't be one, `Unreachable` where TLS can't be set up.
    #[expect(clippy::disallowed_methods, reason = "this is the one place of this program that makes a client, and it sets time-outs")]
    pub fn new(server: &Server) -> Result<Self, ClientError> {
        let base = based(server.url.clone());
        let api_key = server.api_key.as_deref().map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned);
        if api_key.as_ref().is_some_and(|key| !key.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(ClientError::Misuse("the API key holds characters that no key has; copy it again".to_owned()));
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(Policy::none())
            .user_agent(concat!("datagenie/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            // Without TLS no certificates are needed, and a machine that has none installed must do.
            builder = builder.tls_certs_only(std::iter::empty::<Certificate>());
        }
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        match builder.build() {
            Ok(http) => Ok(Self { http, base, api_key }),
            Err(source) => Err(ClientError::Unreachable { url: base.to_string(), source }),
        }
    }

    /// Where the server is, with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// Submits a question. The same idempotency key goes with every try, so that a lost answer never asks twice.
    pub async fn submit(&self, ask: &Ask<'_>) -> Result<Question, ClientError> {
        let url = self.endpoint("v1/questions", &[])?;
        let key = Uuid::new_v4().to_string();
        let mut resent = 0;
        loop {
            let build = || self.request(Method::POST, url.clone()).header("Idempotency-Key", &key).json(ask);
            let answered = match self.send(build).await {
                Ok(response) => self.read_question(response).await,
                Err(error) => Err(error),
            };
            match answered {
                Err(error) if resent < 2 && error.is_worth_resending() => {
                    resent += 1;
                    sleep(Duration::from_millis(300) * resent).await;
                }
                answered => return answered,
            }
        }
    }

    /// A question as it is now, or held back until it ends, for at most `hold` seconds.
    pub async fn question(&self, id: Uuid, hold: Option<u64>) -> Result<Question, ClientError> {
        let url = self.endpoint(&format!("v1/questions/{id}"), &[])?;
        let response = self
            .send(|| {
                let request = self.request(Method::GET, url.clone());
                match hold {
                    Some(seconds) => request.header("Prefer", format!("wait={seconds}")),
                    None => request,
                }
            })
            .await?;
        self.read_question(response).await
    }

    /// The rows of an answer: the first page came with it, the rest is fetched until there are `limit`.
    pub async fn rows(&self, question: &Question, limit: usize) -> Result<Vec<Row>, ClientError> {
        let complete = question.row_count.is_none_or(|count| count <= question.rows.len() as u64);
        if complete || question.rows.len() >= limit {
            return Ok(question.rows.clone());
        }
        let path = format!("v1/questions/{}/result", question.id);
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("format", "json".to_owned()), ("limit", PAGE.to_string())];
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: ResultPage = self.get(self.endpoint(&path, &query)?, "result").await?;
            let was_empty = page.rows.is_empty();
            rows.extend(page.rows);
            cursor = page.next_cursor;
            if cursor.is_none() || was_empty || rows.len() >= limit {
                return Ok(rows);
            }
        }
    }

    /// The connections that the caller may see; at most ten thousand.
    pub async fn connections(&self) -> Result<Vec<Connection>, ClientError> {
        let mut connections = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..100 {
            let mut query = vec![("limit", PAGE.to_string())];
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page<Connection> = self.get(self.endpoint("v1/connections", &query)?, "list of connections").await?;
            connections.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(connections)
    }

    /// The picture of an answer's chart; none if the answer has no chart that can be drawn.
    pub async fn chart(&self, question: &Question, format: ChartFormat) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(chart) = &question.chart else { return Ok(None) };
        let link = match format {
            ChartFormat::Png => &chart.png_url,
            ChartFormat::Svg => &chart.svg_url,
        };
        let Some(link) = link else { return Ok(None) };
        let url = self.linked(link)?;
        let response = self.send(|| self.request(Method::GET, url.clone())).await?;
        self.body(response, "chart").await.map(Some)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url, what: &'static str) -> Result<T, ClientError> {
        let response = self.send(|| self.request(Method::GET, url.clone())).await?;
        let body = self.body(response, what).await?;
        serde_json::from_slice(&body).map_err(|e| ClientError::Unreadable { what, source: e.into() })
    }

    async fn read_question(&self, response: Response) -> Result<Question, ClientError> {
        let body = self.body(response, "question").await?;
        serde_json::from_slice(&body)
            .and_then(Question::from_value)
            .map_err(|e| ClientError::Unreadable { what: "question", source: e.into() })
    }

    /// A request with the caller's key and the time limit of a call.
    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.stream_request(method, url).timeout(CALL_TIMEOUT)
    }

    /// A request whose answer may take for ever.
    fn stream_request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match &self.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends, and sends again after `Retry-After` where the server asks for it.
    async fn send(&self, build: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut patience = PATIENCE;
        loop {
            let response = build().send().await.map_err(|e| self.unreachable(e))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let problem = self.problem(response).await;
            match problem.retry_after {
                Some(pause) if matches!(problem.status, 429 | 503) && pause <= patience => {
                    let pause = pause.max(Duration::from_millis(200));
                    patience = patience.saturating_sub(pause);
                    sleep(pause).await;
                }
                _ => return Err(ClientError::Problem(Box::new(problem))),
            }
        }
    }

    async fn problem(&self, response: Response) -> Problem {
        let status = response.status().as_u16();
        let text = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = text(header::RETRY_AFTER).and_then(|after| error::retry_after(after, text(header::DATE)));
        // A problem that can't be read is still one: its status says enough.
        let body = self.bounded(response, MAX_PROBLEM).await.unwrap_or_default().unwrap_or_default();
        Problem::from_answer(status, retry_after, &body)
    }

    async fn body(&self, response: Response, what: &'static str) -> Result<Vec<u8>, ClientError> {
        let too_long = || ClientError::Unreadable { what, source: format!("it is longer than {MAX_BODY} bytes").into() };
        self.bounded(response, MAX_BODY).await?.ok_or_else(too_long)
    }

    /// The whole body, or none if it is longer than `limit` bytes.
    async fn bounded(&self, mut response: Response, limit: usize) -> Result<Option<Vec<u8>>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(e))? {
            if body.len() + chunk.len() > limit {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    fn unreachable(&self, source: reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: self.base.to_string(), source: source.without_url() }
    }

    fn endpoint(&self, path: &str, query: &[(&str, String)]) -> Result<Url, ClientError> {
        let mut url = self.base.join(path).map_err(|e| ClientError::Misuse(format!("{} has no {path}: {e}", self.base)))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// A link of the server's, which may be relative; the key goes to no other server.
    fn linked(&self, link: &str) -> Result<Url, ClientError> {
        let unusable = |source: String| ClientError::Unreadable { what: "link to the chart", source: source.into() };
        let url = self.base.join(link).map_err(|e| unusable(e.to_string()))?;
        if url.origin() == self.base.origin() {
            Ok(url)
        } else {
            Err(unusable(format!("it leads to {}", url.origin().ascii_serialization())))
        }
    }
}

/// A base that relative paths are joined below.
fn based(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// Reads the URL of a server.
///
/// # Errors
/// A sentence, for what is no `http` or `https` URL or carries a password.
pub fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("{e}; it looks like http://127.0.0.1:8080"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it starts with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("no user or password belongs in it: use --api-key".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_become_a_base_to_join_below() {
        let joined = |text: &str| based(parse_url(text).expect("a URL")).join("v1/questions").expect("a path").to_string();
        assert_eq!(joined("http://127.0.0.1:8080"), "http://127.0.0.1:8080/v1/questions");
        assert_eq!(joined("https://host/genie?x=1#y"), "https://host/genie/v1/questions");
        for text in ["127.0.0.1:8080", "ftp://host", "http://me:secret@host", ""] {
            assert!(parse_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |text: &str| is_loopback(&parse_url(text).expect("a URL"));
        assert!(loopback("http://127.0.0.1:1") && loopback("http://[::1]:1") && loopback("http://localhost"));
        assert!(!loopback("http://10.0.0.1") && !loopback("http://localhost.example.org"));
    }
}
