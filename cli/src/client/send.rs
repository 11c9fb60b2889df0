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
/// A refused batch tells the first hundred of its bad lines, each with its name and a sentence.
const MAX_PROBLEM: usize = 1024 * 1024;

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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        join,
        net::TcpListener,
    };

    use super::*;
    use crate::{
        client::{Order, Server},
        exit::Exit,
    };

    /// Answers one connection after the other, and is gone after the last answer.
    async fn serve(listener: TcpListener, answers: &[&str]) {
        for answer in answers {
            let mut stream = listener.accept().await.expect("a connection").0;
            assert!(stream.read(&mut [0; 4096]).await.expect("it is read") > 0, "a request comes");
            let answer = answer.replace("HTTP", "HTTP/1.1").replace('|', "\r\n");
            stream.write_all(answer.as_bytes()).await.expect("it is heard");
            let _ = stream.shutdown().await;
        }
    }

    async fn asked(answers: &[&str], key: Option<&str>) -> Result<Value, ClientError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let client = Client::new(&Server { url: Url::parse(&url).expect("a URL"), key: Key::None }).expect("a client");
        let order = Order { key, ..Order::default() };
        join!(client.post("v1/x", order), serve(listener, answers)).0
    }

    const DONE: &str = "HTTP 200 OK|content-length: 4|connection: close||true";
    const BUSY: &str = "HTTP 429 Too Many Requests|retry-after: 0|content-length: 0|connection: close||";
    const BROKEN: &str = "HTTP 502 Bad Gateway|content-length: 0|connection: close||";
    const CUT_OFF: &str = "HTTP 200 OK|content-length: 400|connection: close||{\"id\"";

    fn exit(answer: Result<Value, ClientError>) -> Exit {
        answer.map_or_else(|error| Exit::of_error(&error.into()), |_| Exit::Answered)
    }

    #[tokio::test]
    async fn a_server_that_says_when_to_come_again_is_asked_again() {
        assert_eq!(asked(&[BUSY, BUSY, DONE], None).await.ok(), Some(Value::Bool(true)));
        let long = "HTTP 429 Too Many Requests|retry-after: 3600|content-length: 0|connection: close||";
        let told = asked(&[long], None).await.expect_err("it is not waited for");
        assert_eq!(told.hint().as_deref(), Some("try again in 3600 s"));
        assert_eq!(exit(Err(told)), Exit::Unavailable);
    }

    #[tokio::test]
    async fn a_broken_one_is_asked_again_only_where_that_does_nothing_twice() {
        assert_eq!(exit(asked(&[BROKEN, DONE], Some("key")).await), Exit::Answered);
        assert_eq!(exit(asked(&[BROKEN], None).await), Exit::Unavailable);
        assert_eq!(exit(asked(&[CUT_OFF], None).await), Exit::Unavailable);
        // Nobody is there any more.
        assert_eq!(exit(asked(&[BROKEN], Some("key")).await), Exit::Unavailable);
    }

    #[tokio::test]
    async fn a_long_list_of_what_is_wrong_is_read_whole() {
        let error = format!(r#"{{"line":7,"custom_id":"{}","message":"must not be empty"}}"#, "가".repeat(256));
        let body = format!(r#"{{"code":"invalid_request","errors":[{}]}}"#, [error.as_str(); 100].join(","));
        let answer = format!("HTTP 422 Unprocessable Content|content-length: {}|connection: close||{body}", body.len());
        match asked(&[answer.as_str()], Some("key")).await {
            Err(ClientError::Problem(problem)) => assert_eq!((problem.code.as_str(), problem.lines().count()), ("invalid_request", 100)),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn who_may_not_is_told_so_whatever_the_answer_holds() {
        for (status, expected) in
            [("401 Unauthorized", Exit::NotPermitted), ("403 Forbidden", Exit::NotPermitted), ("410 Gone", Exit::Unanswered)]
        {
            let answer = format!("HTTP {status}|content-length: 6|connection: close||<html>");
            assert_eq!(exit(asked(&[answer.as_str()], Some("key")).await), expected, "{status}");
        }
        assert_eq!(exit(asked(&["HTTP 200 OK|content-length: 6|connection: close||<html>"], None).await), Exit::Unavailable);
    }
}
