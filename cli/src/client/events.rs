//! The socket with all events that the caller may see.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, StatusCode, Upgraded, header};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Client, ClientError};

/// A socket that opens later than this is none.
const OPENING: Duration = Duration::from_secs(15);
/// The server pings each 20 seconds: after such a silence it is gone.
const SILENCE: Duration = Duration::from_secs(75);
/// An envelope is at most 256 KiB.
const MAX_MESSAGE: usize = 1024 * 1024;

/// An open socket.
pub struct EventSocket {
    socket: WebSocketStream<Upgraded>,
}

/// What a socket brings.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// An envelope, or a notice of the server.
    Text(String),
    /// It was cut; why, if that is known.
    Cut(String),
}

impl Client {
    /// Opens the socket; with `after` the durable events since that sequence come first.
    pub async fn events(&self, after: Option<&str>) -> Result<EventSocket, ClientError> {
        let query: Vec<(&str, String)> = after.map(|after| ("after", after.to_owned())).into_iter().collect();
        let url = self.endpoint("v1/events", &query)?;
        let unusable = |source: String| ClientError::Unreadable { what: "event socket", source: source.into() };
        // The same client opens it that makes all other calls, so that TLS and proxies are the same.
        let key = generate_key();
        let opening = self.send(|| {
            self.stream_request(Method::GET, url.clone())
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13")
                .header(header::SEC_WEBSOCKET_KEY, &key)
        });
        let response =
            timeout(OPENING, opening).await.map_err(|_| unusable(format!("it does not open within {} s", OPENING.as_secs())))??;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(unusable(format!("the server answers {} instead of opening it", response.status())));
        }
        let accepted =
            response.headers().get(header::SEC_WEBSOCKET_ACCEPT).is_some_and(|value| value == derive_accept_key(key.as_bytes()).as_str());
        if !accepted {
            return Err(unusable("what answers is no WebSocket server".to_owned()));
        }
        let stream = response.upgrade().await.map_err(|e| self.unreachable(e))?;
        let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        Ok(EventSocket { socket: WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await })
    }
}

impl EventSocket {
    /// The next message. Pings are answered on the way.
    pub async fn message(&mut self) -> Message {
        loop {
            let Ok(next) = timeout(SILENCE, self.socket.next()).await else {
                return Message::Cut(format!("nothing came for {} s", SILENCE.as_secs()));
            };
            match next {
                Some(Ok(tungstenite::Message::Text(text))) => return Message::Text(text.as_str().to_owned()),
                Some(Ok(tungstenite::Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.reason.as_str().to_owned()).filter(|reason| !reason.is_empty());
                    return Message::Cut(reason.unwrap_or_else(|| "the server closed it".to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Message::Cut(error.to_string()),
                None => return Message::Cut("the connection is gone".to_owned()),
            }
        }
    }
}
