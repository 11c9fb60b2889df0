//! The faults of the soak, and who injects them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use datagenie_common::lifecycle;
use datagenie_local::{System, process::Process};
use datagenie_tests::{Bells, Victims};
use rustix::process::Signal;
use sqlx::PgPool;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// How long the broker is away.
const AWAY: Duration = Duration::from_secs(20);
/// How long a server that was stopped may take to be there again.
const REVIVED: Duration = Duration::from_secs(90);
/// A RabbitMQ that is killed right after it declared a queue may find that queue broken.
const DECLARED: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL.
    KillWorker,
    /// SIGKILL.
    KillApi,
    /// SIGKILL.
    KillScheduler,
    /// SIGSTOP past the leases, then SIGCONT.
    FreezeWorker,
    /// SIGSTOP past the lead, then SIGCONT.
    FreezeScheduler,
    /// Killed and started again.
    RestartBroker,
    /// Killed, and started again 20 s later.
    TakeBrokerAway,
    /// All messages and queues removed.
    WipeBroker,
    /// As `pg_ctl stop -m immediate`.
    RestartPostgres,
    /// All sessions of the programs ended, whatever they are at.
    CutSessions,
    /// What waits is there twice more, backwards, with strangers among it.
    DoubleMessages,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::KillWorker,
        Self::KillApi,
        Self::KillScheduler,
        Self::FreezeWorker,
        Self::FreezeScheduler,
        Self::RestartBroker,
        Self::TakeBrokerAway,
        Self::WipeBroker,
        Self::RestartPostgres,
        Self::CutSessions,
        Self::DoubleMessages,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "worker killed",
            Self::KillApi => "api killed",
            Self::KillScheduler => "scheduler killed",
            Self::FreezeWorker => "worker stood still",
            Self::FreezeScheduler => "scheduler stood still",
            Self::RestartBroker => "broker started anew",
            Self::TakeBrokerAway => "broker gone for 20 s",
            Self::WipeBroker => "broker wiped",
            Self::RestartPostgres => "PostgreSQL stopped at once",
            Self::CutSessions => "sessions cut",
            Self::DoubleMessages => "messages doubled",
        }
    }
}

/// Injects faults into a running system.
pub struct Saboteur {
    system: Arc<System>,
    pool: PgPool,
    bells: Bells,
    still: Duration,
    victims: Victims,
    injected: BTreeMap<Fault, u64>,
    turn: usize,
    wiped: Option<Instant>,
    // Faults that last: the broker away, processes that stand still.
    lasting: Vec<JoinHandle<()>>,
}

impl Saboteur {
    /// Of this system, whose leases last so long.
    pub fn new(system: Arc<System>, pool: PgPool, bells: Bells, lease_seconds: u64) -> Self {
        let still = Duration::from_secs(lease_seconds + 2);
        let (victims, injected) = (Victims::default(), BTreeMap::new());
        Self { system, pool, bells, still, victims, injected, turn: 0, wiped: None, lasting: Vec::new() }
    }

    /// What killed workers had in hand.
    pub fn victims(&self) -> &Victims {
        &self.victims
    }

    /// How often each fault was injected.
    pub fn injected(&self) -> Vec<(&'static str, u64)> {
        self.injected.iter().map(|(fault, &times)| (fault.name(), times)).collect()
    }

    /// Injects a fault; one that has nothing to act on just now (a wipe of a broker that is away) is left out and not counted.
    pub async fn inject(&mut self, fault: Fault) {
        self.turn += 1;
        self.lasting.retain(|task| !task.is_finished());
        let done = match fault {
            Fault::KillWorker => self.kill_worker().await,
            Fault::KillApi => self.one_of(System::apis).is_some_and(kill),
            Fault::KillScheduler => self.one_of(System::schedulers).is_some_and(kill),
            Fault::FreezeWorker => self.freeze(System::workers),
            Fault::FreezeScheduler => self.freeze(System::schedulers),
            Fault::RestartBroker => self.stop_broker(Duration::ZERO),
            Fault::TakeBrokerAway => self.stop_broker(AWAY),
            Fault::WipeBroker => self.wipe().await,
            Fault::RestartPostgres => self.stop_postgres(),
            Fault::CutSessions => self.cut_sessions().await,
            Fault::DoubleMessages => self.double().await,
        };
        if done {
            *self.injected.entry(fault).or_default() += 1;
        }
    }

