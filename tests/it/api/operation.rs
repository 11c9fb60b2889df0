//! The document, the health endpoints, request ids, and that nobody passes without a token.

use datagenie_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Every operation of the document: method, path with ids in place, and whether it needs nobody signed in.
fn operations(document: &Value) -> Vec<(Method, String, bool)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let path = path.replace("{user_id}", &Uuid::now_v7().to_string()).replace("{id}", &Uuid::now_v7().to_string());
        for (method, operation) in item.as_object().into_iter().flatten() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                found.push((method, path.clone(), operation["security"] == json!([])));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_but_the_public_ones_answers_without_a_token() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let document = serde_json::to_value(datagenie_api::router::document()).expect("the document is JSON");
    let operations = operations(&document);
    assert!(operations.len() >= 35, "{} operations are documented", operations.len());
    let mut public: Vec<&str> = operations.iter().filter(|(_, _, public)| *public).map(|(_, path, _)| path.as_str()).collect();
    public.sort_unstable();
    assert_eq!(public, ["/healthz", "/metrics", "/readyz", "/v1/auth/login"], "what is public is decided on purpose");
    let nobody = app.anonymous();
    for (method, path, _) in operations.iter().filter(|(_, _, public)| !public) {
        for client in [nobody.clone(), nobody.with_token("dg_0123456789ab_nothing"), nobody.with_token("")] {
            let reply = client.send(client.request(method.clone(), path).json(&json!({}))).await;
            assert_eq!(reply.status, 401, "{method} {path}: {}", reply.text);
            reply.problem(401, "unauthenticated");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_the_pages_and_the_health_endpoints_are_served() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let nobody = app.anonymous();
    let document = nobody.get("/openapi.json", None).await.expect(200).body;
    assert_eq!(document, serde_json::to_value(datagenie_api::router::document()).expect("the document is JSON"));
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    for (_, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{method} has no responses");
        }
    }
    let page = nobody.get("/docs/", None).await.expect(200);
    assert!(page.text.to_lowercase().contains("swagger"), "{}", page.text);
    assert!(!page.text.contains("src=\"http") && !page.text.contains("href=\"http"), "the page works without a network");

    assert_eq!(nobody.get("/healthz", None).await.expect(200).text, "ok\n");
    assert_eq!(nobody.get("/readyz", None).await.expect(200).text, "ready\n");
    let metrics = nobody.get("/metrics", None).await.expect(200);
    assert!(metrics.text.contains("datagenie_http_requests_total{"), "{}", metrics.text);
    assert!(metrics.text.contains("route=\"/healthz\""), "routes are known by their template: {}", metrics.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_that_is_a_uuid_is_kept_and_any_other_replaced() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let own = Uuid::now_v7().to_string();
    let nobody = app.anonymous();
    let send = |value: String| {
        let request = nobody.request(Method::GET, "/v1/me").header("x-request-id", value);
        nobody.send(request)
    };
    let kept = send(own.clone()).await;
    assert_eq!((kept.header("x-request-id"), &kept.problem(401, "unauthenticated")["request_id"]), (own.as_str(), &json!(own)));
    for strange in ["1", "not-a-uuid", "'; DROP TABLE users; --"] {
        let replaced = send(strange.to_owned()).await;
        assert!(replaced.header("x-request-id").parse::<Uuid>().is_ok(), "{:?}", replaced.headers);
        replaced.problem(401, "unauthenticated");
    }
    let headers = nobody.get("/healthz", None).await.expect(200);
    assert!(headers.header("x-request-id").parse::<Uuid>().is_ok());
    assert_eq!((headers.header("x-content-type-options"), headers.header("cache-control")), ("nosniff", "no-store"));
}
