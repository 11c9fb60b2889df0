//! Our own programs: how they are called and what environment they get.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::options::SystemOptions;
use super::servers::Urls;
use crate::data_folder::DataFolder;
use crate::error::{LocalError, chain};
use crate::net::free_port;
use crate::process::Process;
use crate::run_file::Pids;
use crate::spawn::Launch;

/// The user that everything is registered by.
pub const ADMIN: &str = "admin";
const ADMIN_EMAIL: &str = "admin@datagenie.local";
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
const READY_LIMIT: Duration = Duration::from_secs(90);
/// How long a program may take to end its work after SIGTERM.
const GRACE: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The running programs.
pub struct Programs {
    /// `datagenie-api serve`.
    pub api: Vec<Process>,
    /// `datagenie-worker`.
    pub worker: Vec<Process>,
    /// `datagenie-scheduler`.
    pub scheduler: Vec<Process>,
}

/// The path of a program that was built.
///
/// # Errors
/// [`LocalError::NotBuilt`] when it is not there.
pub fn built(bin_dir: &Path, name: &str) -> Result<PathBuf, LocalError> {
    let path = bin_dir.join(name);
    if path.is_file() { Ok(path) } else { Err(LocalError::NotBuilt { path }) }
}

/// A new sealing key from `datagenie-api keygen`.
///
/// # Errors
/// [`LocalError::Failed`] with the program's words.
pub async fn make_sealing_key(options: &SystemOptions) -> Result<String, LocalError> {
    let mut launch = Launch::new("datagenie-api keygen", built(&options.bin_dir, "datagenie-api")?, &["keygen"]);
    launch.env = Some(options.env.clone());
    let key = launch.output(COMMAND_LIMIT).await?.trim().to_owned();
    if key.is_empty() || key.lines().count() != 1 {
        return Err(LocalError::Refused("datagenie-api keygen did not print one line with a key".to_owned()));
    }
    Ok(key)
}

/// The environment that all programs share: the caller's, then what this system decides.
#[must_use]
pub fn environment(options: &SystemOptions, folder: &DataFolder, sealing_key: Option<&str>, urls: &Urls) -> Vec<(String, String)> {
    // The password is for one command only, see `create_admin`.
    let mut env: Vec<(String, String)> = options.env.iter().filter(|(key, _)| key != "DATAGENIE_ADMIN_PASSWORD").cloned().collect();
    let mut set = |key: &str, value: String| {
        env.retain(|(name, _)| name != key);
        env.push((key.to_owned(), value));
    };
    set("DATAGENIE_DATABASE__URL", urls.database.clone());
    set("DATAGENIE_REDIS__URL", urls.redis.clone());
    set("DATAGENIE_BROKER__URL", urls.broker.clone());
    set("DATAGENIE_API__PORT", options.port.to_string());
    if options.setting("DATAGENIE_API__HOST").is_none() {
        set("DATAGENIE_API__HOST", "127.0.0.1".to_owned());
    }
    if let Some(key) = sealing_key {
        set("DATAGENIE_SEALING__KEY", key.to_owned());
    }
    if options.setting("DATAGENIE_FILES__ROOT").is_none() {
        set("DATAGENIE_FILES__ROOT", folder.path("files").display().to_string());
    }
    let sample = folder.path("sample").display().to_string();
    let roots = options.setting("DATAGENIE_SOURCES__SQLITE_ROOTS").map_or_else(|| sample.clone(), |roots| format!("{roots}:{sample}"));
    set("DATAGENIE_SOURCES__SQLITE_ROOTS", roots);
    env
}