    /// Waits until everything that was stopped is there again.
    pub async fn mend(&mut self) {
        for task in self.lasting.drain(..) {
            let _ = task.await;
        }
        let deadline = Instant::now() + REVIVED;
        while Instant::now() < deadline {
            let answers = sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&self.pool).await.is_ok();
            if answers && self.bells.waiting().await.is_ok() {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Another one each time.
    fn one_of(&self, processes: impl Fn(&System) -> &[Process]) -> Option<&Process> {
        let processes = processes(self.system.as_ref());
        let first = self.turn % processes.len().max(1);
        processes.get(first)
    }

    async fn kill_worker(&mut self) -> bool {
        let Some(worker) = self.one_of(System::workers) else { return false };
        let Some(pid) = worker.pid() else { return false };
        worker.kill9();
        while worker.pid() == Some(pid) {
            sleep(Duration::from_millis(10)).await;
        }
        // A database that is away does not tell; this kill then has no part in the times.
        let _ = timeout(Duration::from_secs(1), self.victims.add(&self.pool, pid)).await;
        true
    }

    /// SIGSTOP now, SIGCONT when leases and lead are lost.
    fn freeze(&mut self, processes: fn(&System) -> &[Process]) -> bool {
        let (system, still, turn) = (Arc::clone(&self.system), self.still, self.turn);
        self.lasting.push(lifecycle::spawn("soak.freeze", async move {
            let processes = processes(&system);
            let Some(process) = processes.get(turn % processes.len().max(1)) else { return };
            process.pause();
            sleep(still).await;
            process.resume();
        }));
        true
    }

    /// While the servers are held, nobody starts a dead one again.
    fn stop_broker(&mut self, away: Duration) -> bool {
        if self.wiped.is_some_and(|at| at.elapsed() < DECLARED) {
            return false;
        }
        let system = Arc::clone(&self.system);
        self.lasting.push(lifecycle::spawn("soak.stop_broker", async move {
            let mut guard = system.servers().await;
            let servers = &mut *guard;
            match (&mut servers.rabbitmq, &mut servers.redis) {
                (Some(rabbitmq), _) => rabbitmq.kill(),
                (None, Some(redis)) => redis.kill(),
                (None, None) => {}
            }
            sleep(away).await;
        }));
        true
    }

    fn stop_postgres(&mut self) -> bool {
        let system = Arc::clone(&self.system);
        self.lasting.push(lifecycle::spawn("soak.stop_postgres", async move {
            if let Some(postgres) = &mut system.servers().await.postgres {
                postgres.signal(Signal::QUIT);
            }
        }));
        true
    }

    async fn wipe(&mut self) -> bool {
        self.wiped = Some(Instant::now());
        matches!(timeout(Duration::from_secs(2), self.bells.wipe()).await, Ok(Ok(())))
    }

    async fn cut_sessions(&self) -> bool {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name LIKE 'datagenie-%' AND pid <> pg_backend_pid()";
        let cut = sqlx::query_scalar::<_, bool>(sql).fetch_all(&self.pool);
        matches!(timeout(Duration::from_secs(2), cut).await, Ok(Ok(ended)) if !ended.is_empty())
    }

    /// Workers hear messages as soon as they lie there: what is doubled is what waits at this moment, and strangers come in any case.
    async fn double(&self) -> bool {
        let doubling = async {
            let mut copies = self.bells.copies().await?;
            copies.reverse();
            self.bells.put(&copies).await?;
            self.bells.put_strangers().await?;
            self.bells.put(&copies).await
        };
        matches!(timeout(Duration::from_secs(2), doubling).await, Ok(Ok(())))
    }
}

fn kill(process: &Process) -> bool {
    process.kill9();
    true
}
