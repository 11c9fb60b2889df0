//! What browsers are told: which pages may call, and what an answer may do.

use datagenie_tests::{Client, Reply, TestApp};
use reqwest::Method;
use serde_json::json;

const PAGE: &str = "https://app.example.com";

async fn preflight(client: &Client, origin: &str) -> Reply {
    let request = client.request(Method::OPTIONS, "/v1/questions").header("origin", origin);
    client
        .send(
            request.header("access-control-request-method", "POST").header("access-control-request-headers", "authorization,content-type"),
        )
        .await
}

async fn from_page(client: &Client, path: &str, origin: &str) -> Reply {
    client.send(client.request(Method::GET, path).header("origin", origin)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_does_as_little_in_a_browser_as_it_can() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("api.hsts_seconds", "31536000").start().await;
    let nobody = app.anonymous();
    let replies = [
        app.admin.get("/v1/me", None).await.expect(200),
        nobody.get("/v1/me", None).await.expect(401),
        nobody.get("/nowhere", None).await.expect(404),
        nobody.delete("/v1/me", None).await.expect(405),
        app.admin.post("/v1/questions", json!([1])).await.expect(422),
        nobody.get("/healthz", None).await.expect(200),
        nobody.get("/docs/", None).await.expect(200),
        nobody.get("/openapi.json", None).await.expect(200),
    ];
    for reply in replies {
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            assert_eq!(reply.header(header), value, "{header} of {}", reply.text);
        }
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script-src") || policy.contains("script-src 'self';"), "{policy}");
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{:?}", reply.headers);
    }
    let page = nobody.get("/docs/", None).await.expect(200);
    assert!(!page.text.contains("<script>"), "the documentation runs no script but its files: {}", page.text);
    let plain = TestApp::builder().no_worker().no_scheduler().start().await;
    assert!(!plain.anonymous().get("/healthz", None).await.headers.contains_key("strict-transport-security"), "not without TLS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_origins_call_only_if_a_setting_names_them() {
    let closed = TestApp::builder().no_worker().no_scheduler().start().await;
    let refused = preflight(&closed.anonymous(), PAGE).await;
    assert!(refused.status >= 400 && !refused.headers.contains_key("access-control-allow-origin"), "{:?}", refused.headers);

    let app = TestApp::builder().no_worker().no_scheduler().with_setting("api.cors_origins", PAGE).start().await;
    let allowed = preflight(&app.anonymous(), PAGE).await.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), PAGE);
    assert!(allowed.header("access-control-allow-methods").contains("POST"), "{:?}", allowed.headers);
    assert!(allowed.header("access-control-allow-headers").contains("authorization"), "{:?}", allowed.headers);
    assert!(!allowed.headers.contains_key("access-control-allow-credentials"), "cookies are not theirs");
    let read = from_page(&app.admin, "/v1/me", PAGE).await.expect(200);
    assert_eq!((read.header("access-control-allow-origin"), read.header("vary")), (PAGE, read.header("vary")));
    assert!(read.header("access-control-expose-headers").contains("retry-after"), "{:?}", read.headers);
    let problem = from_page(&app.anonymous(), "/v1/me", PAGE).await.expect(401);
    assert_eq!(problem.header("access-control-allow-origin"), PAGE, "an error can be read too");
    for other in ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"] {
        for reply in [preflight(&app.anonymous(), other).await, from_page(&app.admin, "/v1/me", other).await] {
            assert!(!reply.headers.contains_key("access-control-allow-origin"), "{other}: {:?}", reply.headers);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_changes_something_only_from_a_page_of_our_own() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("api.cors_origins", PAGE).start().await;
    let alice = app.client("alice").await;
    let nobody = app.anonymous();
    let cookie = format!("datagenie_session={}", alice.token());
    let ask = |origin: Option<&str>| {
        let request = nobody.request(Method::POST, "/v1/questions").header("cookie", &cookie).json(&json!({ "question": "how many?" }));
        nobody.send(match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        })
    };
    for origin in [None, Some("null"), Some(PAGE), Some("https://evil.example")] {
        ask(origin).await.problem(403, "permission_denied");
    }
    let _ = ask(Some(&app.url)).await.expect(202);
    // A form of another page can send no JSON.
    let form =
        nobody.request(Method::POST, "/v1/auth/login").header("content-type", "text/plain").body(r#"{"username":"a","password":"b"}"#);
    nobody.send(form).await.problem(415, "unsupported_media_type");
}
