//! How limits are told: `RateLimit-Policy` and `RateLimit`, as the IETF draft of RateLimit header fields has them.

use std::{fmt::Write, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::buckets::{Level, Take};
use crate::error::ApiError;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEVEL: HeaderName = HeaderName::from_static("ratelimit");

/// Limits that hold for a request, and what is left of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    policies: String,
    levels: String,
}

impl Told {
    /// Of buckets as they stand.
    #[must_use]
    pub fn of(takes: &[Take], levels: &[Level]) -> Self {
        let mut told = Self::default();
        for (take, level) in takes.iter().zip(levels) {
            let unit = if take.name.ends_with("bytes") { ";qu=\"content-bytes\"" } else { "" };
            told.add(format_args!("\"{}\";q={};w={}{unit}", take.name, take.quota, take.window), take.name, level.left, level.more_in);
        }
        told
    }

    /// Adds a limit of another kind.
    pub fn add(&mut self, policy: std::fmt::Arguments<'_>, name: &str, left: u64, more_in: Duration) {
        let comma = if self.policies.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(self.policies, "{comma}{policy}");
        let _ = write!(self.levels, "{comma}\"{name}\";r={left};t={}", seconds(more_in));
    }

    /// Adds those of another one.
    pub fn join(&mut self, other: Self) {
        for (mine, more) in [(&mut self.policies, other.policies), (&mut self.levels, other.levels)] {
            if !mine.is_empty() && !more.is_empty() {
                mine.push_str(", ");
            }
            mine.push_str(&more);
        }
    }

    /// With these limits told, as both headers have them.
    #[must_use]
    pub fn with(self, error: ApiError) -> ApiError {
        if self.policies.is_empty() { error } else { error.told(self.policies, self.levels) }
    }

    /// Adds them to those that an answer tells already.
    pub fn put(&self, headers: &mut HeaderMap) {
        if self.policies.is_empty() {
            return;
        }
        for (name, text) in [(POLICY, &self.policies), (LEVEL, &self.levels)] {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.append(name, value);
            }
        }
    }
}

/// Whole seconds, up: who comes back then does not come too soon.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_name_each_limit_in_the_same_order() {
        let take = |name, quota, window| Take { name, bucket: String::new(), quota, window, amount: 1.0, is_owed: false };
        let levels = [(59, 1_001), (0, 200)].map(|(left, more_in)| Level { left, more_in: Duration::from_millis(more_in) });
        let told = Told::of(&[take("requests", 60, 60), take("upload-bytes", 1_048_576, 86_400)], &levels);
        let mut headers = HeaderMap::new();
        told.put(&mut headers);
        assert_eq!(headers["ratelimit-policy"], r#""requests";q=60;w=60, "upload-bytes";q=1048576;w=86400;qu="content-bytes""#);
        assert_eq!(headers["ratelimit"], r#""requests";r=59;t=2, "upload-bytes";r=0;t=1"#);
        let mut none = HeaderMap::new();
        Told::default().put(&mut none);
        assert!(none.is_empty(), "where no limit holds, nothing is told");
    }
}
