//! What surrounds every request: its id, its trace, its metrics, its log line, and a net for panics.

use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use datagenie_common::{ids::RequestId, store::audit::Origin, telemetry::trace::TraceContext};
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use crate::{
    app::App,
    error::{ApiError, Code, REQUEST_ID},
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

// A method may be any word: a label of every word that somebody sends would grow without end.
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

/// The outermost layer.
pub async fn frame(State(_app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    // A UUID of the caller's own is kept; anything else is replaced.
    let given = header_text(request.headers(), &X_REQUEST_ID).and_then(|text| text.parse().ok());
    let request_id: RequestId = given.unwrap_or_else(RequestId::new);
    let headers = request.headers();
    let trace =
        header_text(headers, &TRACEPARENT).and_then(TraceContext::parse).map_or_else(TraceContext::new_random, |parent| parent.child());
    let user_agent = header_text(headers, &header::USER_AGENT).map(|text| text.chars().take(LONGEST_USER_AGENT).collect());
    let ip: Option<IpAddr> = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let origin = Origin { request_id: Some(request_id), ip, user_agent };
    request.extensions_mut().insert(Framed { origin, trace });

    let method = request.method().clone();
    // The template, never the path itself: ids would make a metric of every resource.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        request_id = %request_id,
        trace_id = trace.trace_id_hex(),
        user_id = tracing::field::Empty,
    );
    let answered = REQUEST_ID.scope(request_id, async {
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!("a handler panicked");
                ApiError::new(Code::Internal, "the request was not done; the log of the service says why, by the request_id")
                    .into_response()
            }
        }
    });
    let mut response = answered.instrument(span.clone()).await;
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let elapsed = began.elapsed();
    metrics::counter!("datagenie_http_requests_total", "route" => route.clone(), "method" => known_method(&method), "status" => status.to_string())
        .increment(1);
    metrics::histogram!("datagenie_http_request_seconds", "route" => route.clone()).record(elapsed.as_secs_f64());
    let _entered = span.enter();
    tracing::info!(method = %method, route, status, elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), "answered");
    response
}
