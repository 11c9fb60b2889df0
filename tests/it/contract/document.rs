//! The document is complete, says what is true, and is the one that is committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use datagenie_api::error::Code;
use datagenie_common::{events::WEBHOOK_TYPES, model::questions::FailureCode};
use serde_json::{Value, json};

use super::{HOW_TO_WRITE, committed, document, operations, schema};

#[test]
fn the_committed_document_is_the_codes() {
    let made = serde_json::to_string_pretty(&document()).expect("the document is JSON");
    let committed = committed("docs/openapi.json");
    let differ = made.lines().zip(committed.lines()).enumerate().find(|(_, (one, other))| one != other);
    assert!(committed.trim_end() == made, "{HOW_TO_WRITE}\nthe first difference: {differ:?}");
}

/// Every operation that the api's sources describe, and every route that they make.
fn in_sources() -> (BTreeSet<String>, BTreeSet<String>) {
    fn walk(folder: &Path, texts: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder is read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, texts);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                texts.push((path.display().to_string(), fs::read_to_string(&path).expect("a source is read")));
            }
        }
    }
    let mut texts = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").join("api/src"), &mut texts);
    let (mut described, mut routed) = (BTreeSet::new(), BTreeSet::new());
    for (path, text) in &texts {
        for part in text.split("#[utoipa::path(").skip(1) {
            let name = part.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next()).expect("a function follows");
            described.insert(name.to_owned());
        }
        for part in text.split("routes!(").skip(1) {
            routed.insert(part.split(')').next().unwrap_or_default().to_owned());
        }
        for other in [".route(", ".nest(", ".route_service(", ".nest_service(", ".fallback_service(", ".route_with_tsr("] {
            assert!(!text.contains(other), "{path} makes a route ({other}) past the table in api/src/router.rs");
        }
        // The pages of the documentation are no operations.
        let others = text.matches(".merge(").count() - text.matches(".merge(browsers::documentation(").count();
        assert_eq!(others, 0, "{path} joins routes to those of the table in api/src/router.rs");
    }
    (described, routed)
}

#[test]
fn every_operation_of_the_sources_is_in_the_permission_table() {
    let (described, routed) = in_sources();
    let listed: BTreeSet<String> = operations(&document()).into_iter().map(|operation| operation.id).collect();
    assert_eq!(described, listed, "described by utoipa::path, and in the document that the table makes");
    assert_eq!(routed, listed, "made by routes!, and in the document that the table makes");
    for operation in operations(&document()) {
        let access = (operation.who.as_str(), operation.scope.as_deref());
        let known = ["read", "ask", "manage", "admin"];
        let is_ruled = match access {
            ("anybody", None) => operation.value["security"] == json!([]),
            ("signed_in" | "user" | "admin", Some(scope)) => {
                known.contains(&scope) && operation.value["security"] == json!([{ "bearer": [scope] }, { "cookie": [] }])
            }
            _ => false,
        };
        assert!(is_ruled, "{}: {access:?}", operation.id);
        assert!(
            operation.method == "GET"
                || operation.who != "signed_in"
                || ["manage", "read"].contains(&operation.scope.as_deref().unwrap_or_default()),
            "{}: viewers only look, but for what is about themselves",
            operation.id
        );
    }
}

