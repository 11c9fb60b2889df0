//! Puts an api process together and serves until it is told to stop.

use std::net::SocketAddr;

use axum::{ServiceExt, serve::ListenerExt};
use datagenie_common::{
    broker,
    cache::Cache,
    clock::Clock,
    crypto::Keyring,
    dispatch::Dispatch,
    files::Files,
    lifecycle::Shutdown,
    live::Live,
    settings::Settings,
    store::{self, migrations, sealing_check},
    telemetry,
};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use crate::{
    access::{KeysInUse, SessionsInUse},
    admission::Admission,
    app::{App, Parts},
    bells::Bells,
    intake::Intake,
    live::Hub,
    router,
    slow_clients::Connections,
};

/// Connections of the dispatcher.
const RELAXED: u32 = 2;

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
    let broker = broker::open(settings.broker.url.expose(), &settings.broker.namespace, instance)?;
    let line = store::line(settings.database.url.expose(), "datagenie-api-intake", false)?;
    let relaxed = store::connect_relaxed(settings.database.url.expose(), RELAXED, "datagenie-api-dispatch")?;
    let dispatch = Dispatch::start(relaxed, broker.clone(), &settings);
    let clock = Clock::new(settings.clock.offset_seconds);
    let bells = Bells::start(broker.clone());
    Ok(App::new(Parts {
        intake: Intake::start(line, &dispatch, &bells),
        admission: Admission::new(&pool, &settings),
        live: Live::start(cache.clone(), clock),
        hub: Hub::start(&cache, &pool, shutdown.soft()),
        files: Files::open(&settings.files.root)?,
        clock,
        keys: KeysInUse::default(),
        sessions: SessionsInUse::default(),
        metrics: telemetry::metrics::install()?,
        stopping: shutdown.soft().clone(),
        settings,
        pool,
        broker,
        dispatch,
        cache,
        keyring,
    }))
}

/// Serves on a listener until `shutdown`; requests under way are finished within the grace time. Clients that take nothing are
/// disconnected.
///
/// # Errors
/// If serving fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "api is up");
    let limit = app.settings.api.slow_client();
    let listener = Connections::of(listener).tap_io(move |connection| connection.set_limit(limit));
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
