//! What an operation uses up, and out of which buckets it is taken.

use axum::http::{HeaderMap, Method, header};
use datagenie_common::{
    ids::{ApiKeyId, UserId},
    model::limits::{LimitChanges, UserLimits},
};

use super::{DAY, buckets::Take};
use crate::access::{Caller, Via};

const MINUTE: u32 = 60;
const HOUR: u32 = 3_600;
const MIB: u64 = 1_048_576;
/// What an upload takes whose request does not say how long it is, until it has arrived: no limit is less.
pub const UNSAID: u64 = MIB;

/// What an operation uses up besides being a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Use {
    /// Nothing more.
    Nothing,
    /// So many questions.
    Questions(u64),
    /// A file of so many bytes, as the request says; else of [`UNSAID`].
    Upload(u64),
}

impl Use {
    /// Of an operation, by its route.
    pub fn of(method: &Method, route: &str, headers: &HeaderMap) -> Self {
        if method != Method::POST {
            return Self::Nothing;
        }
        match route {
            "/v1/questions" | "/v1/questions/{id}/rerun" | "/v1/jobs/{id}/retry" | "/v1/schedules/{id}/run" => Self::Questions(1),
            "/v1/files" => {
                let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
                Self::Upload(length.unwrap_or(UNSAID))
            }
            _ => Self::Nothing,
        }
    }
}

/// The key that a caller comes by.
pub fn key_of(caller: &Caller) -> Option<ApiKeyId> {
    match &caller.via {
        Via::ApiKey { id, .. } => Some(*id),
        Via::Session(_) => None,
    }
}

/// What is taken out of which buckets: of the user, and of the key that he comes by. `requests`: how many it counts as.
pub fn takes(caller: &Caller, user: &UserLimits, key: &LimitChanges, using: Use, requests: f64) -> Vec<Take> {
    let mut takes = user_takes(caller.user_id, user, using, requests);
    if let Some(id) = key_of(caller) {
        takes.extend(key_takes(caller.user_id, id, key, using, requests));
    }
    takes
}

/// The buckets of a user.
pub fn user_takes(user: UserId, limits: &UserLimits, using: Use, requests: f64) -> Vec<Take> {
    let names = ["requests", "questions", "uploads", "upload-bytes"];
    of_limits(limits, using, requests, names).map(|(kind, take)| Take { bucket: format!("{{{user}}}:{kind}"), ..take }).collect()
}

/// The buckets of a key. It has no limits but its own: what else holds is its owner's, and counted there.
pub fn key_takes(user: UserId, key: ApiKeyId, limits: &LimitChanges, using: Use, requests: f64) -> Vec<Take> {
    let names = ["key-requests", "key-questions", "key-uploads", "key-upload-bytes"];
    let limits = UserLimits::default().changed(limits);
    of_limits(&limits, using, requests, names).map(|(kind, take)| Take { bucket: format!("{{{user}}}:{key}:{kind}"), ..take }).collect()
}

#[expect(clippy::cast_precision_loss, reason = "questions and bytes of a request are far below 2^52")]
fn of_limits(limits: &UserLimits, using: Use, requests: f64, names: [&'static str; 4]) -> impl Iterator<Item = (&'static str, Take)> {
    let [in_requests, in_questions, in_uploads, in_bytes] = names;
    let (questions, uploads, bytes) = match using {
        Use::Nothing => (None, None, None),
        Use::Questions(count) => (Some(count as f64), None, None),
        Use::Upload(bytes) => (None, Some(1.0), Some(bytes as f64)),
    };
    [
        ("requests", in_requests, limits.requests_per_minute, MINUTE, Some(requests)),
        ("questions", in_questions, limits.questions_per_hour, HOUR, questions),
        ("uploads", in_uploads, limits.uploads_per_hour, HOUR, uploads),
        ("bytes", in_bytes, limits.upload_mb_per_day.saturating_mul(MIB), DAY, bytes),
    ]
    .into_iter()
    .filter(|(_, _, quota, _, _)| *quota > 0)
    .filter_map(|(kind, name, quota, window, amount)| {
        Some((kind, Take { name, bucket: String::new(), quota, window, amount: amount?, is_owed: false }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(takes: &[Take]) -> Vec<&'static str> {
        takes.iter().map(|take| take.name).collect()
    }

    #[test]
    fn only_limits_that_there_are_cost_anything() {
        let user = UserId::new();
        let none = UserLimits::default();
        assert!(user_takes(user, &none, Use::Questions(1), 1.0).is_empty());
        let some = UserLimits { requests_per_minute: 60, questions_per_hour: 5, uploads_per_hour: 2, upload_mb_per_day: 1, ..none };
        for (using, expected) in [
            (Use::Nothing, &["requests"][..]),
            (Use::Questions(1), &["requests", "questions"]),
            (Use::Upload(7), &["requests", "uploads", "upload-bytes"]),
        ] {
            assert_eq!(names(&user_takes(user, &some, using, 1.0)), expected);
        }
    }

    #[test]
    fn a_key_counts_for_itself_besides_its_owner_in_the_same_slot() {
        let (user, key) = (UserId::new(), ApiKeyId::new());
        let limits = LimitChanges { questions_per_hour: Some(3), ..LimitChanges::default() };
        let takes = key_takes(user, key, &limits, Use::Questions(1), 1.0);
        assert_eq!(names(&takes), ["key-questions"]);
        assert!(takes[0].bucket.starts_with(&format!("{{{user}}}:{key}:")));
    }

    #[test]
    fn what_an_operation_uses_is_known_by_its_route() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, 512.into());
        assert_eq!(
            Use::of(&Method::POST, "/v1/files", &HeaderMap::new()),
            Use::Upload(MIB),
            "of chunks nobody knows how many bytes they are"
        );
        for (method, route, expected) in [
            (Method::POST, "/v1/questions", Use::Questions(1)),
            (Method::GET, "/v1/questions", Use::Nothing),
            (Method::POST, "/v1/files", Use::Upload(512)),
            (Method::POST, "/v1/connections", Use::Nothing),
        ] {
            assert_eq!(Use::of(&method, route, &headers), expected, "{method} {route}");
        }
    }
}
