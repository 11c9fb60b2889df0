//! What all operations of the OpenAPI document have in common: who may call them, how they fail, which headers they have, and examples.

mod examples;
mod failures;
mod headers;
pub mod shapes;
mod tags;
pub mod words;

use serde_json::{Value, json};
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi,
        extensions::ExtensionsBuilder,
        path::{Operation, PathItem, Paths},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    access::{Access, COOKIE},
    error::{Code, Problem},
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "DataGenie",
        description = "Questions about data, asked in plain words and answered asynchronously. Long work is answered 202 with a Location; \
            wait with `Prefer: wait=30`, poll with `If-None-Match`, or listen to events (`docs/asyncapi.json`). Errors are \
            `application/problem+json`; `docs/errors.md` lists the codes. `docs/guide.md` shows the way through, with examples that run."
    ),
    components(schemas(Problem, crate::error::FieldError))
)]
struct Head;

/// The document without its paths.
#[must_use]
pub fn head() -> OpenApi {
    let mut document = Head::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A session's token (`POST /v1/auth/login`), or an API key (`dg_…`) with the scope that the operation needs"))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let cookie = "The session cookie that a login sets; what changes something must then come from a page of the service itself (`Origin`)";
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(COOKIE, cookie))));
    document
}

/// Adds to each operation what follows from its rule: its security, and `x-access`, the rule itself.
pub fn complete(paths: &mut Paths, rule: Access) {
    for item in paths.paths.values_mut() {
        for operation in operations(item) {
            let (who, told) = match rule {
                Access::Public => ("anybody", "Needs no sign-in."),
                Access::SignedIn(_) => ("signed_in", "For everybody who is signed in"),
                Access::User(_) => ("user", "For the roles `user` and `admin`"),
                Access::Admin(_) => ("admin", "For the role `admin`"),
            };
            let scope = rule.scope().map(|scope| scope.as_str());
            operation.extensions = Some(ExtensionsBuilder::new().add("x-access", json!({ "who": who, "scope": scope })).build());
            let told = scope.map_or_else(|| told.to_owned(), |scope| format!("{told}; an API key needs the scope `{scope}`."));
            let description = operation.description.take().map_or_else(String::new, |text| format!("{text}\n\n"));
            operation.description = Some(description + &told);
            let none: [&str; 0] = [];
            operation.security = Some(scope.map_or_else(Vec::new, |scope| {
                vec![SecurityRequirement::new("bearer", [scope]), SecurityRequirement::new("cookie", none)]
            }));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// The whole document as it is served, its keys in order.
#[must_use]
pub fn finish(document: &OpenApi) -> Value {
    // What the macros have made is JSON by its nature.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let examples = examples::all();
    let mut used = Vec::new();
    for item in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            used.extend(operation["tags"][0].as_str().map(str::to_owned));
            failures::complete(operation, method);
            headers::complete(operation);
            examples::complete(operation, &examples);
        }
    }
    document["tags"] = tags::of(&used.iter().map(String::as_str).collect::<Vec<_>>());
    document["servers"] = json!([{ "url": "/", "description": "The service that served this document" }]);
    let components = &mut document["components"];
    components["headers"] = headers::components();
    components["responses"] = failures::responses();
    for (name, response) in components["responses"].as_object_mut().into_iter().flatten() {
        headers::of_problem(response, name.trim_start_matches("Problem"));
    }
    components["schemas"]["Problem"]["properties"]["code"]["enum"] = Code::ALL.iter().map(|code| code.as_str()).collect();
    for (name, example) in examples {
        let schema = &mut components["schemas"][&name];
        if schema.is_object() {
            schema["example"] = example;
        }
    }
    document
}
