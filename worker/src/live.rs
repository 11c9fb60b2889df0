//! Tells readers that something happened: progress (ephemeral) and wake-ups for durable events. Never waited for by a job;
//! when Redis is slow or away, messages are dropped, and readers find durable events by their look each second.

use datagenie_common::{
    cache::Cache,
    clock::Clock,
    events::{Event, LIVE_CHANNEL, Live as Message, SOURCE},
    ids::{EventId, UserId},
    lifecycle,
    store::ledger::finish::Ended,
};
use serde_json::Value;
use tokio::sync::mpsc;

/// Messages that may wait for Redis.
const BACKLOG: usize = 1024;

/// The sending side.
#[derive(Clone)]
pub struct Live {
    queue: mpsc::Sender<String>,
    clock: Clock,
}

impl Live {
    /// Starts the publisher.
    #[must_use]
    pub fn start(cache: Cache, clock: Clock) -> Self {
        let (queue, mut waiting) = mpsc::channel::<String>(BACKLOG);
        lifecycle::spawn("live.publish", async move {
            while let Some(message) = waiting.recv().await {
                cache.publish(LIVE_CHANNEL, &message).await;
            }
        });
        Self { queue, clock }
    }

    fn send(&self, message: &Message) {
        if let Ok(text) = serde_json::to_string(message) {
            // Full: dropped, as said above.
            let _ = self.queue.try_send(text);
        }
    }

    /// Tells how far a job is.
    pub fn progress(&self, user_id: UserId, subject: &str, event_type: &str, data: Value) {
        let event = Event {
            specversion: "1.0".to_owned(),
            id: EventId::new(),
            source: SOURCE.to_owned(),
            event_type: event_type.to_owned(),
            time: self.clock.now(),
            subject: subject.to_owned(),
            sequence: None,
            data,
        };
        self.send(&Message { user_id, subject: subject.to_owned(), progress: Some(event) });
    }

    /// Tells that a durable event was written.
    pub fn ended(&self, ended: &Ended) {
        self.send(&Message { user_id: ended.user_id, subject: ended.subject.clone(), progress: None });
    }
}
