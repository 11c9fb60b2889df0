//! What one reader has to take: a bounded queue that notes what it could not hold, so that a slow reader harms only itself.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::extract::ws::Utf8Bytes;
use datagenie_common::{
    events::{CONNECTION_DRIFTED, Event, Point, parse_sequence},
    ids::ConnectionId,
};
use serde_json::{Map, Value};
use tokio::sync::Notify;

/// Events that a reader may be behind. They are shared by all readers.
const CAPACITY: usize = 256;
/// Room that an empty queue keeps.
const KEPT: usize = 8;

/// The longest envelope that is sent whole.
pub(super) const LONGEST: usize = 256 * 1024;
/// What is left of the `data` of a longer one: so many members, each of a text, number or truth of so many characters.
const MEMBERS_LEFT: usize = 32;
const LONGEST_LEFT: usize = 256;

/// An event, written once for all who see it.
pub(super) struct Told {
    /// The CloudEvents envelope.
    pub text: Utf8Bytes,
    /// Its type; holds no line break.
    pub event_type: String,
    /// Where it stands among the durable ones; none: progress.
    pub point: Option<Point>,
    /// Which connection it is about.
    pub about: About,
}

/// Which connection an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// It does not say.
    Unsaid,
    /// None.
    Nothing,
    /// This one.
    Connection(ConnectionId),
    /// This one, and it names tables that not everybody may see.
    Catalogue(ConnectionId),
}

impl About {
    /// What an event says of it: `data.connection_id`, which is null where it is about none.
    pub(super) fn of(event: &Event) -> Self {
        match event.data.get("connection_id") {
            Some(Value::Null) => Self::Nothing,
            Some(Value::String(id)) => {
                let about: fn(ConnectionId) -> Self =
                    if event.event_type == CONNECTION_DRIFTED { Self::Catalogue } else { Self::Connection };
                id.parse().map_or(Self::Unsaid, about)
            }
            _ => Self::Unsaid,
        }
    }
}

impl Told {
    /// A durable event, as it was stored; none if it can't be written.
    pub(super) fn durable(event: &Event) -> Option<Self> {
        let point = event.sequence.as_deref().and_then(parse_sequence)?;
        let text = envelope(event)?;
        Some(Self { text: text.into(), event_type: event.event_type.clone(), point: Some(point), about: About::of(event) })
    }
}

/// The envelope as it is sent on a socket; none if it can't be written. One that is too long keeps only what is short of its `data`,
/// and says so by `"cut": true` there: its reader goes on behind it.
pub(super) fn envelope(event: &Event) -> Option<String> {
    let text = serde_json::to_string(event).ok()?;
    if text.len() <= LONGEST {
        return Some(text);
    }
    let members = event.data.as_object().into_iter().flatten();
    let left = members.filter(|(name, value)| name.len() <= LONGEST_LEFT && is_short(value)).take(MEMBERS_LEFT);
    let mut data: Map<String, Value> = left.map(|(name, value)| (name.clone(), value.clone())).collect();
    data.insert("cut".to_owned(), Value::Bool(true));
    serde_json::to_string(&Event { data: Value::Object(data), ..event.clone() }).ok()
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= LONGEST_LEFT,
        Value::Array(_) | Value::Object(_) => false,
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// What a reader is to do next.
pub(super) enum Signal {
    /// Every durable event after this point will come; those up to it are in the database.
    Joined(Point),
    /// Pass this on.
    Told(Arc<Told>),
    /// So many events did not fit here. No durable event comes before one has joined again.
    Lost(u64),
    /// What is watched may have ended.
    Look,
}

/// A reader's queue.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    ready: Notify,
}

#[derive(Default)]
struct State {
    told: VecDeque<Arc<Told>>,
    /// To be told first of all.
    joined: Option<Point>,
    /// Whether durable events are taken.
    live: bool,
    look: bool,
    /// Since when something did not fit nothing is taken, so that what is taken has no gap.
    lost: u64,
}

impl Inbox {
    /// From this point on durable events come.
    pub(super) fn join(&self, at: Point) {
        let mut state = self.state();
        state.joined = Some(at);
        state.live = true;
        drop(state);
        self.ready.notify_one();
    }

    /// Puts an event in, or counts it as lost.
    pub(super) fn tell(&self, told: &Arc<Told>) {
        let mut state = self.state();
        if told.point.is_some() && !state.live {
            return;
        }
        if state.lost > 0 || state.told.len() >= CAPACITY {
            state.lost += 1;
        } else {
            state.told.push_back(Arc::clone(told));
        }
        drop(state);
        self.ready.notify_one();
    }

