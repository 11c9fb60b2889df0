//! The real programs as processes, for tests that kill or stop one: with a test app's settings, as environment variables.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use datagenie_local::{child::Child, net::lasting_ports, spawn::Launch, with_servers::BIN_DIR};
use rustix::process::Signal;

use crate::{app::TestApp, client::Client, wait::until};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);

/// Starts programs. Clones may be given other settings.
#[derive(Clone)]
pub struct Processes {
    bin_dir: PathBuf,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    started: Arc<AtomicUsize>,
}

/// Where our programs lie.
///
/// # Panics
/// If this test's own program can't be found.
#[must_use]
pub fn bin_dir() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().expect("this program has a path");
        // target/debug/deps/it-… → target/debug
        test.parent().and_then(Path::parent).expect("it lies in a folder of a target folder").to_owned()
    };
    std::env::var_os(BIN_DIR).filter(|dir| !dir.is_empty()).map_or_else(beside, PathBuf::from)
}

impl Processes {
    /// Programs that share this app's database, Redis, files and model.
    ///
    /// # Panics
    /// If this test's own program can't be found.
    #[must_use]
    pub fn of(app: &TestApp) -> Self {
        Self { bin_dir: bin_dir(), folder: app.folder().to_owned(), environment: app.environment.clone(), started: Arc::default() }
    }

    /// The same, with another setting.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(crate::builder::variable(name), value.to_owned());
        self
    }

    /// The same, with an environment variable that is no setting.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `datagenie-worker`.
    #[must_use]
    pub fn worker(&self) -> Process {
        self.start("datagenie-worker", &[], &self.environment)
    }

    /// `datagenie-scheduler`.
    #[must_use]
    pub fn scheduler(&self) -> Process {
        self.start("datagenie-scheduler", &[], &self.environment)
    }

    /// `datagenie-api serve`, once it is ready, and its URL.
    ///
    /// # Panics
    /// If it does not get ready.
    pub async fn api(&self) -> (Process, String) {
        let [port] = lasting_ports::<1>().expect("a free port");
        let mut environment = self.environment.clone();
        environment.insert("DATAGENIE_API__PORT".to_owned(), port.to_string());
        let process = self.start("datagenie-api", &["serve"], &environment);
        let url = format!("http://127.0.0.1:{port}");
        process.serves(&url).await;
        (process, url)
    }

    /// Any of our programs, with arguments and its whole environment.
    ///
    /// # Panics
    /// If it was not built.
    #[must_use]
    pub fn start(&self, program: &str, args: &[&str], environment: &BTreeMap<String, String>) -> Process {
        let path = self.bin_dir.join(program);
        assert!(path.is_file(), "{} is not built: cargo build --workspace", path.display());
        let mut launch = Launch::new(program, path, args);
        launch.env = Some(environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.join(format!("{program}-{number}.log"));
        let child = Child::start(&launch, &log).expect("the program starts");
        Process { child: Mutex::new(child), launch, log }
    }
}

/// A running program. Dropping it kills it.
pub struct Process {
    child: Mutex<Child>,
    launch: Launch,
    log: PathBuf,
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child().pid()
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.child().try_exit().is_none()
    }

    /// SIGKILL.
    pub fn kill9(&self) {
        self.child().kill();
    }

    /// SIGSTOP: it stands still and holds what it holds.
    pub fn stop(&self) {
        self.child().signal(Signal::STOP);
    }

    /// SIGCONT after a stop.
    pub fn cont(&self) {
        self.child().signal(Signal::CONT);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.child().signal(Signal::TERM);
    }

    /// Starts it anew with the same environment and log; one that still runs is killed first.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn restart(&self) {
        let mut child = self.child();
        child.kill();
        // Until it is reaped an api holds its port.
        child.exited_within_blocking(Duration::from_secs(5));
        *child = Child::start(&self.launch, &self.log).expect("the program starts again");
    }

    /// Waits until an api process is ready at this URL.
    ///
    /// # Panics
    /// If it ends, or does not get ready.
    pub async fn serves(&self, url: &str) {
        let client = Client::anonymous(url);
        until(
            || async {
                assert!(self.is_running(), "the api ended: {}", self.log());
                let request = client.request(reqwest::Method::GET, "/readyz");
                request.send().await.is_ok_and(|response| response.status().is_success()).then_some(())
            },
            "the api process is ready",
        )
        .await;
    }

    /// Waits until it has written these words.
    ///
    /// # Panics
    /// If it ends before that, or never does.
    pub async fn says(&self, words: &str) {
        until(
            || async {
                assert!(self.is_running(), "it ended: {}", self.log());
                self.log().contains(words).then_some(())
            },
            words,
        )
        .await;
    }

    /// Waits until it has ended: its exit code; none: a signal ended it.
    ///
    /// # Panics
    /// If it goes on.
    pub async fn exit_code(&self) -> Option<i32> {
        let deadline = tokio::time::Instant::now() + GRACE;
        loop {
            let exit = self.child().try_exit();
            if let Some(status) = exit {
                return status.code();
            }
            assert!(tokio::time::Instant::now() < deadline, "the program does not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All that it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
