//! A supervised program: it is started again when it dies, until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::child::Child;
use crate::error::{LocalError, chain};
use crate::notes::note;
use crate::spawn::Launch;

/// How often the program is looked at. A killed one is running again after about this time.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The pause before a second start; doubled for each one that follows, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A program that ran as long as this is healthy: the pauses begin anew.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);

/// A program that is kept running. Dropping it kills it.
pub struct Process {
    shared: Arc<Shared>,
    watch: JoinHandle<()>,
}

struct Shared {
    launch: Launch,
    log: PathBuf,
    changed: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    child: Option<Child>,
    restarts: u32,
    stopping: bool,
    first_death: Option<LocalError>,
}

enum Seen {
    Running,
    Stopping,
    Gone,
}

impl Process {
    /// Starts the program. `changed` is told at every death and every new start.
    ///
    /// # Errors
    /// As [`Child::start`].
    pub fn start(launch: Launch, log: PathBuf, changed: Arc<Notify>) -> Result<Self, LocalError> {
        let child = Child::start(&launch, &log)?;
        let state = State { child: Some(child), restarts: 0, stopping: false, first_death: None };
        let shared = Arc::new(Shared { launch, log, changed, state: Mutex::new(state) });
        #[expect(clippy::disallowed_methods, reason = "this crate depends on none of the others; the handle is kept and aborted")]
        let watch = tokio::spawn(watch(Arc::clone(&shared)));
        Ok(Self { shared, watch })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.launch.name
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.shared.log
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let mut state = self.shared.lock();
        state.child.as_mut().and_then(|child| child.try_exit().is_none().then(|| child.pid()))
    }

    /// How many times it was started again.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.shared.lock().restarts
    }

    /// Why it ended the first time, once; for a start that must not be retried in silence.
    #[must_use]
    pub fn first_death(&self) -> Option<LocalError> {
        self.shared.lock().first_death.take()
    }

    /// SIGKILL, as a crash; it is started again.
    pub fn kill9(&self) {
        self.with_child(Child::kill);
    }

    /// SIGSTOP: it stands still and holds what it holds.
    pub fn pause(&self) {
        self.with_child(|child| child.signal(Signal::STOP));
    }

    /// SIGCONT after a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.with_child(|child| child.signal(Signal::CONT));
    }

    /// SIGTERM, then SIGKILL when it has not ended within `grace`. It is not started again.
    pub async fn terminate(&self, grace: Duration) {
        let child = {
            let mut state = self.shared.lock();
            state.stopping = true;
            state.child.take()
        };
        if let Some(mut child) = child {
            child.terminate(grace).await;
        }
    }

    /// Kills it at once, for good.
    pub fn kill_now(&self) {
        let child = {
            let mut state = self.shared.lock();
            state.stopping = true;
            state.child.take()
        };
        drop(child);
    }

    fn with_child(&self, act: impl FnOnce(&mut Child)) {
        if let Some(child) = self.shared.lock().child.as_mut() {
            act(child);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_now();
        self.watch.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Seen {
        let mut state = self.lock();
        if state.stopping {
            return Seen::Stopping;
        }
        let Some(child) = state.child.as_mut() else {
            return Seen::Gone;
        };
        if child.try_exit().is_none() {
            return Seen::Running;
        }
        let death = child.died();
        if let LocalError::Died { status, .. } = &death {
            note(&format!("{} ended ({status}); it is started again", self.launch.name));
        }
        if state.first_death.is_none() {
            state.first_death = Some(death);
        }
        state.child = None;
        Seen::Gone
    }

    fn start_again(&self) {
        let mut state = self.lock();
        if state.stopping {
            return;
        }
        state.restarts += 1;
        match Child::start(&self.launch, &self.log) {
            Ok(child) => state.child = Some(child),
            Err(error) => note(&chain(&error)),
        }
    }
}

async fn watch(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    let mut started = Instant::now();
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        match shared.look() {
            Seen::Stopping => return,
            Seen::Running => {}
            Seen::Gone => {
                shared.changed.notify_one();
                if started.elapsed() >= HEALTHY_AFTER {
                    pause = FIRST_PAUSE;
                } else {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                shared.start_again();
                started = Instant::now();
                shared.changed.notify_one();
            }
        }
    }
}
