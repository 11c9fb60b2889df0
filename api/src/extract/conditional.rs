//! `ETag` and `If-None-Match` (RFC 9110 §13): the tag is a hash of the body, so it changes exactly when the body does.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{ApiError, Result};

/// A JSON answer with its tag, or 304 where the caller has it.
///
/// # Errors
/// If the body can't be serialised.
pub fn etagged(status: StatusCode, headers: &HeaderMap, body: &impl Serialize) -> Result<Response> {
    let bytes = serde_json::to_vec(body).map_err(|error| ApiError::internal(&error))?;
    let tag = format!("\"{}\"", hex(&Sha256::digest(&bytes)[..12]));
    let value = HeaderValue::from_str(&tag).map_err(|error| ApiError::internal(&error))?;
    if status == StatusCode::OK && is_unchanged(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, value)]).into_response());
    }
    let content = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json")), (header::ETAG, value)];
    Ok((status, content, Body::from(bytes)).into_response())
}

/// Whether the caller has what this tag names.
#[must_use]
pub fn is_unchanged(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .any(|given| matches!(given.trim(), "*") || given.trim().trim_start_matches("W/") == tag)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
