//! Puts a worker process together and runs it until it is told to stop.

use std::sync::Arc;

use apalis::{layers::WorkerBuilderExt, prelude::*};
use datagenie_common::{
    broker::{self, Bell, backend::LaneBackend},
    cache::{Cache, Heard},
    clock::Clock,
    crypto::Keyring,
    events::CANCEL_CHANNEL,
    files::Files,
    lifecycle::{self, Shutdown},
    live::Live,
    model::jobs::Lane,
    ops,
    settings::Settings,
    store, telemetry,
};
use futures::StreamExt;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::{
    env::{Env, SchemaCache},
    leases::Leases,
    llm::Drafter,
    registry, run,
    sources::{SourceSettings, Sources},
};

/// What every job handler is given by apalis.
#[derive(Clone)]
struct Shared {
    env: Arc<Env>,
    lane: Lane,
    hurry: CancellationToken,
}

/// Builds the environment of a worker process. Nothing connects yet.
///
/// # Errors
/// Settings that fit no server, and a folder for files that can't be used.
pub fn environment(settings: Settings, instance: String) -> anyhow::Result<Arc<Env>> {
    let clock = Clock::new(settings.clock.offset_seconds);
    let pool = store::connect(settings.database.url.expose(), settings.database.pool_size, "datagenie-worker")?;
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    let sources = Sources::new(SourceSettings {
        sqlite_roots: settings.sources.sqlite_roots.clone(),
        connect_timeout: settings.sources.connect_timeout(),
    });
    Ok(Arc::new(Env {
        broker: broker::open(settings.broker.url.expose(), &instance)?,
        files: Files::open(&settings.files.root)?,
        keyring: Keyring::from_setting(settings.sealing.key.expose_secret())?,
        drafter: Drafter::new(&settings.llm)?,
        leases: Leases::new(settings.jobs.lease()),
        live: Live::start(cache.clone(), clock),
        schemas: SchemaCache::default(),
        settings,
        pool,
        cache,
        clock,
        sources,
        instance,
    }))
}

async fn hear(bell: Bell, shared: Data<Shared>) {
    run::hear(shared.env.clone(), shared.lane, bell, shared.hurry.clone()).await;
}

/// Serves the lanes of the settings until `shutdown`: then takes nothing new, finishes within the grace time, gives back the rest.
///
/// # Errors
/// If the framework stops by itself.
pub async fn serve(env: Arc<Env>, shutdown: Shutdown) -> anyhow::Result<()> {
    store::sealing_check::check(&env.pool, &env.keyring).await?;
    let stop_leases = CancellationToken::new();
    let (leases, pool, stop) = (env.leases.clone(), env.pool.clone(), stop_leases.clone());
    let keeper = lifecycle::spawn("leases.keep", async move { leases.keep(pool, stop).await });
    let listener = lifecycle::spawn("cancel.listen", hear_cancellations(env.clone(), shutdown.soft().clone()));
    if let Some(port) = env.settings.worker.health_port {
        let pool = env.pool.clone();
        let ready = ops::ready_check(move || {
            let pool = pool.clone();
            async move { store::ready(&pool).await.map_err(|error| error.to_string()) }
        });
        let (listener, router) = (ops::bind(port).await?, ops::router(ready, telemetry::metrics::install()?));
        lifecycle::spawn("ops.serve", ops::serve(listener, router, shutdown.soft().clone()));
    }
    let mut monitor = Monitor::new();
    for &lane in &env.settings.worker.lanes {
        let slots = registry::slots(&env.settings, lane);
        let backend = LaneBackend::new(env.broker.clone(), lane, slots);
        let shared = Shared { env: env.clone(), lane, hurry: shutdown.hard().clone() };
        // The job runner catches panics and keeps time itself, because both must end in the ledger; these layers are a net.
        monitor = monitor.register(move |run| {
            WorkerBuilder::new(format!("{lane}-{run}"))
                .backend(backend.clone())
                .data(shared.clone())
                .catch_panic()
                .concurrency(slots)
                .build(hear)
        });
    }
    tracing::info!(lanes = ?env.settings.worker.lanes, model = env.drafter.name(), "worker is up");
    let soft = shutdown.soft().clone();
    let signal = async move {
        soft.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    // The hard stop gives back what still runs; apalis' own time-out is only a net behind it.
    let grace = env.settings.worker.grace() + std::time::Duration::from_secs(5);
    let ran = monitor.shutdown_timeout(grace).run_with_signal(signal).await;
    stop_leases.cancel();
    let _ = keeper.await;
    listener.abort();
    env.sources.close().await;
    ran.map_err(|error| anyhow::anyhow!("the job framework stopped: {error}"))
}

async fn hear_cancellations(env: Arc<Env>, stop: CancellationToken) {
    let mut messages = env.cache.subscribe(vec![CANCEL_CHANNEL.to_owned()]);
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            () = stop.cancelled() => return,
        };
        match message {
            Some(Heard::Message { payload, .. }) => {
                if let Some(job) = std::str::from_utf8(payload.as_ref()).ok().and_then(|text| text.parse().ok()) {
                    env.leases.look_at(job);
                }
            }
            // What was missed meanwhile is on the rows, which the heartbeat reads.
            Some(Heard::Connected) => {}
            None => return,
        }
    }
}
