//! `/healthz`, `/readyz`, `/metrics`, and the JSON of `/openapi.json`.

use std::time::Duration;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use datagenie_common::{ops::METRICS_CONTENT_TYPE, store};
use tokio::{sync::Semaphore, time::timeout};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::app::App;

/// Looks at the database at once: anybody may ask, as often as he likes, and the connections are for those who have something to do.
static LOOKS: Semaphore = Semaphore::const_new(2);

/// The routes.
pub fn routes() -> Vec<UtoipaMethodRouter<App>> {
    vec![routes!(healthz), routes!(readyz), routes!(metrics)]
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, description = "Alive", body = String)))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it can take work in: its database answers.
#[utoipa::path(
    get, path = "/readyz", tag = "operation",
    responses((status = 200, description = "Ready", body = String), (status = 503, description = "Not ready, and why", body = String))
)]
async fn readyz(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping\n");
    }
    let look = async {
        let _turn = LOOKS.acquire().await;
        store::ready(&app.pool).await
    };
    match timeout(Duration::from_secs(2), look).await {
        Ok(Ok(())) => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready: the system database does not answer\n"),
    }
}

/// Prometheus metrics.
#[utoipa::path(
    get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "Text exposition format", body = String), (status = 429, description = "This address asks too much without a token", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], app.metrics.render())
}
