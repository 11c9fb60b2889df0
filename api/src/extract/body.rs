//! JSON bodies, and the `Idempotency-Key` that goes with them.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, header},
};
use datagenie_common::{objects, store::idempotency::IdempotencyKey};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, error::Category};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::{
    app::App,
    error::{ApiError, Code, Result},
};

/// A JSON body. Unknown fields are errors where the type says so: a field that is not served is never ignored.
pub struct Json<T> {
    /// The body.
    pub value: T,
    /// The caller's key, with the keyed hash of method, path and body.
    pub idempotency: Idempotency,
}

/// The caller's `Idempotency-Key`, if he sent one.
#[derive(Clone, Debug, Default)]
pub struct Idempotency(pub Option<IdempotencyKey>);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        check_type(request.headers())?;
        let key = key(request.headers())?;
        let mut hash = hash_of_head(&request);
        let bytes = read(app, request).await?;
        hash.update(&bytes);
        let value = parse(&bytes)?;
        Ok(Self { value, idempotency: Idempotency::of(app, key, hash) })
    }
}

/// A JSON body that may be left out: then it is the type's default.
pub struct MaybeJson<T> {
    /// The body.
    pub value: T,
    /// As [`Json`]'s.
    pub idempotency: Idempotency,
}

impl<T: DeserializeOwned + Default> FromRequest<App> for MaybeJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let headers = request.headers().clone();
        let key = key(&headers)?;
        let mut hash = hash_of_head(&request);
        let bytes = read(app, request).await?;
        hash.update(&bytes);
        let idempotency = Idempotency::of(app, key, hash);
        if bytes.trim_ascii().is_empty() {
            return Ok(Self { value: T::default(), idempotency });
        }
        check_type(&headers)?;
        Ok(Self { value: parse(&bytes)?, idempotency })
    }
}

/// For a POST that takes nothing: no body, or `{}`. What is sent is never ignored.
pub struct NoBody(pub Idempotency);

impl FromRequest<App> for NoBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let key = key(request.headers())?;
        let hash = hash_of_head(&request);
        let bytes = read(app, request).await?;
        let is_empty =
            bytes.trim_ascii().is_empty() || serde_json::from_slice::<Map<String, Value>>(&bytes).is_ok_and(|map| map.is_empty());
        if !is_empty {
            return Err(ApiError::new(Code::InvalidRequest, "this call takes no body; send none, or {}"));
        }
        Ok(Self(Idempotency::of(app, key, hash)))
    }
}

impl Idempotency {
    /// The caller's key for a request whose body is not kept: these parts stand for it.
    ///
    /// # Errors
    /// 422 for a key that is none.
    pub fn of_parts(app: &App, headers: &HeaderMap, parts: &[&str]) -> Result<Self> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Ok(Self::of(app, key(headers)?, hash))
    }

    // Keyed, because a body may hold a password (a new user's, a connection's), and the hash is kept for a day.
    fn of(app: &App, key: Option<String>, hash: Sha256) -> Self {
        Self(key.map(|key| {
            let mut hashes = app.keyring.macs(&hash.finalize()).into_iter();
            IdempotencyKey { key, request_hash: hashes.next().unwrap_or_default(), other_hashes: hashes.collect() }
        }))
    }
}

fn hash_of_head(request: &Request) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(request.method().as_str());
    hash.update([0]);
    hash.update(request.uri().path());
    hash.update([0]);
    hash
}

/// The whole body, within the limit that the router sets.
///
/// # Errors
/// 413 for one that is longer, 408 for one that does not arrive in time, 400 for one that breaks off.
pub async fn read(app: &App, request: Request) -> Result<Bytes> {
    let longest = Duration::from_secs(app.settings.api.body_seconds);
    let late = || ApiError::new(Code::RequestTimeout, "the body did not arrive in time (api.body_seconds)");
    let read = timeout(longest, Bytes::from_request(request, &())).await.map_err(|_| late())?;
    read.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(error) if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(Code::BodyTooLarge, "the body is longer than this service takes (api.max_body_kb)")
        }
        _ => ApiError::new(Code::InvalidJson, "the body could not be read to its end"),
    })
}

fn check_type(headers: &HeaderMap) -> Result<()> {
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        let detail = "the body is packed (Content-Encoding), which is not taken: send it as it is";
        return Err(ApiError::new(Code::UnsupportedMediaType, detail));
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(ApiError::new(Code::UnsupportedMediaType, "the Content-Type must be application/json"))
}

fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map(str::trim).unwrap_or_default();
    if (1..=255).contains(&text.len()) {
        return Ok(Some(text.to_owned()));
    }
    Err(ApiError::field("Idempotency-Key", "must have 1 to 255 visible ASCII characters"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if std::str::from_utf8(bytes).is_err() {
        return Err(ApiError::new(Code::InvalidJson, "the body is not UTF-8"));
    }
    let value = objects::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => ApiError::new(Code::InvalidRequest, error.to_string()),
        // JSON it is, and a number stands where a word of a list is expected: serde_json calls that a syntax error.
        Category::Syntax if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() => {
            ApiError::new(Code::InvalidRequest, format!("a value is of another type than expected: {error}"))
        }
        Category::Syntax | Category::Eof | Category::Io => ApiError::new(Code::InvalidJson, error.to_string()),
    })?;
    // PostgreSQL's text can't hold it, and no honest text does. Looked for only where the escape stands.
    if bytes.windows(6).any(|window| window == br"\u0000") && serde_json::from_slice(bytes).is_ok_and(|value| holds_nul(&value)) {
        return Err(ApiError::new(Code::InvalidRequest, "a text holds a NUL character (\\u0000); leave it out"));
    }
    Ok(value)
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
