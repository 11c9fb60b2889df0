//! Puts a scheduler process together and runs it until it is told to stop.

use std::sync::{Arc, Mutex, PoisonError};

use datagenie_common::{
    broker::{self, Broker},
    cache::Cache,
    clock::Clock,
    dispatch::Dispatch,
    files::Files,
    lifecycle::{self, Shutdown},
    live::Live,
    live_settings::LiveSettings,
    ops,
    settings::Settings,
    settling::Settling,
    store::{self, StoreError},
    telemetry,
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::time::Instant;

use crate::{leader, schedule, tasks::sweep::Round};

/// What every task may touch.
pub struct Scheduler {
    /// All settings, as they were at the start.
    pub settings: Settings,
    /// Those that may change while the service runs, as they are now: `scheduler.live_settings.get()`.
    pub live_settings: LiveSettings,
    /// The system database.
    pub pool: PgPool,
    /// The doorbell.
    pub broker: Arc<dyn Broker>,
    /// Lets waiting jobs in.
    pub dispatch: Dispatch,
    /// Wakes readers.
    pub live: Live,
    /// Keeps batches going.
    pub settling: Settling,
    /// The file storage.
    pub files: Files,
    /// How far the sweep is on its round of those who wait.
    pub round: Round,
    /// When the database last did not answer.
    away: Mutex<Option<Instant>>,
}

impl Scheduler {
    /// Notes how a sweep went.
    pub fn note(&self, error: Option<&StoreError>) {
        if error.is_some_and(StoreError::is_outage) {
            *self.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Whether the database was away within the last lease: then its workers could not renew, and nothing is to be taken from them.
    /// PostgreSQL tells of its own restarts, but not of one after a crash of a single backend.
    #[must_use]
    pub fn was_away(&self) -> bool {
        let away = *self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.is_some_and(|at| at.elapsed() < self.settings.jobs.lease())
    }
}

/// Builds the environment of a scheduler process. Nothing is waited for.
///
/// # Errors
/// Settings that fit no server.
pub fn environment(settings: Settings, instance: String) -> anyhow::Result<Scheduler> {
    let pool = store::connect(settings.database.url.expose(), 4, "datagenie-scheduler")?;
    let broker = broker::open(settings.broker.url.expose(), &settings.broker.namespace, &instance)?;
    let relaxed = store::connect_relaxed(settings.database.url.expose(), 2, "datagenie-scheduler-dispatch")?;
    let dispatch = Dispatch::start(relaxed, broker.clone(), &settings);
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    let live_settings = LiveSettings::start(&settings, pool.clone(), cache.clone(), settings.sealing.keyring()?);
    let live = Live::start(cache, Clock::new(settings.clock.offset_seconds));
    let files = Files::open(&settings.files.root)?;
    let settling = Settling::start(pool.clone(), dispatch.clone(), live.clone(), &settings);
    Ok(Scheduler {
        settings,
        live_settings,
        pool,
        broker,
        dispatch,
        live,
        settling,
        files,
        round: Round::default(),
        away: Mutex::default(),
    })
}

/// Leads when it can, until `shutdown`.
///
/// # Errors
/// If its health port is in use.
pub async fn serve(scheduler: Scheduler, shutdown: Shutdown) -> anyhow::Result<()> {
    let scheduler = Arc::new(scheduler);
    if let Some(port) = scheduler.settings.scheduler.health_port {
        let pool = scheduler.pool.clone();
        let ready = ops::ready_check(move || {
            let pool = pool.clone();
            async move { store::ready(&pool).await.map_err(|error| error.to_string()) }
        });
        let (listener, router) = (ops::bind(port).await?, ops::router(ready, telemetry::metrics::install()?));
        lifecycle::spawn("ops.serve", ops::serve(listener, router, shutdown.soft().clone()));
    }
    tracing::info!("scheduler is up");
    let options: PgConnectOptions = scheduler.settings.database.url.expose().parse()?;
    leader::run(&options, shutdown.soft(), || schedule::lead(scheduler.clone())).await;
    Ok(())
}
