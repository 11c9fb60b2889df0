//! A private system whose programs are started and stopped phase by phase, each time on an emptied ledger.
//!
//! The launcher brings the servers up, migrates, and registers the sample; then its own programs are ended for good and ours take
//! their place, because intake is measured without workers, and a backlog is made before they start.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use datagenie_local::{
    BrokerKind, System, SystemOptions,
    child::Child,
    net,
    notes::note,
    run_file::RunFile,
    spawn::Launch,
    system::{http::Api, programs},
    with_servers::TempFolder,
};
use reqwest::Method;
use tokio::time::{Instant, sleep};

use crate::{
    ledger::Ledger,
    load::{self, Question, Until},
    model::Model,
    neighbour,
    proc::Tree,
    run::Options,
};

/// How long a program may take to end, and to get ready.
const GRACE: Duration = Duration::from_secs(25);
const READY: Duration = Duration::from_secs(60);
/// When nothing ends for so long, something is wrong.
const STALLED: Duration = Duration::from_secs(60);
/// Questions asked before anything is measured with workers.
const WARM: u64 = 200;
/// A backlog this long needs more than the default of what may wait.
const LONG_BACKLOG: u64 = 225_000;

/// Which programs a phase needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// The api alone; workers may be started later.
    Api,
    /// The api, a worker and a scheduler, warmed up.
    Workers,
}

/// The system.
pub struct Fleet {
    // Dropped in this order: programs, servers, their folder.
    api: Option<Child>,
    others: Vec<(&'static str, Child)>,
    system: System,
    /// Where everything is.
    pub run: RunFile,
    /// Its database.
    pub ledger: Ledger,
    /// The connection that is asked about.
    pub connection: String,
    /// The API key of a user who does not ask what the others wait for.
    pub neighbour: String,
    bin_dir: PathBuf,
    environment: Vec<(String, String)>,
    logs: PathBuf,
    phase: u32,
    _folder: TempFolder,
}

impl Fleet {
    /// Brings the servers up and registers what is asked about. No program runs when this returns.
    pub async fn start(options: &Options, broker: BrokerKind, model: &Model) -> anyhow::Result<Self> {
        let folder = TempFolder::new("bench")?;
        let data = folder.path().join("data");
        let mut wanted = SystemOptions::new(&options.bin_dir, &data, net::free_port()?);
        wanted.sample = true;
        wanted.broker = broker;
        wanted.env = environment(options, model);
        let sealing_key = programs::make_sealing_key(&wanted).await?;
        wanted.env.push(("DATAGENIE_SEALING__KEY".to_owned(), sealing_key));
        let (mut environment, port) = (wanted.env.clone(), wanted.port);
        let system = System::start(wanted).await?;
        let run = system.run_file();
        let connection = run.connections.get("shop").context("the sample is registered")?.clone();
        let neighbour = neighbour::make(&run, &connection).await?;
        for process in system.apis().iter().chain(system.workers()).chain(system.schedulers()) {
            process.terminate(GRACE).await;
        }
        let database = run.postgres_url.clone().context("the system database is a private one")?;
        let redis = run.redis_url.clone().context("there is a Redis")?;
        let path = |name: &str| data.join(name).display().to_string();
        for (name, value) in [
            ("DATABASE__URL", database.clone()),
            ("BROKER__URL", run.amqp_url.clone().unwrap_or_else(|| redis.clone())),
            ("REDIS__URL", redis),
            ("API__HOST", "127.0.0.1".to_owned()),
            ("API__PORT", port.to_string()),
            ("FILES__ROOT", path("files")),
            ("SOURCES__SQLITE_ROOTS", path("sample")),
        ] {
            environment.push((format!("DATAGENIE_{name}"), value));
        }
        let logs = options.logs.clone().unwrap_or_else(|| folder.path().join("logs"));
        std::fs::create_dir_all(&logs).with_context(|| format!("the folder {}", logs.display()))?;
        let ledger = Ledger::open(&database).await?;
        let bin_dir = options.bin_dir.clone();
        let (api, others) = (None, Vec::new());
        Ok(Self { api, others, system, run, ledger, connection, neighbour, bin_dir, environment, logs, phase: 0, _folder: folder })
    }

    /// Ends what runs, empties the ledger, and starts what the phase needs.
    pub async fn begin(&mut self, with: With) -> anyhow::Result<()> {
        self.end().await;
        self.ledger.empty().await?;
        self.phase += 1;
        self.api = Some(self.launch("datagenie-api", &["serve"])?);
        self.wait_ready().await?;
        if with == With::Workers {
            self.start_workers()?;
            load::submit(&self.question()?, 8, Until::Count(WARM)).await?;
            self.wait_ended(WARM).await?;
        }
        Ok(())
    }

    /// Starts a worker and a scheduler.
    pub fn start_workers(&mut self) -> anyhow::Result<()> {
        for (name, program) in [("worker", "datagenie-worker"), ("scheduler", "datagenie-scheduler")] {
            let child = self.launch(program, &[])?;
            self.others.push((name, child));
        }
        Ok(())
    }

    /// Starts a worker alone, with settings of its own.
    pub fn start_worker(&mut self, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        let child = self.launch_with("datagenie-worker", &[], settings)?;
        self.others.push(("worker", child));
        Ok(())
    }

