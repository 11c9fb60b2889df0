//! Where a server is, who we are to it, and how a stream of bytes to it is opened: over TCP, secured as configured, or over a unix
//! socket, on which nobody listens.

use std::{io, path::PathBuf};

use bytes::BytesMut;
use datagenie_common::model::connections::ServerConfig;
use postgres_protocol::message::frontend;
use rustls::pki_types::ServerName;
use secrecy::SecretString;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

use super::{
    binding,
    error::WireError,
    tls::{Tls, Wish},
};
use crate::sources::SourceError;

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A database on a server, and the role that we are there.
pub struct Target {
    address: Address,
    tls: Tls,
    pub(super) database: String,
    pub(super) username: String,
    pub(super) password: SecretString,
}

enum Address {
    Socket(PathBuf),
    Host { name: String, port: u16 },
}

/// A stream to a server, before anything was said on it.
pub struct Reached {
    pub stream: Box<dyn Stream>,
    pub is_secured: bool,
    /// Whether the server is on this machine.
    pub is_local: bool,
    /// What binds a password exchange to this stream.
    pub binding: Option<Vec<u8>>,
}

impl Target {
    /// Does not connect.
    ///
    /// # Errors
    /// [`SourceError::Refused`] for a configuration that nothing could be reached with.
    pub fn new(config: &ServerConfig) -> Result<Self, SourceError> {
        // The start-up message ends its strings with NUL: one inside would begin another parameter.
        let texts = [&config.host, &config.database, &config.username];
        if texts.iter().any(|text| text.is_empty() || text.contains('\0')) {
            return Err(SourceError::refused("host, database and username must be given, and hold no NUL"));
        }
        let address = if config.host.starts_with('/') {
            Address::Socket(PathBuf::from(format!("{}/.s.PGSQL.{}", config.host, config.port)))
        } else {
            Address::Host { name: config.host.trim_matches(['[', ']']).to_owned(), port: config.port }
        };
        Ok(Self {
            address,
            tls: Tls::new(config.effective_ssl_mode(), config.ssl_root_cert.as_deref())?,
            database: config.database.clone(),
            username: config.username.clone(),
            password: config.password.clone(),
        })
    }

    /// Opens a stream, secured as configured.
    pub(super) async fn reach(&self) -> Result<Reached, WireError> {
        self.reach_by(self.tls.wish).await
    }

    /// Opens another stream, secured like an earlier one.
    pub(super) async fn reach_again(&self, is_secured: bool) -> Result<Reached, WireError> {
        self.reach_by(if is_secured { Wish::Always } else { Wish::Never }).await
    }

    async fn reach_by(&self, wish: Wish) -> Result<Reached, WireError> {
        let (name, port) = match &self.address {
            Address::Socket(path) => {
                let stream = UnixStream::connect(path).await?;
                return Ok(Reached { stream: Box::new(stream), is_secured: false, is_local: true, binding: None });
            }
            Address::Host { name, port } => (name, *port),
        };
        let mut stream = TcpStream::connect((name.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        let is_local = stream.peer_addr()?.ip().is_loopback();
        if wish == Wish::Never {
            return Ok(Reached { stream: Box::new(stream), is_secured: false, is_local, binding: None });
        }
        if !offers_tls(&mut stream).await? {
            return match wish {
                Wish::Always => Err(WireError::Tls),
                _ => Ok(Reached { stream: Box::new(stream), is_secured: false, is_local, binding: None }),
            };
        }
        let host = ServerName::try_from(name.clone()).map_err(|_no_name| WireError::Tls)?;
        let secured = Box::pin(TlsConnector::from(self.tls.config.clone()).connect(host, stream)).await.map_err(handshake)?;
        let (_, session) = secured.get_ref();
        let shown = session.peer_certificates().and_then(|certificates| certificates.first());
        let binding = shown.and_then(|certificate| binding::end_point(certificate));
        Ok(Reached { stream: Box::new(secured), is_secured: true, is_local, binding })
    }
}

/// Asks whether the server speaks TLS. Exactly one byte of its answer is read: what somebody in the middle put behind it is not taken
/// for a part of what comes secured.
async fn offers_tls(stream: &mut TcpStream) -> Result<bool, WireError> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    let mut answer = [0];
    if stream.read(&mut answer).await? == 0 {
        return Err(WireError::Closed);
    }
    match answer[0] {
        b'S' => Ok(true),
        b'N' => Ok(false),
        // An error, which a server tells in the clear when it can't even begin a session.
        b'E' => Err(WireError::Closed),
        _ => Err(WireError::Protocol),
    }
}

/// A handshake that fails, or a network that does.
fn handshake(error: io::Error) -> WireError {
    let is_refusal = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    if is_refusal { WireError::Tls } else { WireError::Io(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(host: &str, username: &str) -> ServerConfig {
        ServerConfig {
            host: host.to_owned(),
            port: 5432,
            database: "shop".to_owned(),
            username: username.to_owned(),
            password: SecretString::from("secret"),
            ssl_mode: None,
            ssl_root_cert: None,
            pool_size: None,
            max_overflow: None,
        }
    }

    #[test]
    fn a_nul_cannot_reach_the_startup_message() {
        let hostile = Target::new(&config("localhost", "reader\0options\0-c x=y"));
        assert!(matches!(hostile, Err(SourceError::Refused { .. })));
        assert!(matches!(Target::new(&config("", "reader")), Err(SourceError::Refused { .. })));
    }

    #[test]
    fn a_host_is_a_name_an_address_or_a_folder() {
        let address = |host| Target::new(&config(host, "reader")).expect("it is a host").address;
        assert!(matches!(address("/run/pg"), Address::Socket(path) if path.as_os_str() == "/run/pg/.s.PGSQL.5432"));
        assert!(matches!(address("[::1]"), Address::Host { name, port: 5432 } if name == "::1"));
        assert!(matches!(address("db.example.com"), Address::Host { name, .. } if name == "db.example.com"));
    }
}
