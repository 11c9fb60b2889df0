//! One subscription to Redis for the whole process. Only a wake-up: what it misses, the looks each second find.

use std::borrow::Cow;

use datagenie_common::{
    cache::{self, Cache},
    events::{Event, LIVE_CHANNEL},
    ids::UserId,
};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::{
    hub::Hub,
    inbox::{About, LONGEST, Told},
};

/// Hands on what is published, until `stop`.
pub(super) async fn run(hub: Hub, cache: Cache, stop: CancellationToken) {
    let mut incoming = cache.subscribe(vec![LIVE_CHANNEL.to_owned()]);
    loop {
        let message = tokio::select! {
            message = incoming.next() => message,
            () = stop.cancelled() => return,
        };
        match message {
            Some(cache::Heard::Message { payload, .. }) => hear(&hub, &payload),
            // What was published while the connection was away is lost.
            Some(cache::Heard::Connected) => hub.wake_tail(),
            None => return,
        }
    }
}

/// A [`Live`](datagenie_common::events::Live) message of which the event is read only if somebody wants it.
#[derive(Deserialize)]
struct Heard<'a> {
    user_id: UserId,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow, default)]
    progress: Option<&'a RawValue>,
}

/// Hands on an array of messages, or one alone; what is neither was not sent by one of us.
fn hear(hub: &Hub, payload: &[u8]) {
    if hub.is_idle() {
        return;
    }
    for heard in decode(payload) {
        match heard.progress {
            None => hub.ended(heard.user_id, &heard.subject),
            Some(event) => {
                if hub.wants_progress(heard.user_id, &heard.subject)
                    && let Some(told) = progress(event)
                {
                    hub.tell_progress(heard.user_id, &heard.subject, told);
                }
            }
        }
    }
}

fn decode(payload: &[u8]) -> Vec<Heard<'_>> {
    if payload.first() == Some(&b'[') {
        return serde_json::from_slice(payload).unwrap_or_default();
    }
    serde_json::from_slice(payload).map(|heard| vec![heard]).unwrap_or_default()
}

/// The event is passed on as it came, if it is one: a newer worker may say more than is known here.
fn progress(raw: &RawValue) -> Option<Told> {
    if raw.get().len() > LONGEST {
        return None;
    }
    let event: Event = serde_json::from_str(raw.get()).ok()?;
    // A line break would end a field of a server-sent event.
    if event.sequence.is_some() || event.event_type.contains(['\n', '\r']) {
        return None;
    }
    Some(Told { text: raw.get().into(), about: About::of(&event), event_type: event.event_type, point: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"user_id":"00000000-0000-0000-0000-000000000001","subject":"a"}"#;

    #[test]
    fn an_array_is_heard_and_one_alone_and_nothing_else() {
        let subjects = |text: &str| decode(text.as_bytes()).into_iter().map(|heard| heard.subject.into_owned()).collect::<Vec<_>>();
        assert_eq!(subjects(ONE), ["a"]);
        assert_eq!(subjects(&format!("[{ONE},{ONE}]")), ["a", "a"]);
        for strange in ["", "[", "nonsense", "{}", "[{}]", "7"] {
            assert_eq!(subjects(strange), [""; 0], "{strange}");
        }
    }

    #[test]
    fn progress_is_passed_on_as_it_came_and_what_is_none_is_not() {
        let id = "00000000-0000-0000-0000-000000000002";
        let event = |kind: &str, more: &str| {
            format!(
                r#"{{"specversion":"1.0","id":"{id}","source":"/datagenie","type":"{kind}","time":"2026-01-01T00:00:00Z","subject":"a","data":{{}}{more}}}"#
            )
        };
        let told = |text: String| progress(&RawValue::from_string(text).expect("it is JSON"));
        let newer = event("question.progress", r#","newer":1"#);
        let passed = told(newer.clone()).expect("it is an event");
        assert_eq!((passed.text.as_str(), passed.event_type.as_str()), (newer.as_str(), "question.progress"));
        assert!(told(event("question.succeeded", r#","sequence":"00000000000000010000000000000001""#)).is_none(), "only we tell of ends");
        assert!(told(event(r"a\nb", "")).is_none());
        assert!(told("7".to_owned()).is_none());
    }
}
