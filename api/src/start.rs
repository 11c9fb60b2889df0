//! Puts an api process together and serves until it is told to stop.

use std::net::SocketAddr;

use axum::ServiceExt;
use datagenie_common::{
    broker,
    cache::Cache,
    clock::Clock,
    crypto::Keyring,
    files::Files,
    lifecycle::{self, Shutdown},
    live::Live,
    settings::Settings,
    store::{self, ledger::Ring, migrations, sealing_check},
    telemetry,
};
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    access::KeysInUse,
    app::{App, Parts},
    intake::Intake,
    live::Hub,
    router,
};

/// Batches of bells that may wait for the broker.
const BELLS: usize = 8192;
/// Bells rung in one pipeline.
const PIPELINE: usize = 512;

/// Builds the environment of an api process and checks what it needs: the schema of its database, and its sealing key.
///
/// # Errors
/// A clear sentence about what is missing or wrong.
pub async fn environment(settings: Settings, instance: &str, shutdown: &Shutdown) -> anyhow::Result<App> {
    let pool = store::connect(settings.database.url.expose(), settings.database.pool_size, "datagenie-api")?;
    migrations::check(&pool).await?;
    let keyring = Keyring::from_setting(settings.sealing.key.expose_secret())?;
    sealing_check::check(&pool, &keyring).await?;
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    let broker = broker::open(settings.broker.url.expose(), instance)?;
    let clock = Clock::new(settings.clock.offset_seconds);
    let (bells, waiting) = mpsc::channel(BELLS);
    lifecycle::spawn("bells.ring", ring(broker.clone(), waiting));
    Ok(App::new(Parts {
        intake: Intake::start(&pool),
        live: Live::start(cache.clone(), clock),
        hub: Hub::start(&cache, shutdown.soft().clone()),
        files: Files::open(&settings.files.root)?,
        clock,
        keys: KeysInUse::default(),
        metrics: telemetry::metrics::install()?,
        stopping: shutdown.soft().clone(),
        settings,
        pool,
        broker,
        bells,
        cache,
        keyring,
    }))
}

// Rings that come together go in one pipeline.
async fn ring(broker: std::sync::Arc<dyn broker::Broker>, mut waiting: mpsc::Receiver<Vec<Ring>>) {
    let mut batches = Vec::new();
    while waiting.recv_many(&mut batches, PIPELINE).await > 0 {
        let rings: Vec<Ring> = batches.drain(..).flatten().collect();
        broker::ring_or_leave(broker.as_ref(), &rings).await;
    }
}

/// Serves on a listener until `shutdown`; requests under way are finished within the grace time.
///
/// # Errors
/// If serving fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "api is up");
    let service = ServiceExt::<axum::extract::Request>::into_make_service_with_connect_info::<SocketAddr>(router::build(app));
    let soft = shutdown.soft().clone();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move { soft.cancelled().await });
    tokio::select! {
        served = async { serving.await } => served?,
        () = shutdown.forced() => {}
    }
    Ok(())
}

/// Listens on the configured address.
///
/// # Errors
/// The port is in use or the address is not this machine's, said with both.
pub async fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let (host, port) = (settings.api.host.as_str(), settings.api.port);
    TcpListener::bind((host, port)).await.map_err(|error| {
        anyhow::anyhow!("api can't listen on {host}:{port}: {error}; choose another api.port (DATAGENIE_API__PORT), or stop what uses it")
    })
}
