//! `GET /v1/events`: a WebSocket with all events that the caller may see.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    http::{HeaderMap, header},
    response::Response,
};
use datagenie_common::{
    events::{Event, Live, parse_sequence},
    ids::ConnectionId,
    store::events::{self, Wanted},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, timeout},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::{self, Caller, PROTOCOL_PREFIX},
    app::App,
    error::{ApiError, Result},
    extract::Query,
    live::wait::LOOK,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(event_socket)
}

/// A reader that does not take a message for so long is closed; it comes back with `after`.
const SLOWEST: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(20);
/// Durable events read at once.
const PAGE: i64 = 200;

/// `?after=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SocketQuery {
    /// Replay durable events after this `sequence`; not given: from now on.
    after: Option<String>,
}

/// All events that the caller may see, as a WebSocket.
///
/// Each text message is a CloudEvents envelope. Durable (terminal) events have a `sequence` and none is skipped; progress events have
/// none and may be lost. A browser that can set no header offers the subprotocol `bearer.TOKEN`. A slow reader is told
/// `{"type":"events_lost"}` where progress was dropped; the socket ends within a second of its session's end. A key that is limited to
/// some connections gets the durable events of those and of what is asked of none, and no progress.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", params(SocketQuery),
    responses((status = 101, description = "The socket is open"))
)]
async fn event_socket(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SocketQuery>,
    headers: HeaderMap,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response> {
    let after = match &query.after {
        Some(text) => parse_sequence(text).ok_or_else(|| ApiError::field("after", "is not a sequence of ours"))?,
        None => events::now(&app.pool).await?,
    };
    let upgrade = upgrade.map_err(|_| ApiError::field("Upgrade", "this is a WebSocket: connect with a WebSocket client"))?;
    // The protocol that was offered is answered, or a browser closes the socket.
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let protocol = offered.split(',').map(str::trim).find(|protocol| protocol.starts_with(PROTOCOL_PREFIX)).map(str::to_owned);
    let messages = app.hub.listen();
    let upgrade = upgrade.max_message_size(64 * 1024).write_buffer_size(4096).max_write_buffer_size(256 * 1024);
    let upgrade = match protocol {
        Some(protocol) => upgrade.protocols([protocol]),
        None => upgrade,
    };
    Ok(upgrade.on_upgrade(move |socket| async move {
        let reader = Reader { app, caller, headers, after, messages, socket };
        reader.run().await;
    }))
}

/// Whether this event is of what the caller's key may see. Events that do not say which connection they are about (`connection_id` is
/// null where they are about none) are not for keys that are limited to some.
fn may_see(caller: &Caller, event: &Event) -> bool {
    if !caller.is_limited() {
        return true;
    }
    match event.data.get("connection_id") {
        Some(Value::Null) => true,
        Some(Value::String(id)) => id.parse::<ConnectionId>().is_ok_and(|id| caller.may_use(id)),
        _ => false,
    }
}

struct Reader {
    app: App,
    caller: Caller,
    headers: HeaderMap,
    after: (u64, i64),
    messages: broadcast::Receiver<Arc<Live>>,
    socket: WebSocket,
}

/// The socket is over.
struct Over;

impl Reader {
    async fn run(mut self) {
        let mut pinged = Instant::now();
        loop {
            if self.catch_up().await.is_err() {
                return;
            }
            if pinged.elapsed() > PING {
                pinged = Instant::now();
                if self.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
            if self.until_woken().await.is_err() || !access::still_signed_in(&self.app, &self.headers, &self.caller).await {
                let _ = timeout(Duration::from_secs(1), self.socket.send(Message::Close(None))).await;
                return;
            }
        }
    }

    /// Sends all durable events up to now.
    async fn catch_up(&mut self) -> std::result::Result<(), Over> {
        loop {
            let user = (!self.caller.is_admin()).then_some(self.caller.user_id);
            let page = match events::after(&self.app.pool, &Wanted { user, after: Some(self.after) }, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(error = %error, "no look at the events");
                    return Ok(());
                }
            };
            let last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            for event in page {
                if let Some(point) = event.sequence.as_deref().and_then(parse_sequence) {
                    self.after = point;
                }
                if may_see(&self.caller, &event) {
                    self.send_event(&event).await?;
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Passes progress on until there may be a durable event.
    async fn until_woken(&mut self) -> std::result::Result<(), Over> {
        let look = Instant::now() + LOOK;
        loop {
            tokio::select! {
                live = self.messages.recv() => match live {
                    Ok(live) if live.user_id == self.caller.user_id || self.caller.is_admin() => match &live.progress {
                        // Progress does not say which connection it is about.
                        Some(_) if self.caller.is_limited() => {}
                        Some(event) => { let event = event.clone(); self.send_event(&event).await?; }
                        None => return Ok(()),
                    },
                    Ok(_) => {}
                    Err(RecvError::Lagged(count)) => {
                        self.send(Message::Text(json!({ "type": "events_lost", "count": count }).to_string().into())).await?;
                        return Ok(());
                    }
                    Err(RecvError::Closed) => return Err(Over),
                },
                received = self.socket.recv() => match received {
                    // What a client says is not asked for; a pong is answered by the library.
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Over),
                    Some(Ok(_)) => {}
                },
                () = tokio::time::sleep_until(look) => return Ok(()),
                () = self.app.stopping.cancelled() => return Err(Over),
            }
        }
    }

    async fn send_event(&mut self, event: &Event) -> std::result::Result<(), Over> {
        let text = serde_json::to_string(event).map_err(|_| Over)?;
        self.send(Message::Text(Utf8Bytes::from(text))).await
    }

    async fn send(&mut self, message: Message) -> std::result::Result<(), Over> {
        match timeout(SLOWEST, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}
