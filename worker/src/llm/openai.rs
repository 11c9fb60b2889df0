//! A model behind an OpenAI-compatible API (`POST {base_url}/chat/completions`).
//!
//! One call is one HTTP request: retries are the ledger's, so that none multiplies another. The answer is read tolerantly, since
//! vendors leave fields out, and to a limit; a `Retry-After` is passed on, which is why this is not async-openai (docs/adr/0005).
//!
//! Before a call come the fleet's limits: so many calls at once, so many calls and tokens within a minute. A model that fails again and
//! again is left alone for a while. Each of these sends a job away for later, and none costs it an attempt.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use datagenie_common::{ids::UserId, model::questions::Usage, settings::Llm};
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::{
    Completion,
    prompt::DraftPrompt,
    windows::{WindowError, Windows},
};
use crate::{
    breaker::{Breaker, Call},
    capacity::{Capacity, Permit, Resource},
};

/// Why a request was never sent.
const NO_CONNECTION: &str = "no connection";
/// The longest body of an answer that is read.
const MAX_BODY: usize = 1024 * 1024;
/// How long a job waits for its turn in its slot; after that it waits in the queue.
const QUEUE_WAIT: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that is taken at its word: no job lives longer.
const LONGEST_RETRY_AFTER: f64 = 7.0 * 86_400.0;

/// Why a model brought no text. Holds nothing of the request, the key or the answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No connection, a time-out, a 5xx: it may work later.
    #[error("the model does not answer ({0})")]
    Unavailable(String),
    /// 401 or 403.
    #[error("the model refuses the API key (HTTP {0})")]
    Unauthorised(u16),
    /// It failed so often in a row that it is not asked for a while.
    #[error("the model does not answer, and is left alone for a while")]
    Resting {
        /// When to try again, at the earliest.
        after: Duration,
    },
    /// 429.
    #[error("the model takes no more requests for now (HTTP 429)")]
    RateLimited {
        /// Its `Retry-After`.
        after: Option<Duration>,
    },
    /// The calls or tokens that the settings allow within a minute are used up.
    #[error("the calls or tokens allowed within a minute are used up")]
    OverLimit {
        /// When there will be some.
        after: Duration,
    },
    /// All calls that the settings allow at once are under way, and have been for long.
    #[error("all calls of the model that are allowed at once are under way")]
    Busy,
    /// Another 4xx: the request is not what this model takes.
    #[error("the model refuses the request (HTTP {0}); check llm.model, llm.base_url and llm.json_schema")]
    Refused(u16),
    /// Something that is not a chat completion.
    #[error("the model's answer is not a chat completion ({0})")]
    Invalid(&'static str),
}

/// The client of one model. Clones share what they have asked.
#[derive(Clone)]
pub struct Model {
    http: reqwest::Client,
    endpoint: String,
    key: Option<SecretString>,
    name: String,
    temperature: f64,
    max_tokens: u32,
    json_schema: bool,
    prompt_price: f64,
    completion_price: f64,
    resource: Resource,
    max_concurrency: u32,
    capacity: Capacity,
    windows: Arc<Windows>,
    breaker: Arc<Breaker>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    temperature: f64,
    max_tokens: u32,
    messages: [Message<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a Value,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<ReplyUsage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<ReplyMessage>,
}

#[derive(Deserialize)]
struct ReplyMessage {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct ReplyUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Model {
    /// A client by the settings, whose calls count among the fleet's: `pool` is the system database.
    ///
    /// # Errors
    /// If TLS can't be set up.
    #[expect(clippy::disallowed_methods, reason = "the one place where the model's HTTP client is made")]
    pub fn new(settings: &Llm, capacity: Capacity, pool: PgPool) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(settings.timeout())
            .connect_timeout(Duration::from_secs(10).min(settings.timeout()))
            // A redirected POST would carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let resource = Resource::model(&settings.base_url, &settings.model);
        let rest = Duration::from_secs(settings.breaker_seconds);
        Ok(Self {
            http,
            endpoint: format!("{}/chat/completions", settings.base_url),
            key: settings.api_key.clone(),
            name: settings.model.clone(),
            temperature: settings.temperature,
            max_tokens: settings.max_tokens,
            json_schema: settings.json_schema,
            prompt_price: settings.prompt_price,
            completion_price: settings.completion_price,
            max_concurrency: settings.max_concurrency,
            capacity,
            windows: Arc::new(Windows::new(settings, pool, resource.clone())),
            breaker: Arc::new(Breaker::new("model", settings.model.clone(), settings.breaker_failures, rest)),
            resource,
        })
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything but the prompt that an answer depends on, for the cache's key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{} {} {} {} {}", self.endpoint, self.name, self.temperature, self.max_tokens, self.json_schema)
    }

