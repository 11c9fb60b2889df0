//! The client of the HTTP contract: one method a call, typed answers, problems as errors.

mod calls;
mod error;
mod events;
mod questions;
mod send;
mod upload;
mod wait;
mod wire;

use std::{net::IpAddr, time::Duration};

use reqwest::{Certificate, redirect::Policy};
use url::{Host, Url};

#[cfg(test)]
pub use self::error::Problem;
pub use self::{
    calls::Order,
    error::ClientError,
    events::{EventSocket, Message},
    questions::ChartFormat,
    wire::{Ask, Column, Connection, Question, QuestionStatus, Row},
};

/// Where the server is and who asks. Has no `Debug`: it holds the key.
pub struct Server {
    /// Where the server is.
    pub url: Url,
    /// Who asks.
    pub key: Key,
}

/// What is sent as `Authorization`. Has no `Debug`: it is a secret.
#[derive(Clone)]
pub enum Key {
    /// Nothing.
    None,
    /// An API key, or a token, that the caller gave.
    Given(String),
    /// What `datagenie login` keeps.
    Kept {
        /// The token or key.
        secret: String,
        /// Whose it is.
        username: String,
    },
}

/// A connection to one server. Has no `Debug`: it holds the key.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: Key,
}

impl Client {
    /// A client of the server at `server.url`. Sends nothing yet.
    ///
    /// # Errors
    /// `Misuse` for a key that can't be one, `Unreachable` where TLS can't be set up.
    #[expect(clippy::disallowed_methods, reason = "this is the one place of this program that makes a client, and it sets time-outs")]
    pub fn new(server: &Server) -> Result<Self, ClientError> {
        let base = based(server.url.clone());
        let key = match &server.key {
            Key::Given(key) if key.trim().is_empty() => Key::None,
            Key::Given(key) => Key::Given(key.trim().to_owned()),
            key => key.clone(),
        };
        if key.secret().is_some_and(|key| !key.bytes().all(|b| b.is_ascii_graphic())) {
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
            Ok(http) => Ok(Self { http, base, key }),
            Err(source) => Err(ClientError::Unreachable { url: base.to_string(), source }),
        }
    }

    /// Where the server is, with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.base
    }

    fn endpoint(&self, path: &str, query: &[(&str, String)]) -> Result<Url, ClientError> {
        let mut url = self.base.join(path).map_err(|e| ClientError::Misuse(format!("{} has no {path}: {e}", self.base)))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

impl Key {
    fn secret(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Given(key) | Self::Kept { secret: key, .. } => Some(key),
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
