//! A model behind an OpenAI-compatible API (`POST {base_url}/chat/completions`).
//!
//! One call is one HTTP request: retries are the ledger's, so that none multiplies another. The answer is read tolerantly, since
//! vendors leave fields out, and to a limit; a `Retry-After` is passed on, which is why this is not async-openai (docs/adr/0005).

use std::{sync::Arc, time::Duration};

use datagenie_common::{model::questions::Usage, settings::Llm};
use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::Instant};
use tracing::Instrument;

use super::{Completion, prompt::DraftPrompt};

/// The longest body of an answer that is read.
const MAX_BODY: usize = 1024 * 1024;

/// Why a model brought no text. Holds nothing of the request, the key or the answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No connection, a time-out, a 5xx: it may work later.
    #[error("the model does not answer ({0})")]
    Unavailable(String),
    /// 401 or 403.
    #[error("the model refuses the API key (HTTP {0})")]
    Unauthorised(u16),
    /// 429.
    #[error("the model takes no more requests for now (HTTP 429)")]
    RateLimited {
        /// Its `Retry-After`.
        after: Option<Duration>,
    },
    /// Another 4xx: the request is not what this model takes.
    #[error("the model refuses the request (HTTP {0}); check llm.model, llm.base_url and llm.json_schema")]
    Refused(u16),
    /// Something that is not a chat completion.
    #[error("the model's answer is not a chat completion ({0})")]
    Invalid(&'static str),
}

/// The client of one model.
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
    slots: Arc<Semaphore>,
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
    /// A client by the settings.
    ///
    /// # Errors
    /// If TLS can't be set up.
    #[expect(clippy::disallowed_methods, reason = "the one place where the model's HTTP client is made")]
    pub fn new(settings: &Llm) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(settings.timeout())
            .connect_timeout(Duration::from_secs(10).min(settings.timeout()))
            // A redirected POST would carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
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
            slots: Arc::new(Semaphore::new(settings.max_concurrency)),
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

    /// Asks once. With `reply_schema` the model is held to JSON of this schema, where the settings say that it can.
    ///
    /// # Errors
    /// [`ModelError`].
    pub async fn complete(&self, prompt: &DraftPrompt, reply_schema: Option<Value>) -> Result<Completion, ModelError> {
        // Never closed.
        let _slot = self.slots.acquire().await;
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
        let outcome = match &result {
            Ok(completion) => {
                metrics::counter!("datagenie_model_tokens_total", "direction" => "prompt").increment(completion.usage.prompt_tokens);
                metrics::counter!("datagenie_model_tokens_total", "direction" => "completion")
                    .increment(completion.usage.completion_tokens);
                "ok"
            }
            Err(ModelError::Unavailable(_)) => "unavailable",
            Err(ModelError::Unauthorised(_)) => "unauthorised",
            Err(ModelError::RateLimited { .. }) => "rate_limited",
            Err(ModelError::Refused(_)) => "refused",
            Err(ModelError::Invalid(_)) => "invalid",
        };
        metrics::counter!("datagenie_model_calls_total", "outcome" => outcome).increment(1);
        metrics::histogram!("datagenie_model_seconds").record(began.elapsed().as_secs_f64());
        result
    }

    async fn call(&self, prompt: &DraftPrompt, reply_schema: Option<Value>) -> Result<Completion, ModelError> {
        let mut body = json!({
            "model": self.name,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "messages": [
                { "role": "system", "content": prompt.system },
                { "role": "user", "content": prompt.user },
            ],
        });
        if let Some(schema) = reply_schema.filter(|_| self.json_schema) {
            body["response_format"] =
                json!({ "type": "json_schema", "json_schema": { "name": "draft", "strict": true, "schema": schema } });
        }
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
        "no connection"
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

// Seconds; the form with a date is rare among model vendors, and the ledger's own backoff serves there.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds.clamp(0.0, 3600.0)).ok()
}
