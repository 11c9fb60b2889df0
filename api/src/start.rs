//! Puts an api process together and serves until it is told to stop.

use std::time::Duration;

use datagenie_common::{
    broker,
    cache::Cache,
    clock::Clock,
    crypto::Keyring,
    dispatch::Dispatch,
    files::Files,
    lifecycle::Shutdown,
    live::Live,
    live_settings::LiveSettings,
    settings::Settings,
    settling::Settling,
    store::{
        self,
        audit::{self, Entry, Origin},
        migrations, sealing_check,
    },
    telemetry,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

use crate::{
    access::{EndedSessions, KeysInUse, KeysSeen, SessionsInUse},
    admission::Admission,
    app::{App, Parts},
    auth::{first_admin, throttle::Attempts},
    bells::Bells,
    files::Uploads,
    intake::Intake,
    limits::Limits,
    live::Hub,
    router, serving,
    trail::Trail,
};

/// Connections of the dispatcher.
const RELAXED: u32 = 2;
/// How long a process that stops waits for its last line in the audit log.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Builds the environment of an api process and checks what it needs: the schema of its database, and its sealing key.
///
/// # Errors
/// A clear sentence about what is missing or wrong.
pub async fn environment(settings: Settings, instance: &str, shutdown: &Shutdown) -> anyhow::Result<App> {
    let pool = store::connect(settings.database.url.expose(), settings.database.pool_size, "datagenie-api")?;
    migrations::check(&pool).await?;
    let keyring = Keyring::from_setting(settings.sealing.key.expose_secret())?;
    sealing_check::check(&pool, &keyring).await?;
    first_admin::make(&pool).await?;
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    let broker = broker::open(settings.broker.url.expose(), &settings.broker.namespace, instance)?;
    let line = store::line(settings.database.url.expose(), "datagenie-api-intake", false)?;
    let relaxed = store::connect_relaxed(settings.database.url.expose(), RELAXED, "datagenie-api-dispatch")?;
    let dispatch = Dispatch::start(relaxed, broker.clone(), &settings);
    let clock = Clock::new(settings.clock.offset_seconds);
    let bells = Bells::start(broker.clone());
    let live = Live::start(cache.clone(), clock);
    let live_settings = LiveSettings::start(&settings, pool.clone(), cache.clone(), keyring.clone());
    let app = App::new(Parts {
        instance: instance.to_owned(),
        intake: Intake::start(line, &dispatch, &bells),
        admission: Admission::new(&pool, &settings),
        limits: Limits::new(&cache, &settings.api),
        settling: Settling::start(pool.clone(), dispatch.clone(), live.clone(), &settings),
        live,
        hub: Hub::start(&cache, &pool, &live_settings, shutdown.soft()),
        live_settings,
        files: Files::open(&settings.files.root)?,
        uploads: Uploads::new(&settings.files),
        clock,
        keys: KeysInUse::default(),
        keys_seen: KeysSeen::default(),
        ended: EndedSessions::start(&cache),
        attempts: Attempts::default(),
        trail: Trail::start(pool.clone()),
        sessions: SessionsInUse::default(),
        metrics: telemetry::metrics::install()?,
        stopping: shutdown.soft().clone(),
        settings,
        pool,
        broker,
        dispatch,
        cache,
        keyring,
    });
    tell(&app, "api.started", json!({ "version": env!("CARGO_PKG_VERSION") })).await?;
    Ok(app)
}

/// A line in the audit log about the process itself. One that began and has no end was killed, and may have lost lines of readings with
/// what it held in memory: that is seen in the log.
async fn tell(app: &App, action: &str, details: Value) -> store::Result<()> {
    let entry = Entry { user_id: None, action, resource_type: "api", resource_id: Some(app.instance.clone()), success: true, details };
    audit::insert(&mut *app.pool.acquire().await?, &Origin::default(), entry).await
}

/// Serves on a listener until `shutdown`; requests under way are finished within the grace time. Clients that are too
/// slow are disconnected.
///
/// # Errors
/// If serving fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "api is up");
    let api = app.settings.api.clone();
    tokio::select! {
        () = serving::serve(listener, router::build(&app), &api, &shutdown) => {}
        () = shutdown.forced() => {}
    }
    // What was read is in the log before the process goes; only a database that stays away keeps it from that.
    tokio::select! {
        () = app.trail.stored() => {}
        () = shutdown.forced() => {}
    }
    let lost = app.trail.unstored();
    if lost > 0 {
        tracing::error!(lost, "audit lines are lost with this process: the database did not take them in time");
    }
    // Also after a second signal, or what was stopped in a hurry would pass for killed. It takes no longer than this.
    let told = timeout(LAST_WORD, tell(&app, "api.stopped", json!({ "lost": lost }))).await;
    if !matches!(told, Ok(Ok(()))) {
        tracing::warn!("the audit log does not say that this process has stopped: the database did not take it");
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
