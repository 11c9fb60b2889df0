//! `ETag` and `If-None-Match` (RFC 9110 §13): the tag is a hash of the body, so it changes exactly when the body does.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{ApiError, Code, Result};

/// A JSON answer with its tag, or 304 where the caller has it.
///
/// # Errors
/// If the body can't be serialised.
pub fn etagged(status: StatusCode, headers: &HeaderMap, body: &impl Serialize) -> Result<Response> {
    let (bytes, tag) = tagged(body)?;
    let value = HeaderValue::from_str(&tag).map_err(|error| ApiError::internal(&error))?;
    if status == StatusCode::OK && is_unchanged(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, value)]).into_response());
    }
    let content = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json")), (header::ETAG, value)];
    Ok((status, content, Body::from(bytes)).into_response())
}

fn tagged(body: &impl Serialize) -> Result<(Vec<u8>, String)> {
    let bytes = serde_json::to_vec(body).map_err(|error| ApiError::internal(&error))?;
    let tag = format!("\"{}\"", hex(&Sha256::digest(&bytes)[..12]));
    Ok((bytes, tag))
}

/// Checks that the caller changes what he has seen: that `If-Match`, if he sends it, names this body.
///
/// # Errors
/// 412 where it names another one.
pub fn only_if_match(headers: &HeaderMap, body: &impl Serialize) -> Result<()> {
    let given: Vec<&str> = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok()).collect();
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(());
    }
    let (_, tag) = tagged(body)?;
    if given.iter().flat_map(|text| text.split(',')).any(|given| matches!(given.trim(), "*") || given.trim() == tag) {
        return Ok(());
    }
    Err(ApiError::new(Code::PreconditionFailed, "it has changed since you read it; read it again, and send its ETag in If-Match"))
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
