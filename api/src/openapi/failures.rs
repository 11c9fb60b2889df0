//! How operations fail: one response for each status, made of the table of codes, and which of them an operation may give.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::Code;

/// Where an example stands for a request.
const REQUEST: &str = "0198c0de-0000-7000-8000-0000000000ff";

/// One response for each status that a code has, with its codes and an example of each.
pub fn responses() -> Value {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for &code in Code::ALL {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    by_status.into_iter().map(|(status, codes)| (name(status), response(status, &codes))).collect::<serde_json::Map<_, _>>().into()
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}

fn response(status: u16, codes: &[Code]) -> Value {
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let titles: Vec<String> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
    let examples: serde_json::Map<String, Value> =
        codes.iter().map(|&code| (code.as_str().to_owned(), json!({ "value": example(code) }))).collect();
    let schema = json!({
        "allOf": [
            { "$ref": "#/components/schemas/Problem" },
            { "type": "object", "properties": { "status": { "const": status }, "code": { "enum": words } } },
        ],
    });
    json!({
        "description": titles.join("; "),
        "content": { "application/problem+json": { "schema": schema, "examples": examples } },
    })
}

fn example(code: Code) -> Value {
    let errors = match code {
        Code::InvalidRequest => json!([{ "field": "name", "message": "must have 1 to 100 characters" }]),
        _ => json!([]),
    };
    json!({
        "type": format!("urn:datagenie:problem:{}", code.as_str()), "title": code.title(), "status": code.status().as_u16(),
        "detail": code.title(), "code": code.as_str(), "request_id": REQUEST, "retryable": code.retryable(), "errors": errors,
    })
}

/// Adds to an operation what it may fail with beside what it says itself, and makes all of that refer to the common responses.
pub fn complete(operation: &mut Value, method: &str) {
    let expected = expected(operation, method);
    let responses = &mut operation["responses"];
    for (status, description) in expected {
        if responses[status].is_null() {
            responses[status] = json!({ "description": description });
        }
    }
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        let is_problem = response["content"].as_object().is_none_or(|content| content.contains_key("application/problem+json"));
        if let Ok(status @ 400..) = status.parse::<u16>()
            && is_problem
        {
            *response = json!({ "$ref": format!("#/components/responses/{}", name(status)), "description": response["description"] });
        }
    }
}

fn expected(operation: &Value, method: &str) -> Vec<(&'static str, &'static str)> {
    let is_health = operation["tags"][0] == "operation" && operation["security"] == json!([]);
    if is_health {
        return Vec::new();
    }
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    let mut failures = vec![
        ("429", "Too much at once; `Retry-After` says when to try again"),
        ("500", "A fault of ours; the log says more, by the request id"),
        ("503", "Something that the service needs is away"),
    ];
    if operation["security"] != json!([]) {
        failures.extend([("401", "Not signed in"), ("403", "Signed in, and not allowed")]);
    }
    if parameters().any(|parameter| parameter["in"] == "path") {
        failures.push(("404", "Unknown, or not the caller's"));
    }
    if parameters().next().is_some() || method != "get" {
        failures.push(("422", "A value is missing or can't be taken"));
    }
    if method != "get" {
        failures.extend([
            ("400", "The body is not what its Content-Type says, or broke off"),
            ("409", "The state forbids it, or the first request with the same Idempotency-Key is still being taken in"),
            ("408", "The body did not arrive in time"),
            ("413", "The body is too large"),
        ]);
    }
    if operation["requestBody"].is_object() {
        failures.push(("415", "The Content-Type can't be taken"));
    }
    failures
}
