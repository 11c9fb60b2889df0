//! `GET /v1/events`: a WebSocket with all events that the caller may see. Durable ones come from the hub, and from the database up to
//! where the hub begins: none is skipped, none comes twice.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Error,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    http::{HeaderMap, header},
    response::Response,
};
use datagenie_common::{
    events::{Event, Point, parse_sequence},
    store::events::{self, Wanted},
};
use futures::SinkExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::{Caller, PROTOCOL_PREFIX},
    app::App,
    error::{ApiError, Result},
    extract::Query,
    live::{
        hub::{PATIENCE, Subscription},
        inbox::{About, LONGEST, Signal, envelope},
        sees::Sees,
        signed_in::SignedIn,
    },
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(event_socket)
}

/// Pings that a client may leave unanswered: when the next one is due, it has gone.
const UNANSWERED: u32 = 2;
/// Durable events read at once in a replay: each socket may hold so many.
const PAGE: i64 = 50;
/// Signals taken before a look at what the client says.
const BURST: usize = 64;
/// What a client says is not asked for; more than this at once ends the socket.
const LONGEST_RECEIVED: usize = 4096;
/// Allocated for each socket.
const READ_BUFFER: usize = 512;
/// Events are written together up to this size.
const WRITE_BUFFER: usize = 4096;
/// What may wait to be written: the longest envelope, and what was gathered before it.
const LONGEST_SENT: usize = LONGEST + 2 * WRITE_BUFFER;

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
/// `{"type":"events_lost","count":n}` where so many events were dropped: the durable ones among them follow from the database, and only
/// progress is gone. The socket ends within a second of its session's end, and when its client takes nothing or answers no ping. A key
/// that is limited to some connections gets the durable events of those and of what is asked of none, and no progress. An event of more
/// than 256 KiB comes with what is short of its `data`, and `"cut": true` there.
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
    let replay =
        query.after.as_deref().map(|text| parse_sequence(text).ok_or_else(|| ApiError::field("after", "is not a sequence of ours")));
    let replay = replay.transpose()?;
    let upgrade = upgrade.map_err(|_| ApiError::field("Upgrade", "this is a WebSocket: connect with a WebSocket client"))?;
    // The protocol that was offered is answered, or a browser closes the socket.
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let protocol = offered.split(',').map(str::trim).find(|protocol| protocol.starts_with(PROTOCOL_PREFIX)).map(str::to_owned);
    // The place in the hub is taken first: what is committed after that comes by it, what was before by the replay.
    let sees = Sees::of(&caller);
    let subscription = app.hub.subscribe(sees.whose);
    let signed_in = app.hub.signed_in(&caller);
    let after = match replay {
        Some(after) => after,
        None => events::now(&app.pool).await?,
    };
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(LONGEST_RECEIVED)
        .max_frame_size(LONGEST_RECEIVED)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(LONGEST_SENT);
    let upgrade = match protocol {
        Some(protocol) => upgrade.protocols([protocol]),
        None => upgrade,
    };
    // What holds the request's headers is given up here: they keep a buffer of the connection alive.
    Ok(upgrade.on_upgrade(move |socket| {
        let ping_at = Instant::now() + ping_interval(&app);
        Reader { app, sees, signed_in, subscription, after, replay: None, ping_at, unanswered: 0, socket }.run()
    }))
}

fn ping_interval(app: &App) -> Duration {
    app.settings.api.slow_client() * 2
}

/// An open socket. It holds little: there may be thousands.
struct Reader {
    app: App,
    sees: Sees,
    signed_in: Arc<SignedIn>,
    subscription: Subscription,
    /// Every durable event up to here was sent.
    after: Point,
    /// What is to be read from the database before anything more is taken from the hub.
    replay: Option<Replay>,
    ping_at: Instant,
    /// Pings since the client was last heard of.
    unanswered: u32,
    socket: WebSocket,
}

#[derive(Clone, Copy)]
struct Replay {
    /// The hub has what comes after this.
    until: Point,
    /// Not before; later where the database is away.
    at: Instant,
}

/// Why the socket is over.
enum Over {
    /// The client has gone, or does not read.
    Gone,
    /// Its session or key has ended.
    SignedOut,
    /// The api stops.
    Stopping,
}

impl Reader {
    async fn run(mut self) {
        let over = loop {
            if let Err(over) = self.turn().await {
                break over;
            }
        };
        let frame = match over {
            Over::Stopping => {
                Some(CloseFrame { code: close_code::RESTART, reason: Utf8Bytes::from_static("the service restarts: come back with after") })
            }
            Over::Gone | Over::SignedOut => None,
        };
        let _ = timeout(Duration::from_secs(1), self.socket.send(Message::Close(frame))).await;
    }

