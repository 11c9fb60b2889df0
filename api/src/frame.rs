//! What surrounds every request: its id, its trace, its metrics, its log line, and a net for panics.

use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use datagenie_common::{ids::RequestId, settings::Settings, store::audit::Origin, telemetry::trace::TraceContext};
use futures::FutureExt;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::{
    access,
    app::App,
    client_address,
    error::{ApiError, Code, REQUEST_ID},
    limits::{Known, is_spared},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const LONGEST_USER_AGENT: usize = 500;

/// Where a request comes from and the trace that it belongs to.
#[derive(Clone, Debug)]
pub struct Framed {
    /// For the audit log.
    pub origin: Origin,
    /// To go on with in the job.
    pub trace: TraceContext,
}

impl<S: Send + Sync> FromRequestParts<S> for Framed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::new(Code::Internal, "the request was not framed"))
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

// A method may be any word, as long as a head may be: a label of every word that somebody sends would grow without end.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// How long a request may be worked on. An upload takes as long as its bytes need, which whoever reads them watches.
fn patience(settings: &Settings, method: &Method, route: &str) -> Option<Duration> {
    let is_upload = *method == Method::POST && matches!(route, "/v1/files" | "/v1/batches");
    // Who is ready to wait for an answer is not cut off by it.
    let longest = settings.api.request_seconds.max(settings.limits.max_wait_seconds.saturating_add(10));
    (!is_upload).then(|| Duration::from_secs(longest))
}

async fn in_time(patience: Option<Duration>, answering: impl Future<Output = Response>) -> Response {
    let Some(patience) = patience else { return answering.await };
    let late = || {
        ApiError::new(Code::Unavailable, "the request took longer than it may (api.request_seconds); whether it was done is not known")
            .retry_after(Duration::from_secs(1))
            .into_response()
    };
    timeout(patience, answering).await.unwrap_or_else(|_| late())
}

/// RFC 9112 §3.2: with none or several, those before us may take it for another host's.
fn names_one_host(request: &Request) -> bool {
    request.version() != Version::HTTP_11 || request.headers().get_all(header::HOST).iter().count() == 1
}

/// The outermost layer.
pub async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    // A UUID of the caller's own is kept; anything else is replaced.
    let given = header_text(request.headers(), &X_REQUEST_ID).and_then(|text| text.parse().ok());
    let request_id: RequestId = given.unwrap_or_else(RequestId::new);
    let headers = request.headers();
    let parent = header_text(headers, &TRACEPARENT).and_then(TraceContext::parse);
    let user_agent = header_text(headers, &header::USER_AGENT).map(|text| text.chars().take(LONGEST_USER_AGENT).collect());
    let ip: Option<IpAddr> = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let ip = ip.map(|peer| client_address::of(peer, headers, &app.settings.api.trusted_proxies));
    let origin = Origin { request_id: Some(request_id), ip, user_agent };

    let crowded = ip.and_then(|ip| app.limits.strangers.look(ip));
    if let Some(crowded) = crowded {
        request.extensions_mut().insert(crowded);
    }

    let method = request.method().clone();
    // The template, never the path itself: ids would make a metric of every resource.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{} {route}", known_method(&method)),
        request_id = %request_id,
        trace_id = tracing::field::Empty,
        user_id = tracing::field::Empty,
    );
    let trace = TraceContext::begin(&span, parent);
    request.extensions_mut().insert(Framed { origin, trace });
    let patience = patience(&app.settings, &method, &route);
    let is_spared = is_spared(&method, &route);
    // Only there is somebody's token looked at: elsewhere any word would pass for one.
    let checks_callers = route.starts_with("/v1/") || route == "/metrics";
    let answered = REQUEST_ID.scope(request_id, async {
        if let Some(crowded) = crowded
            && !is_spared
            && !(checks_callers && access::names_somebody(request.headers()))
        {
            return crowded.refused().into_response();
        }
        if !names_one_host(&request) {
            return ApiError::new(Code::MalformedRequest, "a request of HTTP/1.1 has one Host header").into_response();
        }
        match AssertUnwindSafe(in_time(patience, next.run(request))).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!("a handler panicked");
                ApiError::new(Code::Internal, "the request was not done; the log of the service says why, by the request_id")
                    .into_response()
            }
        }
    });
    let mut response = answered.instrument(span.clone()).await;
    if let Some(ip) = ip
        && !is_spared
        // Who somebody is can't be told while the database is away.
        && !response.status().is_server_error()
        && response.extensions().get::<Known>().is_none()
    {
        app.limits.strangers.count(ip);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    metrics::counter!("datagenie_http_requests_total", "route" => route.clone(), "method" => known_method(&method), "status" => status.to_string())
        .increment(1);
    metrics::histogram!("datagenie_http_request_seconds", "route" => route.clone()).record(elapsed.as_secs_f64());
    let _entered = span.enter();
    tracing::info!(
        method = known_method(&method),
        route,
        status,
        elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}
