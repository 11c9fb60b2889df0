//! The HTTP contract, call by call: who may, what is refused and how, what is kept.

mod admission;
mod api_keys;
mod asking;
mod audit_logs;
mod audited;
mod bodies;
mod browsers;
mod cancel_many;
mod connections;
mod dead_jobs;
mod files;
mod first_admin;
mod hostile;
mod limited_keys;
mod limits;
mod lists;
mod masks;
mod operation;
mod owners;
mod passwords;
mod permissions;
mod queues;
mod repeats;
mod sessions;
mod settings;
mod sharing;
mod sign_ins;
mod slow_heads;
mod slow_readers;
mod sockets;
mod streams;
mod throttle;
mod users;
mod waiting;
mod workers;

use serde_json::Value;

/// A problem without what differs from request to request.
fn without_request_id(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
    }
    body
}
