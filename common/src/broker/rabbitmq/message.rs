//! A bell as RabbitMQ carries it: a small JSON object with the job's id, kind and trace context.

use serde::Deserialize;
use serde_json::json;

use crate::{broker::Message, store::ledger::Ring};

/// A body longer than this is none of ours, in bytes.
const LONGEST: usize = 4096;

#[derive(Deserialize)]
struct Body {
    j: String,
    k: String,
    t: Option<String>,
}

/// The body of a ring.
pub(super) fn encode(ring: &Ring) -> Vec<u8> {
    let mut body = json!({ "j": ring.job_id.to_string(), "k": ring.kind.as_str() });
    if let Some(traceparent) = &ring.traceparent {
        body["t"] = json!(traceparent);
    }
    body.to_string().into_bytes()
}

/// What a body says; none if it is not ours.
pub(super) fn decode(body: &[u8]) -> Option<Message> {
    if body.len() > LONGEST {
        return None;
    }
    let Body { j, k, t } = serde_json::from_slice(body).ok()?;
    Some(Message { job_id: j.parse().ok()?, kind: k.parse().ok()?, traceparent: t })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::JobId, jobs::JobKind, model::jobs::Lane};

    #[test]
    fn what_was_written_is_read() {
        for traceparent in [None, Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned())] {
            let ring = Ring { job_id: JobId::new(), kind: JobKind::SyncSchema, lane: Lane::Maintenance, traceparent };
            let message = decode(&encode(&ring)).expect("it is ours");
            assert_eq!(message, Message { job_id: ring.job_id, kind: ring.kind, traceparent: ring.traceparent });
        }
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        let id = JobId::new();
        let long = format!(r#"{{"j":"{id}","k":"answer_question","t":"{}"}}"#, "x".repeat(LONGEST));
        let foreign = [
            String::new(),
            "hello".to_owned(),
            "[]".to_owned(),
            r#"{"k":"answer_question"}"#.to_owned(),
            r#"{"j":"no id","k":"answer_question"}"#.to_owned(),
            format!(r#"{{"j":"{id}","k":"paint_the_fence"}}"#),
            format!(r#"{{"j":"{id}","k":7}}"#),
            long,
        ];
        for body in foreign {
            assert_eq!(decode(body.as_bytes()), None, "{body}");
        }
        assert_eq!(decode(&[0xff, 0xfe]), None);
    }
}
