//! The soak: questions flow while programs and servers are killed, stopped, cut off and wiped, in an order fixed by a seed; at the end
//! everything that was accepted must have ended, once.

mod faults;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use datagenie_local::{BrokerKind, System, SystemOptions, net, sample::random::Random, with_servers::TempFolder};
use datagenie_tests::{Addresses, Answer, Asker, Bells, Client, Conservation, EventReader, ModelStub, Plan, Recovery};
use serde::Serialize;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use faults::{Fault, Saboteur};

/// How long everything may take to end after the last fault.
const SETTLED: Duration = Duration::from_secs(180);
/// From one fault to the next.
const EVERY: Duration = Duration::from_secs(2);
const LEASE_SECONDS: u64 = 5;

/// What the soak is to be.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The folder of the programs.
    #[arg(long)]
    bin_dir: PathBuf,
    /// The broker.
    #[arg(long, value_enum, default_value = "redis")]
    broker: BrokerKind,
    /// How long faults go on.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Worker processes.
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// Scheduler processes.
    #[arg(long, default_value_t = 2)]
    schedulers: usize,
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Fixes the order of the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How far the programs' clock is ahead of PostgreSQL's.
    #[arg(long, default_value_t = 600)]
    clock_offset_seconds: i64,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `redis` or `rabbitmq`.
    pub broker: String,
    /// The seed that repeats it.
    pub seed: u64,
    /// How long it took, the settling included.
    pub seconds: f64,
    /// How often each fault was injected.
    pub faults: Vec<(&'static str, u64)>,
    /// Questions that were accepted.
    pub accepted: u64,
    /// Jobs that are over, those of connections included.
    pub terminal: u64,
    /// All attempts.
    pub attempts: u64,
    /// Those whose lease ran out.
    pub crashes: u64,
    /// Results and terminal events too many.
    pub duplicates: u64,
    /// How soon the jobs of killed workers ran again. Faults of servers meanwhile make it longer than it is by design.
    pub recovery: Recovery,
    /// From the last fault to the end of everything, in seconds.
    pub settled_after: f64,
    /// All counts.
    pub account: Conservation,
    /// What is not as it must be: nothing.
    pub violations: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("questions accepted", self.accepted),
            ("questions stored", self.account.standing.questions),
            ("questions answered", self.account.standing.succeeded),
            ("jobs terminal", self.terminal),
            ("attempts", self.attempts),
            ("attempts that crashed", self.crashes),
            ("dead jobs", self.account.standing.dead),
            ("events heard", self.account.heard.heard),
            ("sockets of the reader", self.account.heard.sockets),
            ("tries sent again by clients", self.account.asked.tried_again),
            ("duplicates", self.duplicates),
        ];
        writeln!(f, "{:<48} {:>12}", format!("soak on {}, seed {}", self.broker, self.seed), "value")?;
        for (fault, times) in &self.faults {
            writeln!(f, "{:<48} {times:>12}", format!("fault: {fault}"))?;
        }
        for (what, count) in counts {
            writeln!(f, "{what:<48} {count:>12}")?;
        }
        writeln!(f, "{:<48} {:>12.2}", "worst recovery after the lease's end, s", self.recovery.worst_after_lease)?;
        writeln!(f, "{:<48} {:>12.2}", "worst recovery after the kill, s", self.recovery.worst_after_kill)?;
        writeln!(f, "{:<48} {:>12.2}", "from the last fault to the last end, s", self.settled_after)?;
        for violation in &self.violations {
            writeln!(f, "VIOLATED: {violation}")?;
        }
        for job in &self.account.standing.left {
            writeln!(f, "NOT OVER: {job}")?;
        }
        Ok(())
    }
}

/// Runs it.
///
/// # Errors
/// If the system does not start, or anything was lost or done twice: with the whole report.
pub async fn run(options: Options) -> anyhow::Result<Report> {
    let stub = ModelStub::start().await;
    stub.say(Answer::Mixed { errors: 20, hangs: 5, well: Box::new(well()) });
    let folder = TempFolder::new("soak")?;
    let system = Arc::new(Box::pin(System::start(system_options(&options, &folder, &stub)?)).await?);
    let report = Box::pin(soak(&options, &system, &stub)).await;
    if let Some(system) = Arc::into_inner(system) {
        Box::pin(system.stop()).await?;
    }
    let report = report?;
    anyhow::ensure!(report.violations.is_empty(), "the soak found faults\n{report}");
    Ok(report)
}

