//! As much of JSON Schema as the document uses, to hold examples and answers against it.

use serde_json::Value;
use uuid::Uuid;

/// What is wrong with a value; empty: nothing.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    walk(document, schema, value, "$", &mut wrong);
    wrong
}

fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    check(document, schema, value).is_empty()
}

fn walk(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(path) = schema["$ref"].as_str() {
        let target = document.pointer(path.trim_start_matches('#'));
        return match target {
            Some(target) => walk(document, target, value, at, wrong),
            None => wrong.push(format!("{at}: {path} is not in the document")),
        };
    }
    let all = |name: &str| schema[name].as_array().map(Vec::as_slice).unwrap_or_default();
    for part in all("allOf") {
        walk(document, part, value, at, wrong);
    }
    for name in ["oneOf", "anyOf"] {
        let fitting = all(name).iter().filter(|form| fits(document, form, value)).count();
        let holds = fitting == 1 || (name == "anyOf" && fitting > 1);
        if !all(name).is_empty() && !holds {
            wrong.push(format!("{at}: fits {fitting} forms of {name}: {value}"));
        }
    }
    if !all("enum").is_empty() && !all("enum").contains(value) {
        wrong.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        wrong.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    let types: Vec<&str> = schema["type"].as_str().into_iter().chain(all("type").iter().filter_map(Value::as_str)).collect();
    if !types.is_empty() && !types.iter().any(|name| is_a(name, value)) {
        wrong.push(format!("{at}: {value} is no {}", types.join(" or ")));
    }
    of_type(document, schema, value, at, wrong);
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn of_type(document: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(name) {
                    wrong.push(format!("{at}: {name} is missing"));
                }
            }
            for (name, field) in fields {
                let place = format!("{at}.{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(known), _) => walk(document, known, field, &place, wrong),
                    (None, Value::Bool(false)) => wrong.push(format!("{place} is not known")),
                    (None, other @ Value::Object(_)) => walk(document, other, field, &place, wrong),
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(document, &schema["items"], item, &format!("{at}[{n}]"), wrong);
            }
            bounds(schema, "Items", items.len(), at, wrong);
        }
        Value::String(text) => {
            bounds(schema, "Length", text.chars().count(), at, wrong);
            let is_right = match schema["format"].as_str().unwrap_or_default() {
                "uuid" => text.parse::<Uuid>().is_ok(),
                "date-time" => is_time(text),
                _ => true,
            };
            if !is_right {
                wrong.push(format!("{at}: {text} is no {}", schema["format"]));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if schema["minimum"].as_f64().is_some_and(|least| number < least)
                || schema["maximum"].as_f64().is_some_and(|most| number > most)
            {
                wrong.push(format!("{at}: {number} is out of bounds"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whether it has the form of RFC 3339.
fn is_time(text: &str) -> bool {
    let form = |at: usize, c: char| text.chars().nth(at) == Some(c);
    let zone = text.ends_with('Z') || text.chars().rev().nth(5).is_some_and(|c| matches!(c, '+' | '-'));
    form(4, '-') && form(7, '-') && form(10, 'T') && form(13, ':') && form(16, ':') && zone
}

fn bounds(schema: &Value, what: &str, size: usize, at: &str, wrong: &mut Vec<String>) {
    let bound = |name: &str| schema[format!("{name}{what}").as_str()].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if bound("min").is_some_and(|least| size < least) || bound("max").is_some_and(|most| size > most) {
        wrong.push(format!("{at}: {size} is out of the bounds of its {}", what.to_lowercase()));
    }
}

#[test]
fn a_value_is_held_against_its_schema() {
    let document =
        serde_json::json!({ "a": { "type": "object", "required": ["x"], "properties": { "x": { "type": ["integer", "null"] } } } });
    let schema = serde_json::json!({ "type": "array", "maxItems": 2, "items": { "$ref": "#/a" } });
    let wrong = |text: &str| check(&document, &schema, &serde_json::from_str(text).expect("the test's own JSON")).len();
    let found = ["[]", "[{\"x\":1}]", "[{\"x\":null}]", "[{\"x\":1.5}]", "[{}]", "{}", "[{\"x\":1},{\"x\":1},{\"x\":1}]"].map(wrong);
    assert_eq!(found, [0, 0, 0, 1, 1, 1, 1]);
}