#[test]
fn every_operation_says_what_it_takes_gives_and_fails_with() {
    let document = document();
    let tags: BTreeSet<&str> = document["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str()).collect();
    let (mut ids, mut wrong) = (BTreeSet::new(), Vec::new());
    for operation in operations(&document) {
        let (id, value) = (&operation.id, &operation.value);
        let mut say = |is_right: bool, what: String| {
            if !is_right {
                wrong.push(format!("{id} ({} {}): {what}", operation.method, operation.path));
            }
        };
        say(ids.insert(id.clone()), "its operationId is another's too".to_owned());
        say(value["summary"].as_str().is_some_and(|text| !text.is_empty()), "has no summary".to_owned());
        let tag = value["tags"][0].as_str().unwrap_or_default();
        say(tags.contains(tag), format!("its tag `{tag}` has no description in api/src/openapi/tags.rs"));
        for parameter in value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            say(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), format!("{name} has no description"));
            let schema = &parameter["schema"];
            say(
                schema.is_object() && schema["type"] != json!(["string", "null"]),
                format!("{name} has no schema that fits a parameter: {schema}"),
            );
            if name == "limit" {
                say(schema["minimum"] == 1 && schema["maximum"].is_u64(), "limit has no bounds".to_owned());
            }
        }
        if value["requestBody"].is_object() {
            let (media_type, example) = operation.body().unwrap_or_default();
            say(!example.is_null(), format!("its {media_type} body has no example in api/src/openapi/examples.json"));
        }
        for (status, response) in value["responses"].as_object().into_iter().flatten() {
            say(response["description"].as_str().is_some_and(|text| !text.is_empty()), format!("{status} has no description"));
            let success = status.starts_with('2');
            let form = &response["content"]["application/json"];
            say(
                !success || !form.is_object() || !form["example"].is_null(),
                format!("{status} has no example in api/src/openapi/examples.json"),
            );
            let is_health = operation.who == "anybody" && tag == "operation";
            let is_failure = status.parse::<u16>().is_ok_and(|status| status >= 400);
            say(
                !is_failure || is_health || response["$ref"] == json!(format!("#/components/responses/Problem{status}")),
                format!("{status} is no problem of the contract"),
            );
        }
        let expected: &[&str] = match operation.who.as_str() {
            "anybody" => &[],
            _ => &["401", "403", "429", "500", "503"],
        };
        for status in expected {
            say(value["responses"][status].is_object(), format!("says nothing of {status}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_code_is_an_answer_of_the_document() {
    let document = document();
    let mut by_status: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for code in Code::ALL {
        by_status.entry(format!("Problem{}", code.status().as_u16())).or_default().insert(code.as_str().to_owned());
    }
    for (name, codes) in by_status {
        let form = &document["components"]["responses"][&name]["content"]["application/problem+json"];
        let examples: BTreeSet<String> = form["examples"].as_object().into_iter().flatten().map(|(code, _)| code.clone()).collect();
        assert_eq!(examples, codes, "{name}");
        for (code, example) in form["examples"].as_object().into_iter().flatten() {
            assert_eq!(schema::check(&document, &form["schema"], &example["value"]), [""; 0], "{code}");
        }
    }
}

#[test]
fn the_pages_for_people_name_every_code_and_every_event() {
    let page = committed("docs/errors.md");
    for code in Code::ALL {
        let retryable = if code.retryable() { "yes" } else { "no" };
        let row = format!("| `{}` | {} | {retryable} |", code.as_str(), code.status().as_u16());
        assert!(page.contains(&row), "docs/errors.md has no row that begins with: {row}");
    }
    for code in FailureCode::ALL {
        assert!(page.contains(&format!("`{code}`")), "docs/errors.md says nothing of the failure `{code}`");
    }
    let page = committed("docs/events.md");
    for name in WEBHOOK_TYPES {
        assert!(page.contains(&format!("`{name}`")), "docs/events.md says nothing of {name}");
    }
}

#[test]
fn every_example_is_right() {
    let document = document();
    let mut wrong = Vec::new();
    for operation in operations(&document) {
        let bodies = operation.value["requestBody"]["content"].as_object().into_iter().flatten();
        let responses = operation.value["responses"].as_object().into_iter().flatten();
        let forms = bodies.chain(responses.flat_map(|(_, response)| response["content"].as_object().into_iter().flatten()));
        for (_, form) in forms.filter(|(_, form)| !form["example"].is_null()) {
            let found = schema::check(&document, &form["schema"], &form["example"]);
            wrong.extend(found.into_iter().map(|what| format!("{}: {what}", operation.id)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let refs = document.to_string();
    let missing: Vec<&str> = refs
        .split("\"$ref\":\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| document.pointer(path).is_none())
        .collect();
    assert_eq!(missing, [""; 0], "what the document refers to is in it");
    let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
    let text = committed("api/src/openapi/examples.json");
    let examples: BTreeMap<String, Value> = serde_json::from_str(&text).expect("api/src/openapi/examples.json is JSON");
    let unknown: Vec<&String> = examples.keys().filter(|name| !schemas.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "examples of schemas that are not in the document: {unknown:?}");
}
