//! One subscription to Redis for the whole process, handed on to whoever waits. Only a wake-up: a reader that missed a message finds
//! durable events by its look each second.

use std::sync::Arc;

use datagenie_common::{
    cache::{Cache, Heard},
    events::{LIVE_CHANNEL, Live},
    lifecycle,
};
use futures::StreamExt;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Messages that a slow reader may be behind before it is told that it missed some.
const BACKLOG: usize = 1024;

/// Hands live messages on.
#[derive(Clone)]
pub struct Hub {
    messages: broadcast::Sender<Arc<Live>>,
}

impl Hub {
    /// Starts listening, until `stop`.
    #[must_use]
    pub fn start(cache: &Cache, stop: CancellationToken) -> Self {
        let (messages, _) = broadcast::channel(BACKLOG);
        let hub = Self { messages };
        let (sender, mut incoming) = (hub.messages.clone(), cache.subscribe(vec![LIVE_CHANNEL.to_owned()]));
        lifecycle::spawn("live.listen", async move {
            loop {
                let message = tokio::select! {
                    message = incoming.next() => message,
                    () = stop.cancelled() => return,
                };
                let Some(message) = message else { return };
                // What was published while the connection was away is found by the looks.
                if let Heard::Message { payload, .. } = message
                    && let Ok(live) = serde_json::from_slice::<Live>(payload.as_ref())
                {
                    // No receiver: nobody waits.
                    let _ = sender.send(Arc::new(live));
                }
            }
        });
        hub
    }

    /// Messages from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Live>> {
        self.messages.subscribe()
    }
}
