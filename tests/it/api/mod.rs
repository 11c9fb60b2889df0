//! The HTTP contract, call by call: who may, what is refused and how, what is kept.

mod api_keys;
mod asking;
mod bodies;
mod connections;
mod limited_keys;
mod lists;
mod operation;
mod owners;
mod permissions;
mod repeats;
mod sessions;
mod streams;
mod users;
mod waiting;

use serde_json::Value;

/// A problem without what differs from request to request.
fn without_request_id(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    body
}
