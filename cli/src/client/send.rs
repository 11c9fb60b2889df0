//! How a request is sent: with the caller's key and time limits, again where that may help, and what is read of the answer.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;
use tokio::time::sleep;
use url::Url;

use super::{
    Client, Key,
    error::{ClientError, Problem, retry_after},
};

/// No call but a stream takes longer; a held one (`Prefer: wait`) asks for ten seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long, in all, a call waits because the server says `Retry-After`.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a call is sent again that found nobody.
const RESENT: u32 = 2;
const MAX_BODY: usize = 64 * 1024 * 1024;
const MAX_PROBLEM: usize = 64 * 1024;

impl Client {
    /// A request with the caller's key and the time limit of a call.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.stream_request(method, url).timeout(CALL_TIMEOUT)
    }

    /// A request whose answer may take for ever.
    pub(super) fn stream_request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url);
        match self.key.secret() {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends, and sends again after `Retry-After` where the server asks for it.
    pub(super) async fn send(&self, build: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut patience = PATIENCE;
        loop {
            let response = build().send().await.map_err(|e| self.unreachable(e))?;
            if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
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

    /// The same, and again a moment later where nobody answered: for what may be sent twice.
    pub(super) async fn persist(&self, build: impl Fn() -> RequestBuilder) -> Result<Response, ClientError> {
        let mut resent = 0;
        loop {
            match self.send(&build).await {
                Err(error) if resent < RESENT && error.is_worth_resending() => {
                    resent += 1;
                    sleep(Duration::from_millis(300) * resent).await;
                }
                answered => return answered,
            }
        }
    }

    async fn problem(&self, response: Response) -> Problem {
        let status = response.status().as_u16();
        let text = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = text(header::RETRY_AFTER).and_then(|after| retry_after(after, text(header::DATE)));
        // A problem that can't be read is still one: its status says enough.
        let body = self.bounded(response, MAX_PROBLEM).await.unwrap_or_default().unwrap_or_default();
        let mut problem = Problem::from_answer(status, retry_after, &body);
        if problem.hint.is_none() {
            problem.hint = match (status, problem.code.as_str()) {
                (401, "invalid_credentials") => None,
                (401, _) => Some(self.sign_in_hint()),
                (403, "password_change_required") => Some("`datagenie password` changes it".to_owned()),
                _ => None,
            };
        }
        problem
    }

    fn sign_in_hint(&self) -> String {
        let url = self.base.as_str().trim_end_matches('/');
        match &self.key {
            Key::None => format!(
                "sign in with `datagenie login --url {url}`, or give a key with DATAGENIE_API_KEY or --api-key; demo.sh writes one to run.json as `api_key`"
            ),
            Key::Given(_) => {
                "the key of DATAGENIE_API_KEY or --api-key is wrong, revoked, or past its time; is it one of this server?".to_owned()
            }
            Key::Kept { username, .. } => format!("the login of {username} has ended: `datagenie login --url {url}` begins a new one"),
        }
    }

    /// The answer's body as JSON.
    pub(super) async fn json(&self, response: Response, what: &'static str) -> Result<Value, ClientError> {
        let body = self.body(response, what).await?;
        serde_json::from_slice(&body).map_err(|e| ClientError::Unreadable { what, source: e.into() })
    }

    pub(super) async fn body(&self, response: Response, what: &'static str) -> Result<Vec<u8>, ClientError> {
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

    pub(super) fn unreachable(&self, source: reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: self.base.to_string(), source: source.without_url() }
    }
}