    /// Starts a scheduler alone.
    pub fn start_scheduler(&mut self) -> anyhow::Result<()> {
        let child = self.launch("datagenie-scheduler", &[])?;
        self.others.push(("scheduler", child));
        Ok(())
    }

    /// Ends all programs but the api.
    pub async fn end_others(&mut self) {
        futures::future::join_all(self.others.iter_mut().map(|(_, child)| child.terminate(GRACE))).await;
        self.others.clear();
    }

    /// The settings of all programs.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The process id of the worker.
    pub fn worker_pid(&self) -> anyhow::Result<u32> {
        self.others.iter().find(|(name, _)| *name == "worker").map(|(_, child)| child.pid()).context("the worker runs")
    }

    /// A question of the first user.
    pub fn question(&self) -> anyhow::Result<Question> {
        Question::new(&self.run.url, &self.run.api_key, &self.connection)
    }

    /// The process id of the api.
    pub fn api_pid(&self) -> anyhow::Result<u32> {
        self.api.as_ref().map(Child::pid).context("the api runs")
    }

    /// Everything that runs now.
    pub fn trees(&self) -> Vec<Tree> {
        let servers = self.system.run_file().pids;
        let servers = [("postgres", servers.postgres), ("redis", servers.redis), ("rabbitmq", servers.rabbitmq)];
        let api = self.api.iter().map(|child| Tree { name: "api", root: child.pid() });
        let others = self.others.iter().map(|(name, child)| Tree { name, root: child.pid() });
        let servers = servers.into_iter().filter_map(|(name, pid)| Some(Tree { name, root: pid? }));
        api.chain(others).chain(servers).collect()
    }

    /// Waits until so many questions have ended, all of them well.
    pub async fn wait_ended(&mut self, count: u64) -> anyhow::Result<()> {
        let mut progress = Progress::new(count);
        loop {
            let (succeeded, failed) = self.ledger.ended().await?;
            ensure!(failed == 0, "{failed} questions did not end well");
            if progress.reached(succeeded)? {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until there are so many results, and says how many there are.
    pub async fn wait_results(&mut self, count: u64) -> anyhow::Result<u64> {
        let mut progress = Progress::new(count);
        loop {
            let results = self.ledger.results().await?;
            if progress.reached(results)? {
                return Ok(progress.seen);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends everything.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.end().await;
        Ok(self.system.stop().await?)
    }

    async fn end(&mut self) {
        let children = self.api.iter_mut().chain(self.others.iter_mut().map(|(_, child)| child));
        let ends = futures::future::join_all(children.map(|child| child.terminate(GRACE))).await;
        if ends.iter().flatten().any(|status| !status.success()) {
            note("a program did not end cleanly; --logs DIR keeps their logs");
        }
        self.api = None;
        self.others.clear();
    }

    fn launch(&self, program: &str, args: &[&str]) -> anyhow::Result<Child> {
        self.launch_with(program, args, &[])
    }

    fn launch_with(&self, program: &str, args: &[&str], settings: &[(&str, &str)]) -> anyhow::Result<Child> {
        let mut launch = Launch::new(program, programs::built(&self.bin_dir, program)?, args);
        let mut environment = self.environment.clone();
        // Streams and queues of its own, so that no phase hears the bells of the one before.
        environment.push(("DATAGENIE_BROKER__NAMESPACE".to_owned(), format!("bench{}", self.phase)));
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        launch.env = Some(environment);
        Ok(Child::start(&launch, &self.logs.join(format!("{program}.log")))?)
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let http = Api::new(&self.run.url)?;
        let deadline = Instant::now() + READY;
        while let Err(error) = http.call(Method::GET, "/readyz", None, None).await {
            if let Some(api) = &mut self.api
                && api.try_exit().is_some()
            {
                return Err(api.died().into());
            }
            if Instant::now() >= deadline {
                return Err(error).context("the api did not get ready");
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

fn environment(options: &Options, model: &Model) -> Vec<(String, String)> {
    let mut environment = vec![
        ("DATAGENIE_LLM__BASE_URL".to_owned(), model.base_url()),
        // Where the bench takes webhooks.
        ("DATAGENIE_WEBHOOKS__ALLOW_CIDRS".to_owned(), "127.0.0.0/8".to_owned()),
    ];
    if options.backlog > LONG_BACKLOG {
        for name in ["DATAGENIE_LIMITS__WAITING_PER_USER", "DATAGENIE_LIMITS__WAITING"] {
            environment.push((name.to_owned(), (options.backlog * 2).to_string()));
        }
    }
    environment.extend(options.env.iter().cloned());
    environment
}

/// Whether a count still grows.
struct Progress {
    wanted: u64,
    seen: u64,
    grew: Instant,
}

impl Progress {
    fn new(wanted: u64) -> Self {
        Self { wanted, seen: 0, grew: Instant::now() }
    }

    fn reached(&mut self, count: i64) -> anyhow::Result<bool> {
        let count = u64::try_from(count).unwrap_or_default();
        if count > self.seen {
            (self.seen, self.grew) = (count, Instant::now());
        }
        if self.grew.elapsed() > STALLED {
            bail!("no question has ended for {} s ({count} of {}); --logs DIR keeps the programs' logs", STALLED.as_secs(), self.wanted);
        }
        Ok(count >= self.wanted)
    }
}
