//! What browsers are told: which pages of other origins may call the api (none, unless a setting names them), and what an answer may do
//! in a browser (nothing, but for the pages of the documentation).

use std::time::Duration;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
};
use datagenie_common::settings::Api;
use tower_http::{
    cors::{AllowOrigin, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

/// An answer of the api is data: it loads nothing, runs nothing and stands in nobody's frame.
const DATA: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The documentation's pages load their own scripts and styles and call the api.
const DOCUMENTATION: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// How long a browser may remember what a preflight said.
const PREFLIGHT: Duration = Duration::from_secs(600);

/// The pages of the documentation, with what they may do.
pub fn documentation<S: Clone + Send + Sync + 'static>(pages: Router<S>) -> Router<S> {
    pages.layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCUMENTATION)))
}

/// The headers that keep browsers from doing more with an answer than they should.
#[must_use]
pub fn headers(api: &Api) -> Vec<(HeaderName, String)> {
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, DATA),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let mut headers: Vec<_> = fixed.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    if api.hsts_seconds > 0 {
        headers.push((header::STRICT_TRANSPORT_SECURITY, format!("max-age={}; includeSubDomains", api.hsts_seconds)));
    }
    headers
}

/// Every answer with these headers, unless it has its own.
pub fn headed<S: Clone + Send + Sync + 'static>(router: Router<S>, api: &Api) -> Router<S> {
    let headers = headers(api).into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
    headers.fold(router, |router, (name, value)| router.layer(SetResponseHeaderLayer::if_not_present(name, value)))
}

/// Pages of these origins may send what the contract knows and read what it answers. Cookies are not theirs: they send a token.
pub fn open_to_pages<S: Clone + Send + Sync + 'static>(router: Router<S>, api: &Api) -> Router<S> {
    let origins: Vec<HeaderValue> = api.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return router;
    }
    let sent = ["idempotency-key", "last-event-id", "prefer", "traceparent", "x-request-id"].map(HeaderName::from_static);
    let read = ["ratelimit", "ratelimit-policy", "x-request-id"].map(HeaderName::from_static);
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(
            [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH]
                .into_iter()
                .chain(sent)
                .collect::<Vec<_>>(),
        )
        .expose_headers(
            [header::CONTENT_DISPOSITION, header::ETAG, header::LOCATION, header::RETRY_AFTER].into_iter().chain(read).collect::<Vec<_>>(),
        )
        .max_age(PREFLIGHT);
    router.layer(layer)
}
