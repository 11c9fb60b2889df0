//! `Prefer: wait=30` (RFC 7240): hold the request until the work ends or the time is up.

use std::{convert::Infallible, time::Duration};

use axum::{extract::FromRequestParts, http::request::Parts};

/// How long the caller is ready to wait; zero: not at all. To be capped by `limits.max_wait_seconds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Infallible;

    // A preference that can't be understood is ignored, as the RFC says.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let seconds = parts
            .headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split([',', ';']))
            .filter_map(|preference| preference.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
            .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse::<u32>().ok());
        Ok(Self(Duration::from_secs(seconds.unwrap_or_default().into())))
    }
}
