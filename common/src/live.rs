//! Tells readers that something happened: progress (ephemeral) and wake-ups for durable events. Never waited for;
//! when Redis is slow or away, messages are dropped, and readers find durable events by their look each second.

use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    cache::Cache,
    clock::Clock,
    events::{CANCEL_CHANNEL, Event, LIVE_CHANNEL, Live as Message, SOURCE},
    ids::{EventId, JobId, UserId},
    lifecycle,
    store::ledger::finish::Ended,
};

/// Messages that may wait for Redis.
const BACKLOG: usize = 1024;

/// The sending side.
#[derive(Clone)]
pub struct Live {
    queue: mpsc::Sender<(&'static str, String)>,
    clock: Clock,
}

impl Live {
    /// Starts the publisher.
    #[must_use]
    pub fn start(cache: Cache, clock: Clock) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(&'static str, String)>(BACKLOG);
        lifecycle::spawn("live.publish", async move {
            while let Some((channel, message)) = waiting.recv().await {
                cache.publish(channel, &message).await;
            }
        });
        Self { queue, clock }
    }

    fn send(&self, message: &Message) {
        if let Ok(text) = serde_json::to_string(message) {
            // Full: dropped, as said above.
            let _ = self.queue.try_send((LIVE_CHANNEL, text));
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

    /// Tells the workers that a running job is wanted stopped. The flag on its row is what counts.
    pub fn cancel(&self, job: JobId) {
        let _ = self.queue.try_send((CANCEL_CHANNEL, job.to_string()));
    }

    /// Tells that a durable event was written.
    pub fn ended(&self, ended: &Ended) {
        self.send(&Message { user_id: ended.user_id, subject: ended.subject.clone(), progress: None });
    }
}
