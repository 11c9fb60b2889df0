//! Tells readers that something happened: progress (ephemeral) and wake-ups for durable events. Never waited for;
//! when Redis is slow or away, messages are dropped, and readers find durable events by their look each second.
//!
//! What has gathered is published in one message, since at a thousand jobs a second a message for each stage of each would be most of
//! the work. Progress is held back for a moment, 15 to 30 ms: what it is overtaken by in that time, a later stage or the end, is told
//! instead of it.

use std::{
    collections::{HashMap, VecDeque},
    future,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    cache::Cache,
    clock::Clock,
    events::{CANCEL_CHANNEL, Event, LIVE_CHANNEL, Live as Message, SOURCE},
    ids::{EventId, JobId, UserId},
    lifecycle,
    store::ledger::finish::Ended,
};

/// What may wait for Redis.
const BACKLOG: usize = 8192;
/// Taken up at once.
const AT_ONCE: usize = 1024;
/// How long progress is held back at most.
const HOLD: Duration = Duration::from_millis(30);
/// Resources of which progress is held back; the oldest goes out sooner beyond that.
const SUBJECTS: usize = 4096;
/// Bytes of one message, unless a single event is longer.
const LONGEST: usize = 200_000;

/// The sending side.
#[derive(Clone)]
pub struct Live {
    queue: mpsc::Sender<Told>,
    clock: Clock,
}

enum Told {
    Progress(Progress),
    Ended(Vec<(UserId, String)>),
    Cancel(JobId),
}

/// A progress event before it is written: most are overtaken and never are.
struct Progress {
    user_id: UserId,
    subject: Arc<str>,
    event_type: String,
    time: DateTime<Utc>,
    data: Value,
}

impl Live {
    /// Starts the publisher.
    #[must_use]
    pub fn start(cache: Cache, clock: Clock) -> Self {
        let (queue, waiting) = mpsc::channel(BACKLOG);
        let cache = Arc::new(cache);
        let publish = move |channel: &'static str, message: Vec<u8>| {
            let cache = Arc::clone(&cache);
            async move {
                cache.publish(channel, message).await;
            }
        };
        lifecycle::spawn("live.publish", run(waiting, publish));
        Self { queue, clock }
    }

    fn send(&self, told: Told) {
        // Full: dropped, as said above.
        let _ = self.queue.try_send(told);
    }

    /// Tells how far a job is. It may be held back for up to 30 ms, and dropped for what overtakes it.
    pub fn progress(&self, user_id: UserId, subject: &str, event_type: &str, data: Value) {
        let (subject, event_type) = (Arc::from(subject), event_type.to_owned());
        self.send(Told::Progress(Progress { user_id, subject, event_type, time: self.clock.now(), data }));
    }

    /// Tells the workers that a running job is wanted stopped. The flag on its row is what counts.
    pub fn cancel(&self, job: JobId) {
        self.send(Told::Cancel(job));
    }

    /// Tells that a durable event was written.
    pub fn ended(&self, ended: &Ended) {
        self.ended_many(std::slice::from_ref(ended));
    }

    /// Tells that durable events were written, in one go.
    pub fn ended_many(&self, ended: &[Ended]) {
        if !ended.is_empty() {
            self.send(Told::Ended(ended.iter().map(|one| (one.user_id, one.subject.clone())).collect()));
        }
    }
}

/// Publishes until all senders are gone, and then what is left. While one message is on its way, the next one gathers.
async fn run<S, F>(mut waiting: mpsc::Receiver<Told>, mut publish: S)
where
    S: FnMut(&'static str, Vec<u8>) -> F,
    F: Future<Output = ()>,
{
    let mut outbox = Outbox::default();
    let mut arrived = Vec::new();
    loop {
        let due = outbox.due.front().map(|(due, _)| *due);
        let open = tokio::select! {
            count = waiting.recv_many(&mut arrived, AT_ONCE) => count > 0,
            () = until(due) => true,
        };
        let now = Instant::now();
        for told in arrived.drain(..) {
            outbox.take(told, now);
        }
        outbox.release(open.then_some(now));
        while let Some((channel, message)) = outbox.next() {
            publish(channel, message).await;
        }
        if !open {
            return;
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}

/// What is held back, and what goes out next.
#[derive(Default)]
struct Outbox {
    held: HashMap<Arc<str>, Vec<Progress>>,
    /// When what is held of a resource goes out; oldest first. What has gone out before, since it was overtaken, is still named.
    due: VecDeque<(Instant, Arc<str>)>,
    /// An array that is being written: `[`, then messages.
    batch: Vec<u8>,
    ready: VecDeque<(&'static str, Vec<u8>)>,
}

impl Outbox {
    fn take(&mut self, told: Told, now: Instant) {
        match told {
            Told::Progress(progress) => self.hold(progress, now),
            Told::Ended(ended) => {
                for (user_id, subject) in ended {
                    self.held.remove(subject.as_str());
                    self.write(&Message { user_id, subject, progress: None });
                }
            }
            Told::Cancel(job) => self.ready.push_back((CANCEL_CHANNEL, job.to_string().into_bytes())),
        }
    }

    fn hold(&mut self, progress: Progress, now: Instant) {
        if let Some(held) = self.held.get_mut(&*progress.subject) {
            held.retain(|earlier| earlier.event_type != progress.event_type);
            held.push(progress);
            return;
        }
        // The oldest that is named may have ended and be held no more: then nothing goes out by it.
        while self.held.len() >= SUBJECTS {
            self.release_oldest();
        }
        let subject = Arc::clone(&progress.subject);
        self.due.push_back((now + HOLD, Arc::clone(&subject)));
        self.held.insert(subject, vec![progress]);
    }

    /// Lets out what is due now, and with it what soon will be: so busy processes publish fewer messages. None: everything.
    fn release(&mut self, now: Option<Instant>) {
        let is_due = |due: &VecDeque<(Instant, Arc<str>)>, upto: Option<Instant>| {
            due.front().is_some_and(|(due, _)| upto.is_none_or(|upto| *due <= upto))
        };
        if !is_due(&self.due, now) {
            return;
        }
        let upto = now.map(|now| now + HOLD / 2);
        while is_due(&self.due, upto) {
            self.release_oldest();
        }
    }

    fn release_oldest(&mut self) {
        let Some((_, subject)) = self.due.pop_front() else { return };
        for progress in self.held.remove(&*subject).into_iter().flatten() {
            let subject = progress.subject.to_string();
            let event = Event {
                specversion: "1.0".to_owned(),
                id: EventId::new(),
                source: SOURCE.to_owned(),
                event_type: progress.event_type,
                time: progress.time,
                subject: subject.clone(),
                sequence: None,
                data: progress.data,
            };
            self.write(&Message { user_id: progress.user_id, subject, progress: Some(event) });
        }
    }

    fn write(&mut self, message: &Message) {
        let start = self.batch.len();
        self.batch.push(if start == 0 { b'[' } else { b',' });
        if serde_json::to_writer(&mut self.batch, message).is_err() {
            self.batch.truncate(start);
        } else if start > 0 && self.batch.len() > LONGEST {
            let mut next = self.batch.split_off(start);
            next[0] = b'[';
            self.seal();
            self.batch = next;
        }
    }

    fn seal(&mut self) {
        if !self.batch.is_empty() {
            self.batch.push(b']');
            self.ready.push_back((LIVE_CHANNEL, std::mem::take(&mut self.batch)));
        }
    }

    fn next(&mut self) -> Option<(&'static str, Vec<u8>)> {
        self.seal();
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests;
