//! Examples, by the name of the schema that they are of: `examples.json` beside this file. Bodies that refer to a schema get its example.

use serde_json::{Map, Value, json};

const TEXT: &str = include_str!("examples.json");

/// Every example by its schema.
pub fn all() -> Map<String, Value> {
    // A file that is no JSON leaves the document without examples, which its test does not let pass.
    serde_json::from_str(TEXT).unwrap_or_default()
}

/// Gives the bodies of an operation their examples.
pub fn complete(operation: &mut Value, examples: &Map<String, Value>) {
    if let Some(body) = operation.get_mut("requestBody") {
        give(body, examples);
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if status.starts_with('2') {
            give(response, examples);
        }
    }
}

fn give(body: &mut Value, examples: &Map<String, Value>) {
    let Some(content) = body.get_mut("content").and_then(Value::as_object_mut) else { return };
    for (media_type, form) in content {
        if !media_type.starts_with("application/json") && media_type != "multipart/form-data" {
            continue;
        }
        if let Some(example) = of(&form["schema"], examples)
            && form["example"].is_null()
        {
            form["example"] = example;
        }
    }
}

fn of(schema: &Value, examples: &Map<String, Value>) -> Option<Value> {
    let name = schema["$ref"].as_str().or_else(|| schema["oneOf"].as_array()?.iter().find_map(|form| form["$ref"].as_str()))?;
    let name = name.rsplit('/').next()?;
    match name.strip_prefix("Page_") {
        Some(item) => Some(json!({ "items": [examples.get(item)?], "next_cursor": null })),
        None => examples.get(name).cloned(),
    }
}
