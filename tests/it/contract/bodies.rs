//! A valid request for an operation: its path with real things, and the document's own example as its body.

use datagenie_tests::{Client, Reply};
use reqwest::RequestBuilder;
use serde_json::Value;

use super::{
    Operation,
    things::{EXAMPLES, Things, filled},
};

const BOUNDARY: &str = "----of-the-contract";

/// A form of these parts (what stands behind `form-data; ` and the content): its Content-Type and itself.
pub fn form(parts: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// The example of its body with real things in place of the example's ids.
///
/// # Panics
/// If the document has no example.
pub fn body(operation: &Operation, things: &Things) -> Option<(String, Value)> {
    let (media_type, example) = operation.body()?;
    assert!(!example.is_null(), "{}: its body has no example in api/src/openapi/examples.json", operation.id);
    let mut text = example.to_string();
    for (example, name) in EXAMPLES {
        if let Some(thing) = things.get(name) {
            text = text.replace(example, thing);
        }
    }
    Some((media_type, serde_json::from_str(&text).expect("an id in place of an id leaves it JSON")))
}

/// The request as somebody sends it.
pub fn request(client: &Client, operation: &Operation, things: &Things) -> RequestBuilder {
    let request = client.request(operation.method.clone(), filled(&operation.path, things));
    let Some((media_type, body)) = body(operation, things) else { return request };
    match media_type.as_str() {
        "multipart/form-data" => {
            let parts: Vec<(String, Vec<u8>)> = body
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| match value {
                    Value::String(text) => (format!("name=\"{name}\"; filename=\"{name}.csv\""), text.clone().into_bytes()),
                    other => (format!("name=\"{name}\""), other.to_string().into_bytes()),
                })
                .collect();
            let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
            let (content_type, body) = form(&parts);
            request.header("content-type", content_type).body(body)
        }
        "application/jsonl" => request.header("content-type", media_type).body(body.as_str().unwrap_or_default().to_owned()),
        _ => request.json(&body),
    }
}

/// Sends it, and reads the answer; of one that goes on for ever (events) only its head.
pub async fn send(client: &Client, operation: &Operation, things: &Things) -> Reply {
    let response = request(client, operation, things).send().await.expect("the api answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let is_endless = headers.get("content-type").is_some_and(|value| value == "text/event-stream");
    let bytes = if is_endless { Vec::new() } else { response.bytes().await.expect("the answer is whole").to_vec() };
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Reply { status, headers, body, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
}