/// Applies the migrations and makes the admin; both may be repeated.
///
/// # Errors
/// [`LocalError::Failed`] with the program's words.
pub async fn prepare_database(options: &SystemOptions, env: &[(String, String)], admin_password: &str) -> Result<(), LocalError> {
    let program = built(&options.bin_dir, "datagenie-api")?;
    let mut migrate = Launch::new("datagenie-api migrate", &program, &["migrate"]);
    migrate.env = Some(env.to_vec());
    migrate.output(COMMAND_LIMIT).await?;
    let args = ["create-admin", "--username", ADMIN, "--email", ADMIN_EMAIL];
    let mut create_admin = Launch::new("datagenie-api create-admin", &program, &args);
    let mut env = env.to_vec();
    env.push(("DATAGENIE_ADMIN_PASSWORD".to_owned(), admin_password.to_owned()));
    create_admin.env = Some(env);
    create_admin.output(COMMAND_LIMIT).await.map(drop)
}

/// Has glibc give the large buffers of a long result back when they are freed. Left to itself it raises this threshold with the first one,
/// and a worker that has read some long rows keeps several times the memory that it uses.
const MMAP_THRESHOLD: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "1048576");

impl Programs {
    /// Starts all processes; each gets a free port for its health endpoint.
    ///
    /// # Errors
    /// [`LocalError::NotBuilt`], [`LocalError::Spawn`], [`LocalError::NoFreePort`].
    pub fn start(
        options: &SystemOptions,
        folder: &DataFolder,
        env: &[(String, String)],
        changed: &Arc<Notify>,
    ) -> Result<Self, LocalError> {
        let start = |program: &str, args: &[&str], number: usize, health: Option<&str>| {
            let name = format!("{program}-{number}");
            let mut launch = Launch::new(&name, built(&options.bin_dir, program)?, args);
            let mut env = env.to_vec();
            if program == "datagenie-worker" && !env.iter().any(|(name, _)| name == MMAP_THRESHOLD.0) {
                env.push((MMAP_THRESHOLD.0.to_owned(), MMAP_THRESHOLD.1.to_owned()));
            }
            if let Some(key) = health {
                env.retain(|(name, _)| name != key);
                env.push((key.to_owned(), free_port()?.to_string()));
            }
            launch.env = Some(env);
            Process::start(launch, folder.log(&name), Arc::clone(changed))
        };
        let many = |program: &str, count: usize, health: &str| {
            (1..=count).map(|number| start(program, &[], number, Some(health))).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            api: vec![start("datagenie-api", &["serve"], 1, None)?],
            worker: many("datagenie-worker", options.workers, "DATAGENIE_WORKER__HEALTH_PORT")?,
            scheduler: many("datagenie-scheduler", options.schedulers, "DATAGENIE_SCHEDULER__HEALTH_PORT")?,
        })
    }

    /// All processes.
    pub fn all(&self) -> impl Iterator<Item = &Process> {
        self.api.iter().chain(&self.worker).chain(&self.scheduler)
    }

    /// Waits until the API says that it is ready.
    ///
    /// # Errors
    /// [`LocalError::Died`] when a program ends meanwhile, [`LocalError::NotReady`].
    pub async fn wait_ready(&self, http: &reqwest::Client, url: &str) -> Result<(), LocalError> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Some(death) = self.all().find_map(Process::first_death) {
                return Err(death);
            }
            let last = match http.get(format!("{url}/readyz")).timeout(Duration::from_secs(5)).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => format!("/readyz answered {}", answer.status().as_u16()),
                Err(error) => chain(&error),
            };
            if Instant::now() >= deadline {
                return Err(LocalError::NotReady {
                    program: "datagenie-api".to_owned(),
                    seconds: READY_LIMIT.as_secs(),
                    last,
                    log: self.api.first().map(|api| api.log().to_path_buf()).unwrap_or_default(),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The process ids as they are now; the servers' are left out.
    #[must_use]
    pub fn pids(&self) -> Pids {
        let of = |processes: &[Process]| processes.iter().filter_map(Process::pid).collect();
        Pids { api: of(&self.api), worker: of(&self.worker), scheduler: of(&self.scheduler), ..Pids::default() }
    }

    /// Stops all, each with its time to finish.
    pub async fn stop(&self) {
        futures::future::join_all(self.all().map(|process| process.terminate(GRACE))).await;
    }

    /// Kills all at once.
    pub fn kill_now(&self) {
        self.all().for_each(Process::kill_now);
    }
}
