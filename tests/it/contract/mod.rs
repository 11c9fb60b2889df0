//! The contract as a document: complete, the same as committed, and kept by every operation, whoever calls it.

mod access;
mod bodies;
mod document;
mod events;
mod fuzzed;
mod misread;
mod persons;
mod schema;
mod things;

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::Value;

/// What is said where the committed document is not the code's.
const HOW_TO_WRITE: &str =
    "docs/openapi.json is not what the code makes; write it anew: cargo run -p datagenie-api -- openapi >docs/openapi.json";

/// One operation of the document.
#[derive(Clone, Debug)]
struct Operation {
    /// Its `operationId`.
    id: String,
    method: Method,
    /// With placeholders.
    path: String,
    /// `anybody`, `signed_in`, `user` or `admin`.
    who: String,
    /// What an API key needs.
    scope: Option<String>,
    /// As the document has it.
    value: Value,
}

impl Operation {
    /// The media type of its body and an example of it.
    fn body(&self) -> Option<(String, Value)> {
        let (media_type, form) = self.value["requestBody"]["content"].as_object()?.iter().next()?;
        Some((media_type.clone(), form["example"].clone()))
    }

    fn has_path_ids(&self) -> bool {
        self.path.contains('{')
    }
}

fn document() -> Value {
    datagenie_api::router::document()
}

/// Every operation, in the order of paths.
fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, value) in item.as_object().into_iter().flatten() {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            found.push(Operation {
                id: text(&value["operationId"]).unwrap_or_default(),
                method: method.to_uppercase().parse().expect("the document names methods"),
                path: path.clone(),
                who: text(&value["x-access"]["who"]).unwrap_or_default(),
                scope: text(&value["x-access"]["scope"]),
                value: value.clone(),
            });
        }
    }
    assert!(found.len() > 70, "{} operations", found.len());
    found
}

/// A file of the project.
fn committed(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
    fs::read_to_string(root.join(path)).unwrap_or_default()
}
