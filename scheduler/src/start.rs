//! Puts a scheduler process together and runs it until it is told to stop.

use std::sync::Arc;

use datagenie_common::{
    broker::{self, Broker},
    cache::Cache,
    clock::Clock,
    lifecycle::{self, Shutdown},
    live::Live,
    ops,
    settings::Settings,
    store, telemetry,
};
use sqlx::{PgPool, postgres::PgConnectOptions};

use crate::{leader, schedule};

/// What every task may touch.
pub struct Scheduler {
    /// All settings.
    pub settings: Settings,
    /// The system database.
    pub pool: PgPool,
    /// The doorbell.
    pub broker: Arc<dyn Broker>,
    /// Wakes readers.
    pub live: Live,
}

/// Builds the environment of a scheduler process. Nothing connects yet.
///
/// # Errors
/// Settings that fit no server.
pub fn environment(settings: Settings, instance: String) -> anyhow::Result<Scheduler> {
    let pool = store::connect(settings.database.url.expose(), 4, "datagenie-scheduler")?;
    let broker = broker::open(settings.broker.url.expose(), &instance)?;
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    let live = Live::start(cache, Clock::new(settings.clock.offset_seconds));
    Ok(Scheduler { settings, pool, broker, live })
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
