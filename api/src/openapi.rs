//! What all operations of the OpenAPI document have in common: who may call them, and how they fail.

use utoipa::{
    OpenApi as _, ToSchema,
    openapi::{
        ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
        path::{Operation, ParameterIn, PathItem, Paths},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    access::{Access, COOKIE},
    error::Problem,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "DataGenie",
        description = "Questions about data, asked in plain words and answered asynchronously. Long work is answered 202 with a Location; \
            wait with `Prefer: wait=30`, poll with `If-None-Match`, or listen to events. Errors are `application/problem+json`."
    ),
    components(schemas(Problem, crate::error::FieldError))
)]
struct Head;

/// The document without its paths.
#[must_use]
pub fn head() -> OpenApi {
    let mut document = Head::openapi();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE))));
    document
}

/// Adds to each operation what follows from its rule: its security and its errors.
pub fn complete(paths: &mut Paths, rule: Access) {
    for item in paths.paths.values_mut() {
        for operation in operations(item) {
            let mut failures = vec![("500", "A fault of ours"), ("503", "Something that the service needs is away")];
            let parameters = operation.parameters.as_deref().unwrap_or_default();
            if parameters.iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path)) {
                failures.push(("404", "Unknown, or not the caller's"));
            }
            if !parameters.is_empty() {
                failures.push(("422", "A value can't be taken"));
            }
            if operation.request_body.is_some() {
                failures.extend([
                    ("400", "The body is not JSON"),
                    ("409", "The first request with the same Idempotency-Key is still being taken in, or the state forbids it"),
                    ("413", "The body is too large"),
                    ("415", "The body is not application/json"),
                    ("422", "A value is missing or can't be taken"),
                ]);
            }
            if rule == Access::Public {
                operation.security = Some(Vec::new());
            } else {
                failures.extend([("401", "Not signed in"), ("403", "Signed in, and not allowed")]);
                let none: [&str; 0] = [];
                operation.security = Some(vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("cookie", none)]);
            }
            for (status, description) in failures {
                add_failure(operation, status, description);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn add_failure(operation: &mut Operation, status: &str, description: &str) {
    if operation.responses.responses.contains_key(status) {
        return;
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let response = ResponseBuilder::new().description(description).content("application/problem+json", content).build();
    operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
}