/// What the model answers when nothing is wrong with it.
fn well() -> Answer {
    Answer::Slow(Duration::from_millis(50), Box::new(Answer::Text("an answer")))
}

fn system_options(options: &Options, folder: &TempFolder, stub: &ModelStub) -> anyhow::Result<SystemOptions> {
    let mut system = SystemOptions::new(&options.bin_dir, folder.path().join("data"), net::free_port()?);
    (system.broker, system.workers, system.schedulers) = (options.broker, options.workers, options.schedulers);
    let settings = [
        ("LLM__BASE_URL", stub.base_url()),
        ("LLM__API_KEY", "sk-of-the-soak".to_owned()),
        ("LLM__TIMEOUT_SECONDS", "2".to_owned()),
        ("JOBS__LEASE_SECONDS", LEASE_SECONDS.to_string()),
        ("JOBS__STALE_RING_SECONDS", "2".to_owned()),
        // Crashes are many here, and outages of the model must not end a question either.
        ("JOBS__MAX_ATTEMPTS", "100".to_owned()),
        ("JOBS__RUN_SECONDS", "3600".to_owned()),
        ("CLOCK__OFFSET_SECONDS", options.clock_offset_seconds.to_string()),
    ];
    system.env.extend(settings.map(|(name, value)| (format!("DATAGENIE_{name}"), value)));
    Ok(system)
}

async fn soak(options: &Options, system: &Arc<System>, stub: &ModelStub) -> anyhow::Result<Report> {
    let run = system.run_file();
    let url = run.postgres_url.as_deref().context("the system database is a private one")?;
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(5)).connect(url).await?;
    let client = Client::anonymous(&run.url).with_token(run.api_key.as_str());
    let addresses = Addresses::new([run.url.as_str()]);
    let broker = system.servers().await.urls.broker.clone();
    let mut saboteur = Saboteur::new(Arc::clone(system), pool.clone(), Bells::new(broker, "datagenie"), LEASE_SECONDS);
    let reader = EventReader::start(&client, &addresses);
    let pause = Duration::from_millis(50);
    let asker = Asker::start(Plan { client, addresses, connection: None, at_once: options.clients, pause, total: None });

    let began = Instant::now();
    let ends = began + Duration::from_secs_f64((options.minutes * 60.0).max(0.0));
    let (mut random, mut bag) = (Random::new(options.seed), Vec::new());
    while Instant::now() < ends {
        sleep(EVERY).await;
        if bag.is_empty() {
            bag = shuffled(&mut random);
        }
        if let Some(fault) = bag.pop() {
            Box::pin(saboteur.inject(fault)).await;
        }
    }
    Box::pin(saboteur.mend()).await;
    // The model's failures are a fault like the others, and end with them: of tens of thousands of questions one meets seven in a row.
    stub.say(well());
    let mended = Instant::now();
    let asked = asker.stop().await;
    let account = Box::pin(account(&pool, asked, reader)).await?;
    let settled_after = mended.elapsed().as_secs_f64();
    let recovery = saboteur.victims().recovery(&pool).await?;
    pool.close().await;
    let (standing, heard) = (&account.standing, &account.heard);
    Ok(Report {
        broker: format!("{:?}", options.broker).to_lowercase(),
        seed: options.seed,
        seconds: began.elapsed().as_secs_f64(),
        faults: saboteur.injected(),
        accepted: standing.accepted,
        terminal: standing.terminal,
        attempts: standing.attempts,
        crashes: standing.crashes,
        duplicates: standing.stored_twice + standing.doubled_results + standing.doubled_events + standing.doubled_ends + heard.doubled,
        recovery,
        settled_after,
        violations: account.faults(),
        account,
    })
}

async fn account(pool: &PgPool, asked: datagenie_tests::Asked, reader: EventReader) -> anyhow::Result<Conservation> {
    let accepted: Vec<Uuid> = asked.ids.clone();
    anyhow::ensure!(!accepted.is_empty(), "no question was accepted: {asked:?}");
    Ok(Conservation::of(pool, asked, reader, SETTLED).await?)
}

/// Every fault once, in a random order.
fn shuffled(random: &mut Random) -> Vec<Fault> {
    let mut faults = Fault::ALL.to_vec();
    for last in (1..faults.len()).rev() {
        faults.swap(last, random.index(last + 1));
    }
    faults
}