    /// What is watched may have ended.
    pub(super) fn look(&self) {
        self.state().look = true;
        self.ready.notify_one();
    }

    /// The next signal, if there is one.
    pub(super) fn take(&self) -> Option<Signal> {
        let mut state = self.state();
        if let Some(point) = state.joined.take() {
            return Some(Signal::Joined(point));
        }
        if let Some(told) = state.told.pop_front() {
            if state.told.is_empty() {
                state.told.shrink_to(KEPT);
            }
            return Some(Signal::Told(told));
        }
        if state.lost > 0 {
            state.live = false;
            return Some(Signal::Lost(std::mem::take(&mut state.lost)));
        }
        std::mem::take(&mut state.look).then_some(Signal::Look)
    }

    /// The next signal. Nothing is lost when the wait is given up.
    pub(super) async fn next(&self) -> Signal {
        loop {
            if let Some(signal) = self.take() {
                return signal;
            }
            self.ready.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn told(point: Option<Point>) -> Arc<Told> {
        Arc::new(Told { text: "{}".into(), event_type: String::new(), point, about: About::Unsaid })
    }

    fn point_of(signal: Option<Signal>) -> Option<Point> {
        match signal {
            Some(Signal::Told(told)) => told.point,
            _ => None,
        }
    }

    #[test]
    fn durable_events_come_once_one_has_joined_and_progress_at_once() {
        let inbox = Inbox::default();
        inbox.tell(&told(Some((1, 1))));
        inbox.tell(&told(None));
        assert!(matches!(inbox.take(), Some(Signal::Told(told)) if told.point.is_none()));
        assert!(inbox.take().is_none());
        inbox.join((1, 1));
        inbox.tell(&told(Some((2, 1))));
        assert!(matches!(inbox.take(), Some(Signal::Joined((1, 1)))));
        assert_eq!(point_of(inbox.take()), Some((2, 1)));
    }

    #[test]
    fn after_the_first_that_does_not_fit_nothing_is_taken_until_one_has_joined_again() {
        let inbox = Inbox::default();
        inbox.join((0, 0));
        assert!(matches!(inbox.take(), Some(Signal::Joined(_))));
        for n in 0..=CAPACITY as u64 {
            inbox.tell(&told(Some((n, 0))));
        }
        assert_eq!(point_of(inbox.take()), Some((0, 0)));
        inbox.tell(&told(Some((9_999, 0))));
        for n in 1..CAPACITY as u64 {
            assert_eq!(point_of(inbox.take()), Some((n, 0)), "what fitted has no gap");
        }
        assert!(matches!(inbox.take(), Some(Signal::Lost(2))));
        inbox.tell(&told(Some((10_000, 0))));
        assert!(inbox.take().is_none(), "it would come after a gap");
        inbox.join((10_000, 0));
        inbox.tell(&told(Some((10_001, 0))));
        assert!(matches!(inbox.take(), Some(Signal::Joined((10_000, 0)))));
        assert_eq!(point_of(inbox.take()), Some((10_001, 0)));
    }

    #[test]
    fn an_envelope_that_is_too_long_keeps_what_is_short() {
        let event = |padding: usize| Event {
            specversion: "1.0".to_owned(),
            id: datagenie_common::ids::EventId::new(),
            source: "/datagenie".to_owned(),
            event_type: "question.failed".to_owned(),
            time: chrono::DateTime::default(),
            subject: "a".to_owned(),
            sequence: Some("0".repeat(32)),
            data: serde_json::json!({ "connection_id": null, "status": "error", "error": { "detail": "x".repeat(padding) } }),
        };
        let read = |event: &Event| serde_json::from_str::<Event>(&envelope(event).expect("it is written")).expect("it is an envelope");
        let (short, long) = (event(10), event(LONGEST));
        assert_eq!(read(&short), short);
        let data = serde_json::json!({ "connection_id": null, "status": "error", "cut": true });
        assert_eq!(read(&long), Event { data, ..long });
    }

    #[test]
    fn one_who_waits_is_woken() {
        let inbox = Inbox::default();
        {
            let mut waiting = std::pin::pin!(inbox.next());
            assert!((&mut waiting).now_or_never().is_none());
            inbox.look();
            assert!(matches!(waiting.now_or_never(), Some(Signal::Look)));
        }
        assert!(inbox.next().now_or_never().is_none(), "once");
    }
}