    /// Waits for something to do, and does it.
    async fn turn(&mut self) -> std::result::Result<(), Over> {
        let wake = self.replay.map_or(self.ping_at, |replay| replay.at.min(self.ping_at));
        let signal = tokio::select! {
            // First whether there may be more at all, then what the client says: a pong that waits to be read counts before the next ping.
            biased;
            () = self.signed_in.ended() => return Err(Over::SignedOut),
            () = self.app.stopping.cancelled() => return Err(Over::Stopping),
            received = self.socket.recv() => {
                heard(received, &mut self.unanswered)?;
                None
            }
            signal = self.subscription.next(), if self.replay.is_none() => Some(signal),
            () = sleep_until(wake) => None,
        };
        if let Some(signal) = signal {
            self.handle(signal).await?;
        }
        for _ in 0..BURST {
            if self.replay.is_some() {
                break;
            }
            let Some(signal) = self.subscription.take() else { break };
            self.handle(signal).await?;
        }
        if let Some(replay) = self.replay
            && replay.at <= Instant::now()
        {
            // Boxed, since it is large and mostly not under way.
            Box::pin(self.catch_up(replay.until)).await?;
        }
        if self.ping_at <= Instant::now() {
            if self.unanswered >= UNANSWERED {
                return Err(Over::Gone);
            }
            self.unanswered += 1;
            self.ping_at = Instant::now() + ping_interval(&self.app);
            self.feed(Message::Ping(Vec::new().into())).await?;
        }
        self.flush().await
    }

    async fn handle(&mut self, signal: Signal) -> std::result::Result<(), Over> {
        match signal {
            Signal::Joined(until) => {
                if until > self.after {
                    self.replay = Some(Replay { until, at: Instant::now() });
                }
                Ok(())
            }
            Signal::Told(told) => {
                let seen = match told.point {
                    None => self.sees.progress(),
                    // A replay may have gone further than it had to.
                    Some(point) if point <= self.after => false,
                    Some(point) => {
                        self.after = point;
                        self.sees.durable(told.about)
                    }
                };
                if seen { self.feed(Message::Text(told.text.clone())).await } else { Ok(()) }
            }
            Signal::Lost(count) => {
                self.subscription.join_again();
                self.feed(Message::Text(json!({ "type": "events_lost", "count": count }).to_string().into())).await
            }
            Signal::Look => Ok(()),
        }
    }

    /// Sends a page of the database's durable events. When those at least up to this point have been sent, the replay is over.
    async fn catch_up(&mut self, until: Point) -> std::result::Result<(), Over> {
        let Some(page) = self.page().await? else {
            // The one reader for all has warned of it.
            tracing::debug!("no look at the events");
            self.replay = Some(Replay { until, at: self.subscription.next_look() });
            return Ok(());
        };
        let last = i64::try_from(page.len()).is_ok_and(|count| count < PAGE);
        for event in page {
            if let Some(point) = event.sequence.as_deref().and_then(parse_sequence) {
                self.after = point;
            }
            if self.sees.durable(About::of(&event))
                && let Some(text) = envelope(&event)
            {
                self.feed(Message::Text(text.into())).await?;
            }
        }
        if last {
            self.after = self.after.max(until);
        }
        self.replay = (self.after < until).then(|| Replay { until, at: Instant::now() });
        Ok(())
    }

    /// The next durable events of the database; none if it fails or takes too long. Pings are answered meanwhile.
    async fn page(&mut self) -> std::result::Result<Option<Vec<Event>>, Over> {
        let wanted = Wanted { user: self.sees.user(), after: Some(self.after) };
        let mut looking = pin!(timeout(PATIENCE, events::after(&self.app.pool, &wanted, PAGE)));
        loop {
            tokio::select! {
                biased;
                () = self.signed_in.ended() => return Err(Over::SignedOut),
                () = self.app.stopping.cancelled() => return Err(Over::Stopping),
                page = &mut looking => return Ok(page.ok().and_then(std::result::Result::ok)),
                received = self.socket.recv() => heard(received, &mut self.unanswered)?,
            }
        }
    }

    /// Writes a message, together with later ones if it is short.
    async fn feed(&mut self, message: Message) -> std::result::Result<(), Over> {
        tokio::select! {
            written = timeout(self.app.settings.api.slow_client(), self.socket.feed(message)) => done(written),
            () = self.signed_in.ended() => Err(Over::SignedOut),
            () = self.app.stopping.cancelled() => Err(Over::Stopping),
        }
    }

    async fn flush(&mut self) -> std::result::Result<(), Over> {
        tokio::select! {
            written = timeout(self.app.settings.api.slow_client(), self.socket.flush()) => done(written),
            () = self.signed_in.ended() => Err(Over::SignedOut),
            () = self.app.stopping.cancelled() => Err(Over::Stopping),
        }
    }
}

/// Notes that the client was heard of. A ping is answered by the library.
fn heard(received: Option<std::result::Result<Message, Error>>, unanswered: &mut u32) -> std::result::Result<(), Over> {
    match received {
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Over::Gone),
        Some(Ok(_)) => {
            *unanswered = 0;
            Ok(())
        }
    }
}

fn done(written: std::result::Result<std::result::Result<(), Error>, tokio::time::error::Elapsed>) -> std::result::Result<(), Over> {
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Over::Gone),
    }
}
