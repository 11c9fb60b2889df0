//! A whole DataGenie on one machine: servers, programs, the sample, and the `run.json` that says where it is.

pub mod http;
pub mod options;
pub mod programs;
pub mod register;
pub mod servers;
mod start;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::data_folder::DataFolder;
use crate::error::{LocalError, chain};
use crate::notes::note;
use crate::process::Process;
use crate::run_file::{Pids, RunFile};
use crate::servers::mariadb::Mariadb;
use crate::servers::postgres::Postgres;
use crate::servers::rabbitmq::Rabbitmq;
use options::SystemOptions;
use programs::Programs;
use servers::Servers;

/// How often the servers are looked at; a program's death is told at once.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A running system. Dropping it kills everything that it started.
pub struct System {
    running: Arc<Running>,
    watch: JoinHandle<()>,
    folder: Option<DataFolder>,
}

struct Running {
    programs: Programs,
    servers: tokio::sync::Mutex<Servers>,
    run: Mutex<RunFile>,
    run_path: PathBuf,
}

impl System {
    /// Brings everything up: servers, migrations, the admin, programs, the sample. It is ready when this returns.
    ///
    /// # Errors
    /// [`LocalError::PortInUse`] and [`LocalError::NotBuilt`] before anything is touched, else what a step gave; what was
    /// started is stopped again, and the logs stay in the data folder.
    pub async fn start(options: SystemOptions) -> Result<Self, LocalError> {
        Box::pin(start::start(options)).await
    }

    /// What `run.json` says now.
    #[must_use]
    pub fn run_file(&self) -> RunFile {
        self.running.run().clone()
    }

    /// The path of `run.json`.
    #[must_use]
    pub fn run_path(&self) -> &Path {
        &self.running.run_path
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.running.run_path.parent().unwrap_or(Path::new("."))
    }

    /// Whether the data stay when it stops.
    #[must_use]
    pub fn keeps_data(&self) -> bool {
        self.folder.as_ref().is_some_and(DataFolder::keeps)
    }

    /// The API processes.
    #[must_use]
    pub fn apis(&self) -> &[Process] {
        &self.running.programs.api
    }

    /// The worker processes.
    #[must_use]
    pub fn workers(&self) -> &[Process] {
        &self.running.programs.worker
    }

    /// The scheduler processes.
    #[must_use]
    pub fn schedulers(&self) -> &[Process] {
        &self.running.programs.scheduler
    }

    /// The private servers, for faults: while the lock is held, a dead one is not started again.
    pub async fn servers(&self) -> tokio::sync::MutexGuard<'_, Servers> {
        self.running.servers.lock().await
    }

    /// Stops everything in order, programs first, and removes the data unless they are kept.
    ///
    /// # Errors
    /// [`LocalError::File`] with what could not be removed.
    pub async fn stop(mut self) -> Result<(), LocalError> {
        self.watch.abort();
        self.running.programs.stop().await;
        self.running.servers.lock().await.stop().await;
        self.folder.take().map_or(Ok(()), DataFolder::close)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.watch.abort();
        self.running.programs.kill_now();
        if let Ok(mut servers) = self.running.servers.try_lock() {
            servers.mariadb = None;
            servers.rabbitmq = None;
            servers.redis = None;
            servers.postgres = None;
        }
    }
}

impl Running {
    fn run(&self) -> MutexGuard<'_, RunFile> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes `run.json` anew when a process has changed.
    fn refresh(&self, pids: Pids) {
        let mut run = self.run();
        if run.pids != pids {
            run.pids = pids;
            if let Err(error) = run.write(&self.run_path) {
                note(&chain(&error));
            }
        }
    }
}

async fn watch(running: Arc<Running>, changed: Arc<Notify>) {
    loop {
        let _ = tokio::time::timeout(LOOK_AGAIN, changed.notified()).await;
        let mut servers = running.servers.lock().await;
        Box::pin(servers.revive()).await;
        let pids = pids(&running.programs, &servers);
        drop(servers);
        running.refresh(pids);
    }
}

fn pids(programs: &Programs, servers: &Servers) -> Pids {
    let postgres = servers.postgres.as_ref().filter(|_| servers.urls.database_is_private).map(Postgres::pid);
    let redis = servers.redis.as_ref().map(crate::servers::redis::Redis::pid);
    let rabbitmq = servers.rabbitmq.as_ref().map(Rabbitmq::pid);
    let mariadb = servers.mariadb.as_ref().map(Mariadb::pid);
    Pids { postgres, redis, rabbitmq, mariadb, ..programs.pids() }
}
