//! Headers: described once, and told of every response that has them; and what header parameters look like.

use serde_json::{Value, json};

/// Every header that answers have.
pub fn components() -> Value {
    json!({
        "X-Request-Id": {
            "description": "The request's id: the one that was sent where that is a UUID, else a new one. Logs, problems and the audit log name it.",
            "required": true, "schema": { "type": "string", "format": "uuid" }, "example": "0198c0de-0000-7000-8000-0000000000ff",
        },
        "ETag": {
            "description": "Names this state; `If-None-Match` with it gives 304 while it lasts.",
            "required": false, "schema": { "type": "string", "pattern": "^\"[0-9a-f]{24}\"$" }, "example": "\"0f1e2d3c4b5a69788796a5b4\"",
        },
        "Location": {
            "description": "The path of the resource.",
            "required": true, "schema": { "type": "string", "format": "uri-reference", "pattern": "^/v1/" },
            "example": "/v1/questions/0198c0de-0000-7000-8000-000000000003",
        },
        "Retry-After": {
            "description": "Seconds until it is worth to look or try again.",
            "required": false, "schema": { "type": "integer", "minimum": 0 }, "example": 1,
        },
        "RateLimit": {
            "description": "What is left of the limit that is nearest to its end, and when it is whole again: `\"name\";r=left;t=seconds` \
                (the IETF draft of RateLimit header fields).",
            "required": false, "schema": { "type": "string" }, "example": "\"requests\";r=0;t=12",
        },
        "RateLimit-Policy": {
            "description": "The limits that hold: `\"name\";q=quota;w=seconds`.",
            "required": false, "schema": { "type": "string" }, "example": "\"requests\";q=600;w=60",
        },
        "WWW-Authenticate": {
            "description": "How to sign in.", "required": true, "schema": { "type": "string" }, "example": "Bearer",
        },
        "Content-Disposition": {
            "description": "What the file is called.", "required": false, "schema": { "type": "string" },
            "example": "attachment; filename=\"result.csv\"",
        },
        "Set-Cookie": {
            "description": "The session cookie, for browsers: `HttpOnly`, `SameSite=Strict`.",
            "required": true, "schema": { "type": "string" }, "example": "datagenie_session=…; Path=/; HttpOnly; SameSite=Strict; Max-Age=86400",
        },
    })
}

/// What is answered with a tag wherever it is answered.
const TAGGED: &[&str] = &["QuestionView", "JobView", "BatchView", "SettingView"];
/// What goes on after a 202, at a place of its own.
const AWAITED: &[&str] = &["QuestionView", "JobView", "BatchView"];
/// What is sent under a name of its own, to be kept.
const FILES: &[&str] = &["text/csv", "application/jsonl", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Gives a common response the headers that its status has.
pub fn of_problem(response: &mut Value, status: &str) {
    let names: &[&str] = match status {
        "401" => &["X-Request-Id", "WWW-Authenticate"],
        "409" | "429" | "503" => &["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"],
        _ => &["X-Request-Id", "RateLimit", "RateLimit-Policy"],
    };
    for name in names {
        response["headers"][name] = refer(name);
    }
}

/// Gives an operation's own responses their headers, and its header parameters their forms.
pub fn complete(operation: &mut Value) {
    let is_tagged = operation["responses"]["304"].is_object();
    let is_limited = operation["security"] != json!([]);
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if response["$ref"].is_string() {
            continue;
        }
        // What an endpoint says of its own, by name, is described here.
        for (name, header) in response["headers"].as_object_mut().into_iter().flatten() {
            *header = refer(name);
        }
        let of = response["content"]["application/json"]["schema"]["$ref"].as_str().unwrap_or_default().to_owned();
        let is_one_of = |views: &[&str]| views.iter().any(|view| of.ends_with(&format!("/{view}")));
        let names = [
            ("X-Request-Id", true),
            ("RateLimit", is_limited),
            ("RateLimit-Policy", is_limited),
            ("ETag", (is_tagged && matches!(status.as_str(), "200" | "202" | "304")) || is_one_of(TAGGED)),
            ("Location", status == "202" && is_one_of(AWAITED)),
            ("Retry-After", status == "202" && is_one_of(AWAITED)),
            ("Set-Cookie", matches!((id.as_str(), status.as_str()), ("login", "200") | ("logout", "204"))),
            ("Content-Disposition", status == "200" && FILES.iter().any(|form| response["content"][form].is_object())),
        ];
        for (name, _) in names.iter().filter(|(_, has)| *has) {
            response["headers"][name] = refer(name);
        }
    }
    if is_tagged {
        let condition = json!({
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "The `ETag` that the caller has: 304 where it is still the same",
        });
        match &mut operation["parameters"] {
            Value::Array(parameters) => parameters.push(condition),
            none => *none = json!([condition]),
        }
    }
    operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten().for_each(shape);
}

/// Gives a parameter the form that its name says.
fn shape(parameter: &mut Value) {
    without_null(&mut parameter["schema"]);
    let (schema, example) = match parameter["name"].as_str().unwrap_or_default() {
        "Idempotency-Key" => {
            let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" });
            (schema, "monday-report-1")
        }
        "Prefer" => (json!({ "type": "string", "pattern": "^wait=[0-9]{1,2}$" }), "wait=1"),
        "If-None-Match" | "If-Match" => (json!({ "type": "string", "pattern": "^\"[0-9a-f]{24}\"$" }), "\"0f1e2d3c4b5a69788796a5b4\""),
        _ => return,
    };
    parameter["schema"] = schema;
    parameter["example"] = json!(example);
}

// A parameter is there or it is not: there is no null in a query string or a header.
fn without_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array().filter(|types| types.len() == 2)
        && let Some(other) = types.iter().find(|name| *name != "null")
    {
        schema["type"] = other.clone();
    }
    let other =
        schema["oneOf"].as_array().filter(|forms| forms.len() == 2).and_then(|forms| forms.iter().find(|form| form["type"] != "null"));
    if let Some(other) = other.cloned() {
        *schema = other;
    }
}