    /// Asks once, for a user, when it is his turn. With `reply_schema` the model is held to JSON of this schema, where the settings say
    /// that it can. Dropping the future hangs up.
    ///
    /// # Errors
    /// [`ModelError`].
    pub async fn complete(&self, user: UserId, prompt: &DraftPrompt, reply_schema: Option<&Value>) -> Result<Completion, ModelError> {
        let (_permit, call) = self.admit(user).await?;
        let taken = self.windows.take(prompt.system.len() + prompt.user.len()).await.map_err(|error| match error {
            WindowError::Used(after) => ModelError::OverLimit { after },
            WindowError::Store(error) => {
                tracing::warn!(error = %error, "the windows of the model can't be read");
                ModelError::Unavailable("how much of it is used can't be told".to_owned())
            }
        })?;
        let result = self.timed_call(prompt, reply_schema).await;
        match &result {
            // Not the model's state, but the request: it answers.
            Ok(_) | Err(ModelError::Unauthorised(_) | ModelError::Refused(_) | ModelError::Invalid(_)) => call.succeeded(),
            Err(ModelError::Unavailable(_)) => call.failed(),
            // Busy is neither sound nor broken.
            Err(_) => drop(call),
        }
        match &result {
            Ok(completion) => self.windows.correct(taken, &completion.usage).await,
            // What was sent is counted by the vendor, however it ended.
            Err(ModelError::Unavailable(what)) if what == NO_CONNECTION => self.windows.refund(taken).await,
            Err(_) => {}
        }
        result
    }

    /// Waits for a turn. Who comes while the model is left alone does not wait.
    async fn admit(&self, user: UserId) -> Result<(Permit, Call<'_>), ModelError> {
        self.breaker.check().map_err(|open| ModelError::Resting { after: open.retry_after })?;
        let turn = self.capacity.acquire(&self.resource, self.max_concurrency, user);
        let permit = timeout(QUEUE_WAIT, turn).await.map_err(|_elapsed| ModelError::Busy)?;
        let call = self.breaker.enter().map_err(|open| ModelError::Resting { after: open.retry_after })?;
        Ok((permit, call))
    }

    async fn timed_call(&self, prompt: &DraftPrompt, reply_schema: Option<&Value>) -> Result<Completion, ModelError> {
        let began = Instant::now();
        let span = tracing::info_span!("model.complete", model = self.name);
        let result = async {
            let result = self.call(prompt, reply_schema).await;
            if let Ok(completion) = &result {
                let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let Usage { prompt_tokens, completion_tokens, .. } = completion.usage;
                tracing::info!(prompt_tokens, completion_tokens, elapsed_ms, "model answered");
            }
            result
        }
        .instrument(span)
        .await;
        if let Ok(completion) = &result {
            metrics::counter!("datagenie_model_tokens_total", "direction" => "prompt").increment(completion.usage.prompt_tokens);
            metrics::counter!("datagenie_model_tokens_total", "direction" => "completion").increment(completion.usage.completion_tokens);
        }
        metrics::counter!("datagenie_model_calls_total", "outcome" => outcome(&result)).increment(1);
        metrics::histogram!("datagenie_model_seconds").record(began.elapsed().as_secs_f64());
        result
    }

