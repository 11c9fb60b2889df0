//! Every event, in one shape for WebSocket, SSE and webhooks: a CloudEvents 1.0 JSON envelope.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::{EventId, UserId},
    jobs::JobKind,
    model::jobs::JobState,
};

/// Where the events come from, for `source`.
pub const SOURCE: &str = "/datagenie";

/// The channel on which workers and apis tell each other that something happened. Only a wake-up: what is true is in PostgreSQL.
pub const LIVE_CHANNEL: &str = "datagenie:live";

/// The channel on which an api tells workers that a job's owner wants it stopped; its net is a look at the row.
pub const CANCEL_CHANNEL: &str = "datagenie:cancel";

/// A sync found another catalogue than the last one did: beside the terminal event of the sync's job, and without a job itself.
pub const CONNECTION_DRIFTED: &str = "connection.drifted";

/// An endpoint was disabled because its target is gone, or has failed for days. Without a job.
pub const WEBHOOK_DISABLED: &str = "webhook.disabled";

/// Sent to one endpoint because its owner wanted to see one. Without a job.
pub const WEBHOOK_TEST: &str = "webhook.test";

/// The types that a webhook may be told of: the durable ones.
pub const WEBHOOK_TYPES: &[&str] = &[
    "question.succeeded",
    "question.failed",
    "question.cancelled",
    "analysis.succeeded",
    "analysis.failed",
    "analysis.cancelled",
    "schema_sync.succeeded",
    "schema_sync.failed",
    "schema_sync.cancelled",
    "batch.completed",
    "batch.cancelled",
    "schedule.fired",
    CONNECTION_DRIFTED,
    WEBHOOK_DISABLED,
];

/// Whether this is what a webhook may ask for: a type, a family of types (`question.*`), or `*` for all.
#[must_use]
pub fn is_webhook_filter(text: &str) -> bool {
    text == "*"
        || WEBHOOK_TYPES.contains(&text)
        || text.strip_suffix('*').is_some_and(|family| family.ends_with('.') && WEBHOOK_TYPES.iter().any(|known| known.starts_with(family)))
}

/// An event as sent to clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `1.0`.
    pub specversion: String,
    /// Unique; the same in every delivery of the event.
    pub id: EventId,
    /// [`SOURCE`].
    pub source: String,
    /// `question.succeeded` and so on.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// The resource's id.
    pub subject: String,
    /// Opaque and ordered; of durable events only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// What happened.
    pub data: Value,
}

/// A place in the order of durable events: the commit's transaction, then the row. [`sequence`] is its text.
pub type Point = (u64, i64);

/// What is published on [`LIVE_CHANNEL`]: a JSON array of these (one alone, not in an array, is heard too).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Live {
    /// Who may see it.
    pub user_id: UserId,
    /// The resource it is about (a question's or connection's id).
    pub subject: String,
    /// A progress event to pass on; none: a durable event was written, look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Event>,
}

/// The type of a job's terminal event, such as `question.succeeded`; none while it runs, and for kinds that tell nothing.
#[must_use]
pub fn terminal_type(kind: JobKind, state: JobState) -> Option<String> {
    (state.is_terminal() && kind.tells_its_end()).then(|| format!("{}.{state}", kind.event_subject()))
}

/// The opaque `sequence` of a durable event: ordered as text by commit's transaction, then by row.
#[must_use]
pub fn sequence(xid: u64, seq: i64) -> String {
    format!("{xid:016x}{seq:016x}")
}

/// Takes a `sequence` apart; none if it is not one of ours.
#[must_use]
pub fn parse_sequence(text: &str) -> Option<Point> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    Some((u64::from_str_radix(&text[..16], 16).ok()?, i64::from_str_radix(&text[16..], 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_types_families_and_all() {
        for known in ["*", "question.*", "question.succeeded", "webhook.disabled", "connection.*"] {
            assert!(is_webhook_filter(known), "{known}");
        }
        for unknown in ["", "question", "question.", "quest*", ".*", "question.started", "webhook.test", "*.succeeded", "question.**"] {
            assert!(!is_webhook_filter(unknown), "{unknown}");
        }
    }

    #[test]
    fn a_delivery_tells_nothing_of_its_own_end() {
        assert_eq!(terminal_type(JobKind::DeliverWebhook, JobState::Failed), None);
        assert_eq!(terminal_type(JobKind::AnswerQuestion, JobState::Failed).as_deref(), Some("question.failed"));
    }

    #[test]
    fn a_sequence_is_ordered_as_text_and_comes_back() {
        let points = [(1, 2), (1, 10), (9, 1), (16, 0), (4_294_967_296, 5)];
        let texts: Vec<String> = points.iter().map(|&(xid, seq)| sequence(xid, seq)).collect();
        assert!(texts.is_sorted());
        assert!(points.iter().zip(&texts).all(|(&point, text)| parse_sequence(text) == Some(point)));
        assert_eq!(parse_sequence("ünicode-of-thirty-two-bytes-long"), None);
        assert_eq!(parse_sequence("12"), None);
    }
}
