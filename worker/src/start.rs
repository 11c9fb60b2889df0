//! Puts a worker process together and runs it until it is told to stop.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use apalis::{layers::WorkerBuilderExt, prelude::*};
use datagenie_common::{
    broker::{self, Bell, backend::LaneBackend},
    cache::{Cache, Heard},
    clock::Clock,
    dispatch::Dispatch,
    events::CANCEL_CHANNEL,
    files::Files,
    lifecycle::{self, Shutdown},
    live::Live,
    live_settings::LiveSettings,
    model::jobs::Lane,
    ops,
    settings::Settings,
    settling::Settling,
    store, telemetry,
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::{
    capacity::Capacity,
    env::{Env, SchemaCache},
    leases::Leases,
    ledger::{Claimer, Ledger},
    llm::Drafters,
    presence,
    question::{checked::Checked, daily::KnownLimits, plans::Plans, target::KnownTargets},
    registry, run,
    sources::{self, SourceSettings, Sources},
    webhooks::Sender,
    workbooks::Workbooks,
};

/// Connections for claims and for letting jobs in, whose commits don't wait for the disk.
const RELAXED: u32 = 4;
/// A lane from which nothing has been fetched for so long, although there are free slots, has really stopped.
const FETCHING_WITHIN: Duration = Duration::from_secs(15);

/// What every job handler is given by apalis.
#[derive(Clone)]
struct Shared {
    env: Arc<Env>,
    lane: Lane,
    shutdown: Shutdown,
}

/// Builds the environment of a worker process. Nothing is waited for.
///
/// # Errors
/// Settings that fit no server, and a folder for files that can't be used.
pub fn environment(settings: Settings, instance: String) -> anyhow::Result<Arc<Env>> {
    environment_reading_by(None, settings, instance)
}

/// The same, whose workbooks are read by processes of this program: none, of this process's own. Tests have a program of their own.
///
/// # Errors
/// As [`environment`].
pub fn environment_reading_by(reader: Option<PathBuf>, settings: Settings, instance: String) -> anyhow::Result<Arc<Env>> {
    let clock = Clock::new(settings.clock.offset_seconds);
    let pool = store::connect(settings.database.url.expose(), settings.database.pool_size, "datagenie-worker")?;
    let cache = Cache::connect(settings.redis.url.expose(), settings.cache.ttl())?;
    let broker = broker::open(settings.broker.url.expose(), &settings.broker.namespace, &instance)?;
    let relaxed = store::connect_relaxed(settings.database.url.expose(), RELAXED, "datagenie-worker-claims")?;
    let leases = Leases::new(settings.jobs.lease());
    // Over the relaxed pool: what a crash of the database loses of it, it loses of the limits that it stands for, for one lease.
    let capacity = Capacity::new(relaxed.clone(), instance.clone(), settings.jobs.lease());
    let source_settings =
        SourceSettings { sqlite_roots: settings.sources.sqlite_roots.clone(), connect_timeout: settings.sources.connect_timeout() };
    let claimer = Claimer { instance: instance.as_str().into(), lease_seconds: leases.seconds(), batch_window: settings.jobs.batch_window };
    let sources = Sources::new(source_settings, capacity.clone());
    let keyring = settings.sealing.keyring()?;
    let live_settings = LiveSettings::start(&settings, pool.clone(), cache.clone(), keyring.clone());
    let dispatch = Dispatch::start(relaxed.clone(), broker.clone(), &settings);
    let live = Live::start(cache.clone(), clock);
    Ok(Arc::new(Env {
        ledger: Ledger::start(settings.database.url.expose(), &pool, &relaxed, &claimer, &leases)?,
        settling: Settling::start(pool.clone(), dispatch.clone(), live.clone(), &settings),
        dispatch,
        broker,
        files: Files::open(&settings.files.root)?,
        keyring,
        drafters: Drafters::new(live_settings.clone(), capacity.clone(), relaxed.clone())?,
        live_settings,
        capacity,
        leases,
        live,
        schemas: SchemaCache::default(),
        known: KnownTargets::default(),
        limits: KnownLimits::default(),
        checked: Checked::default(),
        plans: Plans::default(),
        webhooks: Sender::new(&settings.webhooks.allow_cidrs)?,
        workbooks: Workbooks::new(&settings.files, reader).context("no folder for temporary files")?,
        settings,
        pool,
        cache,
        clock,
        sources,
        instance,
    }))
}

async fn hear(bell: Bell, shared: Data<Shared>) {
    // A task of its own: the framework runs all of its jobs on one thread, however many there are.
    let heard = lifecycle::spawn_within(run::hear(shared.env.clone(), shared.lane, bell, shared.shutdown.clone())).await;
    if let Err(failed) = heard
        && failed.is_panic()
    {
        std::panic::resume_unwind(failed.into_panic());
    }
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
    let (capacity, stop) = (env.capacity.clone(), stop_leases.clone());
    let sharing = lifecycle::spawn("capacity.keep", async move { capacity.keep(stop).await });
    lifecycle::spawn("sources.withdrawn", sources::withdrawn::keep(env.clone(), stop_leases.clone()));
    let listener = lifecycle::spawn("cancel.listen", hear_cancellations(env.clone(), shutdown.soft().clone()));
    let lanes: Vec<(Lane, LaneBackend)> = env.settings.worker.lanes.iter().map(|&lane| (lane, backend(&env, lane))).collect();
    if let Some(port) = env.settings.worker.health_port {
        let (listener, router) = (ops::bind(port).await?, ops::router(readiness(&env, &lanes), telemetry::metrics::install()?));
        lifecycle::spawn("ops.serve", ops::serve(listener, router, shutdown.soft().clone()));
    }
    let presence = lifecycle::spawn("presence.keep", tell_of_itself(env.clone(), shutdown.clone(), stop_leases.clone()));
    let mut monitor = Monitor::new();
    for (lane, backend) in lanes {
        let slots = registry::slots(&env.settings, lane).slots as usize;
        let shared = Shared { env: env.clone(), lane, shutdown: shutdown.clone() };
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
    tracing::info!(lanes = ?env.settings.worker.lanes, model = env.drafters.now().name(), "worker is up");
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
    let _ = presence.await;
    let _ = sharing.await;
    listener.abort();
    env.sources.close().await;
    ran.map_err(|error| anyhow::anyhow!("the job framework stopped: {error}"))
}

fn backend(env: &Env, lane: Lane) -> LaneBackend {
    LaneBackend::new(env.broker.clone(), lane, registry::slots(&env.settings, lane).slots as usize)
}

/// Ready while the database answers and every lane is fetched from, or has no free slot to fetch for.
fn readiness(env: &Arc<Env>, lanes: &[(Lane, LaneBackend)]) -> ops::ReadyCheck {
    let pool = env.pool.clone();
    let pulses: Vec<_> = lanes.iter().map(|(lane, backend)| (*lane, backend.pulse())).collect();
    ops::ready_check(move || {
        let pool = pool.clone();
        let stopped: Vec<&str> =
            pulses.iter().filter(|(_, pulse)| !pulse.is_fetching(FETCHING_WITHIN)).map(|(lane, _)| lane.as_str()).collect();
        let stopped = stopped.join(", ");
        async move {
            store::ready(&pool).await.map_err(|error| error.to_string())?;
            if stopped.is_empty() { Ok(()) } else { Err(format!("nothing is fetched from the broker for {stopped}")) }
        }
    })
}

async fn tell_of_itself(env: Arc<Env>, shutdown: Shutdown, stop: CancellationToken) {
    let lanes = env.settings.worker.lanes.iter().map(|&lane| (lane, registry::slots(&env.settings, lane))).collect();
    let leases = env.leases.clone();
    let presence = presence::of_this_process(&env.instance, lanes);
    presence::keep(env.pool.clone(), presence, move || leases.count(), shutdown.soft().clone(), stop).await;
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