    async fn call(&self, prompt: &DraftPrompt, reply_schema: Option<&Value>) -> Result<Completion, ModelError> {
        let body = Request {
            model: &self.name,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            messages: [Message { role: "system", content: &prompt.system }, Message { role: "user", content: &prompt.user }],
            response_format: reply_schema
                .filter(|_| self.json_schema)
                .map(|schema| ResponseFormat { kind: "json_schema", json_schema: JsonSchema { name: "draft", strict: true, schema } }),
        };
        let mut request = self.http.post(&self.endpoint).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(|error| unavailable(&error))?;
        match response.status() {
            status if status.is_success() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(ModelError::Unauthorised(status.as_u16())),
            StatusCode::TOO_MANY_REQUESTS => return Err(ModelError::RateLimited { after: retry_after(&response) }),
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                return Err(ModelError::Unavailable(format!("HTTP {}", status.as_u16())));
            }
            status => return Err(ModelError::Refused(status.as_u16())),
        }
        self.read(&read_body(response).await?)
    }

    fn read(&self, body: &[u8]) -> Result<Completion, ModelError> {
        let reply: Reply = serde_json::from_slice(body).map_err(|_| ModelError::Invalid("it is not JSON of that form"))?;
        let usage = reply.usage.map_or_else(Usage::default, |usage| {
            #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
            let cost = (usage.prompt_tokens as f64 * self.prompt_price + usage.completion_tokens as f64 * self.completion_price) / 1e6;
            Usage { prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens, cost }
        });
        let message = reply.choices.into_iter().next().and_then(|choice| choice.message).ok_or(ModelError::Invalid("it has no choices"))?;
        // PostgreSQL's text can't hold a NUL, and no honest text does.
        let text = message.content.or(message.refusal).unwrap_or_default().replace('\0', "\u{FFFD}");
        Ok(Completion { text, usage })
    }
}

// reqwest's own message names the URL, which may hold what an administrator would not show.
fn unavailable(error: &reqwest::Error) -> ModelError {
    let what = if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        NO_CONNECTION
    } else {
        "the connection broke"
    };
    ModelError::Unavailable(what.to_owned())
}

async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, ModelError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ModelError::Invalid("it is longer than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn outcome(result: &Result<Completion, ModelError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(ModelError::Unavailable(_) | ModelError::Resting { .. }) => "unavailable",
        Err(ModelError::Unauthorised(_)) => "unauthorised",
        Err(ModelError::RateLimited { .. } | ModelError::OverLimit { .. } | ModelError::Busy) => "rate_limited",
        Err(ModelError::Refused(_)) => "refused",
        Err(ModelError::Invalid(_)) => "invalid",
    }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let header = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    read_retry_after(header(header::RETRY_AFTER)?, header(header::DATE))
}

// Seconds, or a date: that one is measured from the answer's own date, so that nobody's clock matters.
fn read_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST_RETRY_AFTER)).ok();
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let from = DateTime::parse_from_rfc2822(date?).ok()?;
    (until - from).to_std().ok().map(|after| after.min(Duration::from_secs_f64(LONGEST_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_read_in_both_forms() {
        let now = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(read_retry_after("2.5", None), Some(Duration::from_millis(2_500)));
        assert_eq!(read_retry_after("7200", None), Some(Duration::from_secs(7_200)));
        assert_eq!(read_retry_after("1e99", None), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(read_retry_after("Wed, 21 Oct 2015 07:28:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(read_retry_after("Wed, 21 Oct 2015 07:27:00 GMT", now), None);
        assert_eq!(read_retry_after("soon", now), None);
        assert_eq!(read_retry_after("nan", None), None);
    }
}
