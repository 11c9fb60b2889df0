//! The only place that makes problems (RFC 9457); `bare.rs` sends them where no handler is asked. One table says what each code means to a client.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    files::{self, FilesError},
    ids::RequestId,
    store::StoreError,
};
use serde::Serialize;

tokio::task_local! {
    /// The request that is being answered.
    pub static REQUEST_ID: RequestId;
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $status:ident, $title:literal, $retryable:literal;)+) => {
        /// Why a request was not done: the contract's `code`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word sent.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $word),+ } }

            /// The HTTP status.
            #[must_use]
            pub fn status(self) -> StatusCode { match self { $(Self::$name => StatusCode::$status),+ } }

            /// The kind in words.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(Self::$name => $title),+ } }

            /// Whether the same request may succeed later.
            #[must_use]
            pub fn retryable(self) -> bool { match self { $(Self::$name => $retryable),+ } }
        }
    };
}

codes! {
    /// The body of an upload is not what a form sends.
    InvalidMultipart = "invalid_multipart", BAD_REQUEST, "The body is not valid multipart/form-data", false;
    /// The head of the request is no HTTP.
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request can't be read", false;
    /// The body is not JSON.
    InvalidJson = "invalid_json", BAD_REQUEST, "The body is not valid JSON", false;
    /// No token, or none that is valid.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Sign in first", false;
    /// User name and password do not match.
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "User name or password is wrong", false;
    /// Signed in, and not allowed.
    PermissionDenied = "permission_denied", FORBIDDEN, "You may not do this", false;
    /// His password has to be changed first.
    PasswordChangeRequired = "password_change_required", FORBIDDEN, "Change your password first", false;
    /// There is none, or it is not the caller's.
    NotFound = "not_found", NOT_FOUND, "There is no such resource", false;
    /// Nothing came of an upload for too long.
    UploadStalled = "upload_stalled", REQUEST_TIMEOUT, "The upload has come to a standstill", true;
    /// The body of a request did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request did not arrive in time", true;
    /// Another method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The resource does not know this method", false;
    /// A unique name is taken.
    NameTaken = "name_taken", CONFLICT, "The name is taken", false;
    /// There would be nobody left to administer the service.
    LastAdmin = "last_admin", CONFLICT, "The last active administrator stays", false;
    /// Over before it could be stopped.
    AlreadyEnded = "already_ended", CONFLICT, "It has already ended", false;
    /// Only dead jobs are replayed.
    NotDead = "not_dead", CONFLICT, "Only a dead job can be retried", false;
    /// It has no answer (yet).
    NotAnswered = "not_answered", CONFLICT, "There is no answer", false;
    /// The connection can't be used as it stands.
    ConnectionNotReady = "connection_not_ready", CONFLICT, "The connection can't be used", false;
    /// Nothing is sent to the endpoint as it stands.
    WebhookDisabled = "webhook_disabled", CONFLICT, "The endpoint is disabled", false;
    /// An environment variable of the programs holds the setting.
    SettingHeld = "setting_held", CONFLICT, "The setting is held by the environment", false;
    /// The first request with the same key is not committed yet.
    InProgress = "in_progress", CONFLICT, "The first request with this Idempotency-Key is still being taken in", true;
    /// Past its keeping time.
    Gone = "gone", GONE, "It was kept for its time and is gone", false;
    /// It has changed since the caller read it.
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "It has changed meanwhile", false;
    /// The body is longer than allowed.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large", false;
    /// The path and query are longer than allowed.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The path and query are too long", false;
    /// The body is of another type.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The Content-Type can't be taken", false;
    /// The upload is no workbook of a kind that is read.
    UnsupportedFormat = "unsupported_format", UNSUPPORTED_MEDIA_TYPE, "The file is of a kind that is not read", false;
    /// A value is missing or out of bounds.
    InvalidRequest = "invalid_request", UNPROCESSABLE_ENTITY, "A value is missing or can't be taken", false;
    /// The contract has it, this version does not serve it yet.
    NotServedYet = "not_served_yet", UNPROCESSABLE_ENTITY, "This version does not serve that yet", false;
    /// The key belongs to another request.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for another request", false;
    /// The headers are longer than allowed, or more.
    HeadTooLarge = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large", false;
    /// Too much at once.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests", true;
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side", true;
    /// There is no room for what would be stored.
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The service has no room left", true;
    /// Something that the service needs is away.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service can't do this right now", true;
}

/// What is wrong with one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Its name, dotted for nested ones.
    pub field: String,
    /// What is wrong and what is expected.
    pub message: String,
    /// Of a batch: in which line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Of a batch: the name of that line, if it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// Of a batch: what kind of error it is, as the line's result would say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The body of every error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The kind, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time, and what to do.
    pub detail: String,
    /// The kind, for programs.
    pub code: String,
    /// As in `X-Request-Id`.
    pub request_id: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What is wrong with which field.
    pub errors: Vec<FieldError>,
}

