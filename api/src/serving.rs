//! Serves connections: HTTP/1.1, with bounds on their number, on heads, and on clients that are slow.

use std::{
    io::{self, Write},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use datagenie_common::{lifecycle::Shutdown, settings::Api};
use futures::FutureExt;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bare::Bare,
    doors::{Doors, Full, Place},
    error::Code,
    slow_clients::{AtWork, Connection},
};

/// Headers of a request; more are answered with 431.
const MOST_HEADERS: usize = 100;
/// After an accept that failed since the process has no more files to open.
const BREATH: Duration = Duration::from_millis(100);

/// What all connections have in common.
struct Rules {
    http: http1::Builder,
    slow: Duration,
    head: Duration,
    bare: Arc<Bare>,
}

/// Serves until `shutdown`: then requests under way are finished, and what waits for the next one is closed. A connection that can't be
/// accepted is logged, and the next one is.
pub async fn serve(listener: TcpListener, router: Router, api: &Api, shutdown: &Shutdown) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        // From the end of one request to the whole head of the next one.
        .header_read_timeout(Duration::from_secs(api.keep_alive_seconds.saturating_add(api.header_seconds)))
        .max_headers(MOST_HEADERS)
        .max_header_size(api.max_header_kb * 1024);
    let bare = Arc::new(Bare::new(api));
    let rules = Arc::new(Rules { http, slow: api.slow_client(), head: Duration::from_secs(api.header_seconds), bare: bare.clone() });
    let doors = Doors::new(api);
    let open = TaskTracker::new();
    loop {
        let (stream, address) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = shutdown.soft().cancelled() => break,
        };
        match doors.enter(address.ip()) {
            Ok(place) => {
                let (router, rules, stop) = (router.clone(), Arc::clone(&rules), shutdown.soft().clone());
                open.spawn(converse(stream, address, place, router, rules, stop));
            }
            Err(full) => turn_away(stream, full, &bare, api),
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted || error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no connection can be accepted");
                sleep(BREATH).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, address: SocketAddr, place: Place, router: Router, rules: Arc<Rules>, stop: CancellationToken) {
    let connection = Connection::new(stream, rules.slow, rules.head, rules.bare.clone(), Some(place));
    let service = Talk { router: TowerToHyperService::new(router), address, at_work: connection.at_work() };
    let mut talk = pin!(rules.http.serve_connection(TokioIo::new(connection), service).with_upgrades());
    tokio::select! {
        _ = talk.as_mut() => return,
        () = stop.cancelled() => talk.as_mut().graceful_shutdown(),
    }
    // A client that is gone, or too slow, is no news.
    let _ = talk.await;
}

/// The service of one connection.
struct Talk {
    router: TowerToHyperService<Router>,
    address: SocketAddr,
    at_work: AtWork,
}

impl Service<Request<Incoming>> for Talk {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.address));
        self.at_work.begin();
        let at_work = self.at_work.clone();
        let answering = self.router.call(request);
        async move {
            let answered = answering.await;
            // What follows an upgrade is no request.
            let is_upgrade = answered.as_ref().is_ok_and(|response| response.status() == StatusCode::SWITCHING_PROTOCOLS);
            if !is_upgrade {
                at_work.end();
            }
            answered
        }
        .boxed()
    }
}

/// Tells as much as goes into the kernel's buffer, and closes.
fn turn_away(stream: TcpStream, full: Full, bare: &Bare, api: &Api) {
    metrics::counter!("datagenie_connections_refused_total").increment(1);
    let answer = match full {
        Full::InAll => {
            bare.answer(Code::Unavailable, "this service has as many connections as it takes (api.max_connections)", "retry-after: 1\r\n")
        }
        Full::OfAddress => {
            let quota = api.max_connections_per_address;
            let told = format!("retry-after: 1\r\nratelimit-policy: \"connections\";q={quota}\r\nratelimit: \"connections\";r=0;t=1\r\n");
            let detail = "your address has as many connections as it may have (api.max_connections_per_address)";
            bare.answer(Code::TooManyRequests, detail, &told)
        }
    };
    // Nobody waits for one who was turned away. The runtime does not know yet that it can be written to; the kernel does.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write_all(&answer);
    }
}
