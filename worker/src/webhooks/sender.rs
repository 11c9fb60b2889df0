//! One exchange with a target: a signed POST, and as much of the answer as is read.

use std::{error::Error, sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDateTime, Utc};
use datagenie_common::settings::IpNetwork;
use reqwest::{Url, header, redirect};
use tokio::time::{Instant, timeout};

use super::{
    addresses::Addresses,
    resolver::{Lookup, Refused, Resolver, system},
};

/// How long the whole exchange may take: looking the name up, connecting, sending, and reading the answer to its end.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of an answer is read; what comes after it is left with the connection.
const MAX_ANSWER: usize = 64 * 1024;
/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);
/// Connections to one host that are kept for the next delivery.
const IDLE_PER_HOST: usize = 16;

/// Why a target did not take a delivery. Holds nothing of its URL or of what it answered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Not a URL that can be asked.
    #[error("the URL can't be asked: it must be http or https, with a host")]
    BadUrl,
    /// A private or reserved address.
    #[error("the host has no public address (webhooks.allow_cidrs names the private networks that may be used)")]
    Refused,
    /// No answer in time.
    #[error("the exchange took longer than {} s", PATIENCE.as_secs())]
    TimedOut,
    /// No connection.
    #[error("no connection could be made")]
    NoConnection,
    /// The connection broke.
    #[error("the connection broke before the answer was there")]
    Broken,
    /// Any status but 2xx.
    #[error("the target answered HTTP {status}")]
    Status {
        /// The status.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl SendError {
    /// The status, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// When the target wants to be asked again, at most a day from now.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A signed message.
#[derive(Debug)]
pub struct Signed {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, in seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of sending a message.
#[derive(Debug)]
pub struct Exchange {
    /// How long it took.
    pub took: Duration,
    /// The status, if it was 2xx.
    pub answered: Result<u16, SendError>,
}

/// Sends webhooks. Clones share connections.
#[derive(Clone)]
pub struct Sender {
    http: reqwest::Client,
    addresses: Addresses,
    patience: Duration,
}

impl Sender {
    /// To public addresses and to these networks.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(allowed: &[IpNetwork]) -> Result<Self, reqwest::Error> {
        Self::with(allowed, system(), PATIENCE)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the webhooks' HTTP client is made, with time-outs and address checks"
    )]
    fn with(allowed: &[IpNetwork], lookup: Lookup, patience: Duration) -> Result<Self, reqwest::Error> {
        let addresses = Addresses::new(allowed);
        let http = reqwest::Client::builder()
            .user_agent(concat!("DataGenie/", env!("CARGO_PKG_VERSION")))
            .timeout(patience)
            // A proxy would connect to whatever it is told, a redirect would lead past the check.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(Resolver::new(addresses.clone(), lookup)))
            .build()?;
        Ok(Self { http, addresses, patience })
    }

    /// Sends a message.
    pub async fn send(&self, url: &str, signed: Signed) -> Exchange {
        let began = Instant::now();
        let answered = timeout(self.patience, self.exchange(url, signed)).await.unwrap_or(Err(SendError::TimedOut));
        Exchange { took: began.elapsed(), answered }
    }

    async fn exchange(&self, url: &str, signed: Signed) -> Result<u16, SendError> {
        let url = Url::parse(url).map_err(|_| SendError::BadUrl)?;
        let host = url.host().filter(|_| matches!(url.scheme(), "http" | "https")).ok_or(SendError::BadUrl)?;
        let sent = signed.timestamp;
        // An address in the URL itself is never looked up.
        if !self.addresses.permit_host(&host) {
            return Err(SendError::Refused);
        }
        let request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp.to_string())
            .header("webhook-signature", signed.signature)
            .body(signed.body);
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status();
        let date = response.headers().get(header::DATE).and_then(|value| value.to_str().ok().map(str::to_owned));
        let now = date.as_deref().and_then(http_date).or_else(|| DateTime::from_timestamp(sent, 0));
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| after(text, now));
        let mut read = 0;
        while read < MAX_ANSWER {
            match response.chunk().await.map_err(|error| failure(&error)) {
                Ok(Some(chunk)) => read += chunk.len(),
                Ok(None) => break,
                // The status was said, and that is what counts: but not of an answer that never ends.
                Err(error) if status.is_success() => return Err(error),
                Err(_) => break,
            }
        }
        if status.is_success() { Ok(status.as_u16()) } else { Err(SendError::Status { status: status.as_u16(), retry_after }) }
    }
}

/// `Retry-After` in seconds or as a date, which is measured from the answer's own `Date` where it has one; at most a day. What lies in the
/// past, or is neither, asks for nothing.
fn after(text: &str, now: Option<DateTime<Utc>>) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than a number holds is more than a day, too.
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        (http_date(text)? - now?).to_std().ok()?
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// The three forms of a date that HTTP has (RFC 9110, 5.6.7), the two obsolete ones included.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let naive = |form| NaiveDateTime::parse_from_str(text, form).ok().map(|date| date.and_utc());
    let read = DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc());
    read.or_else(|| naive("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| naive("%a %b %e %H:%M:%S %Y"))
}

fn failure(error: &reqwest::Error) -> SendError {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<Refused>() {
            return SendError::Refused;
        }
        source = inner.source();
    }
    if error.is_timeout() {
        SendError::TimedOut
    } else if error.is_connect() {
        SendError::NoConnection
    } else if error.is_builder() {
        SendError::BadUrl
    } else {
        SendError::Broken
    }
}

#[cfg(test)]
mod tests;
