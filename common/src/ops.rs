//! `/healthz`, `/readyz` and `/metrics` of processes that serve nothing else, on 127.0.0.1 only.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use futures::{FutureExt, future::BoxFuture};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

/// What a scraper of the Prometheus text format expects.
pub const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const READY_WITHIN: Duration = Duration::from_secs(2);

/// Tells whether the process can work now, and if not, what it lacks.
pub type ReadyCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Why the endpoints are not served.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The port is taken or not allowed.
    #[error("cannot listen on {address} for health and metrics")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The server failed.
    #[error("serving health and metrics failed")]
    Serve(#[source] io::Error),
}

#[derive(Clone)]
struct Ops {
    ready: ReadyCheck,
    metrics: PrometheusHandle,
}

/// Makes a check of an async closure.
pub fn ready_check<C, F>(check: C) -> ReadyCheck
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || check().boxed())
}

/// The three routes.
pub fn router(ready: ReadyCheck, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .with_state(Ops { ready, metrics })
}

/// Takes the port (0: any free one; ask the listener which).
///
/// # Errors
/// [`OpsError::Bind`].
pub async fn bind(port: u16) -> Result<TcpListener, OpsError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|source| OpsError::Bind { address, source })
}

/// Serves the routes until the token is cancelled. Give it the hard step: a process that drains is still alive.
///
/// # Errors
/// [`OpsError::Serve`].
pub async fn serve(listener: TcpListener, router: Router, until: CancellationToken) -> Result<(), OpsError> {
    axum::serve(listener, router).with_graceful_shutdown(until.cancelled_owned()).await.map_err(OpsError::Serve)
}

/// Alive: the process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: 200, or 503 with what is missing.
async fn readyz(State(ops): State<Ops>) -> (StatusCode, String) {
    match timeout(READY_WITHIN, (ops.ready)()).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n".to_owned()),
        Ok(Err(missing)) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: no answer within {} s\n", READY_WITHIN.as_secs())),
    }
}

async fn prometheus(State(ops): State<Ops>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], ops.metrics.render())
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    fn handle() -> PrometheusHandle {
        PrometheusBuilder::new().build_recorder().handle()
    }

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        answer
    }

    #[tokio::test]
    async fn the_routes_answer_until_the_end() {
        let listener = bind(0).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let until = CancellationToken::new();
        let router = router(ready_check(|| async { Err("no database".to_owned()) }), handle());
        let serving = crate::lifecycle::spawn("ops", serve(listener, router, until.clone()));
        assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let ready = ask(address, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 503") && ready.ends_with("not ready: no database\n"), "{ready}");
        assert!(ask(address, "/metrics").await.contains(METRICS_CONTENT_TYPE));
        assert!(ask(address, "/").await.starts_with("HTTP/1.1 404"));
        until.cancel();
        serving.await.expect("no panic").expect("a clean end");
    }

    #[tokio::test]
    async fn ready_is_200() {
        let ops = Ops { ready: ready_check(|| async { Ok(()) }), metrics: handle() };
        assert_eq!(readyz(State(ops)).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_taken_port_is_told() {
        let taken = bind(0).await.expect("a free port");
        let address = taken.local_addr().expect("an address");
        let error = bind(address.port()).await.expect_err("it is taken");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