/// Bytes that an answer repeats of what was sent, where it says what is wrong with it: a name of a field may be as long as a body.
const LONGEST_DETAIL: usize = 4_000;
const LONGEST_MESSAGE: usize = 1_000;
const LONGEST_FIELD: usize = 200;

/// Takes the middle out of a text that is too long: what is wrong with something long stands before it or after it.
fn shorten(text: &mut String, longest: usize) {
    if text.len() > longest {
        let (begin, end) = (text.floor_char_boundary(longest / 2), text.ceil_char_boundary(text.len() - longest / 2));
        text.replace_range(begin..end, "…");
    }
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn of(code: Code, mut detail: String, mut errors: Vec<FieldError>, request_id: Option<String>) -> Self {
        shorten(&mut detail, LONGEST_DETAIL);
        for error in &mut errors {
            shorten(&mut error.field, LONGEST_FIELD);
            shorten(&mut error.message, LONGEST_MESSAGE);
        }
        Self {
            problem_type: format!("urn:datagenie:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            detail,
            code: code.as_str().to_owned(),
            request_id,
            retryable: code.retryable(),
            errors,
        }
    }
}

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// What kind.
    pub code: Code,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    limit: Option<(&'static str, u64)>,
    /// `RateLimit-Policy` and `RateLimit`.
    told: Option<Box<(String, String)>>,
}

/// What handlers return.
pub type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    /// An error of this kind, with what went wrong this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after: None, limit: None, told: None }
    }

    /// Unknown or not the caller's: the same answer.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}, or it is not yours"))
    }

    /// One field can't be taken.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.into(), message: message.into(), ..FieldError::default() }])
    }

    /// Several fields can't be taken.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join("; ");
        Self { code: Code::InvalidRequest, detail, errors, retry_after: None, limit: None, told: None }
    }

    /// Lines of a batch can't be taken: as many of them as are told one by one, and what is to be said of all.
    #[must_use]
    pub fn lines(detail: String, errors: Vec<FieldError>) -> Self {
        Self { detail, ..Self::fields(errors) }
    }

    /// The contract has this field, this version does not serve it yet.
    #[must_use]
    pub fn not_served_yet(field: &str) -> Self {
        let message = "is not served by this version; leave it out".to_owned();
        let mut error = Self::fields(vec![FieldError { field: field.to_owned(), message, ..FieldError::default() }]);
        error.code = Code::NotServedYet;
        error
    }

    /// A fault of ours: the detail goes to the log, not to the client.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "a request failed by a fault of ours");
        Self::new(Code::Internal, "the request was not done; the log of the service says why, by the request_id")
    }

    /// A fault of ours in files of this machine, among which a full disk is told.
    #[must_use]
    pub fn of_files(error: &(dyn std::error::Error + 'static)) -> Self {
        if files::is_full(error) { Self::full(error) } else { Self::internal(error) }
    }

    fn full(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "there is no room left for files");
        Self::new(Code::StorageFull, "the service has no room left for files; nothing was stored. An administrator has to make some")
            .retry_after(Duration::from_secs(60))
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says which limit of how many was reached (the IETF draft of RateLimit headers).
    #[must_use]
    pub fn limit(mut self, name: &'static str, quota: u64) -> Self {
        self.limit = Some((name, quota));
        self
    }

    /// Tells limits that fill again, as `RateLimit-Policy` and `RateLimit` have them.
    #[must_use]
    pub fn told(mut self, policies: String, levels: String) -> Self {
        self.told = Some(Box::new((policies, levels)));
        self
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the system database did not answer");
                Self::new(Code::Unavailable, "the service's database does not answer; nothing was changed, or it is not known")
                    .retry_after(Duration::from_secs(1))
            }
            StoreError::Locked => {
                Self::new(Code::InProgress, "another request is at the same resource; try again").retry_after(Duration::from_secs(1))
            }
            _ if error.is_of_a_value() => {
                // It should have been refused before: the net below all that checks what is sent.
                tracing::error!(error = &error as &dyn std::error::Error, "the database refused a value that was let through");
                Self::new(
                    Code::InvalidRequest,
                    "a value can't be stored: a text that is too long or has a character that no text has, or a number or a time out of bounds",
                )
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        if error.is_full() {
            return Self::full(&error);
        }
        if error.is_outage() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the file storage did not answer");
            return Self::new(Code::Unavailable, "the service's file storage does not answer; nothing was changed")
                .retry_after(Duration::from_secs(5));
        }
        Self::internal(&error)
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let request_id = REQUEST_ID.try_with(ToString::to_string).ok();
        let problem = Problem::of(self.code, self.detail, self.errors, request_id);
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if let Some((name, quota)) = self.limit {
            let wait = self.retry_after.map_or(1, |wait| wait.as_secs().max(1));
            put(headers, format!("\"{name}\";q={quota}"), format!("\"{name}\";r=0;t={wait}"));
        }
        if let Some(told) = self.told {
            put(headers, told.0, told.1);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn put(headers: &mut HeaderMap, policies: String, levels: String) {
    for (name, text) in [("ratelimit-policy", policies), ("ratelimit", levels)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
