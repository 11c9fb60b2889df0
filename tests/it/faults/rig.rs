//! What the tests of faults stand on: the programs as processes, a proxy before their broker, and clients that insist.

use std::{net::SocketAddr, time::Duration};

use datagenie_tests::{
    Addresses, Asked, Bells, Conservation, DEADLINE, EventReader, Plan, Processes, Proxy, TestApp, TestAppBuilder, amqp_url, until, word,
};
use futures::future::LocalBoxFuture;
use reqwest::Url;
use sqlx::PgPool;
use tokio::time::timeout;
use uuid::Uuid;

/// How long everything that was accepted may take to end after the last fault.
pub const SETTLED: Duration = DEADLINE;

/// Clients that ask at the same time.
pub const CLIENTS: usize = 4;

/// Which broker the processes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Redis,
    Rabbitmq,
}

/// The rig. Its app has neither worker nor scheduler and an idle api: everything under test is a process.
pub struct Rig {
    /// Programs that reach the broker through the proxy.
    pub processes: Processes,
    /// Before the broker.
    pub proxy: Proxy,
    /// What lies in the broker.
    pub bells: Bells,
    /// The shop's connection.
    pub shop: Uuid,
    /// Database, model, Redis.
    pub app: TestApp,
    _queues: Option<Queues>,
}

/// A test's queues on the node that all share. Dropping it deletes them.
struct Queues(Bells);

impl Drop for Queues {
    fn drop(&mut self) {
        let bells = self.0.clone();
        // A destructor can't await, and the test's runtime may be ending: a thread with one of its own does it.
        let deleting = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else { return };
            let _ = runtime.block_on(async { timeout(Duration::from_secs(5), bells.wipe()).await });
            runtime.shutdown_background();
        });
        let _ = deleting.join();
    }
}

/// Short leases, soon rung again, and attempts for many crashes.
pub fn sturdy() -> TestAppBuilder {
    TestApp::builder()
        .no_worker()
        .no_scheduler()
        .with_setting("jobs.lease_seconds", "2")
        .with_setting("jobs.stale_ring_seconds", "1")
        .with_setting("jobs.max_attempts", "20")
}

impl Rig {
    /// On the app's own Redis, or on the RabbitMQ that all tests share, with names of its own.
    pub fn start(on: On) -> LocalBoxFuture<'static, Self> {
        Self::with(on, sturdy())
    }

    /// The same with other settings.
    pub fn with(on: On, builder: TestAppBuilder) -> LocalBoxFuture<'static, Self> {
        // Boxed here, once for all tests: the app and what it is made of are large.
        Box::pin(async move {
            let app = builder.start().await;
            let broker = match on {
                On::Redis => app.redis.url().to_owned(),
                On::Rabbitmq => amqp_url(),
            };
            let mut rig = Self::before(app, &broker).await;
            rig._queues = (on == On::Rabbitmq).then(|| Queues(rig.bells.clone()));
            rig
        })
    }

    /// On the broker at this URL.
    pub async fn before(app: TestApp, broker: &str) -> Self {
        let shop = app.shop_pg().await;
        let (proxy, url) = proxy_before(broker).await;
        let namespace = format!("test-{}", word());
        let processes = Processes::of(&app).with_setting("broker.url", &url).with_setting("broker.namespace", &namespace);
        Self { processes, proxy, bells: Bells::new(broker, namespace), shop, app, _queues: None }
    }

    /// Questions to the shop at these apis: from several clients, without an end.
    pub fn plan(&self, addresses: &Addresses) -> Plan {
        let (client, connection) = (self.app.admin.clone(), Some(self.shop));
        Plan { client, addresses: addresses.clone(), connection, at_once: CLIENTS, pause: Duration::from_millis(100), total: None }
    }

    /// So many questions.
    pub fn plan_of(&self, addresses: &Addresses, total: usize) -> Plan {
        Plan { total: Some(total), ..self.plan(addresses) }
    }

    /// A reader of everybody's events.
    pub fn reader(&self, addresses: &Addresses) -> EventReader {
        EventReader::start(&self.app.admin, addresses)
    }

    /// Waits for the end of everything and checks that each question was answered, once.
    pub async fn settle(&self, asked: Asked, reader: EventReader) -> Conservation {
        let account = Box::pin(Conservation::of(&self.app.pool, asked, reader, SETTLED)).await.expect("the tables are read");
        account.assert_all_answered();
        account
    }

    /// A proxy before the system database, and the URL that leads through it.
    pub async fn proxy_before_database(&self) -> (Proxy, String) {
        proxy_before(&format!("{}?sslmode=disable", self.app.database.url)).await
    }

    /// Waits until workers have so many questions in hand.
    pub async fn running(&self, at_least: i64) {
        until(|| async { (running(&self.app.pool).await >= at_least).then_some(()) }, "questions are in hand").await;
    }

    /// All that is stored of work, as one word: two that are the same mean that nothing was written between.
    pub async fn digest(&self) -> String {
        sqlx::query_scalar(
            "SELECT md5(concat(
                 (SELECT string_agg(to_jsonb(q)::text, '' ORDER BY q.id) FROM query_history q),
                 (SELECT string_agg(to_jsonb(r)::text, '' ORDER BY r.id) FROM analysis_results r),
                 (SELECT string_agg(to_jsonb(j)::text, '' ORDER BY j.id) FROM jobs j),
                 (SELECT string_agg(to_jsonb(a)::text, '' ORDER BY a.job_id, a.lease_id) FROM job_attempts a),
                 (SELECT string_agg(to_jsonb(e)::text, '' ORDER BY e.seq) FROM events e)))",
        )
        .fetch_one(&self.app.pool)
        .await
        .expect("the tables are read")
    }
}

/// How many questions run.
pub async fn running(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state = 'running' AND kind = 'answer_question'")
        .fetch_one(pool)
        .await
        .expect("they are counted")
}

/// A proxy before the server of this URL, and the URL that leads through it.
pub async fn proxy_before(url: &str) -> (Proxy, String) {
    let mut url: Url = url.parse().expect("the server has a URL");
    let default = if url.scheme().starts_with("amqp") { 5672 } else { 6379 };
    let upstream = (url.host_str().expect("it names a host").to_owned(), url.port().unwrap_or(default));
    let upstream: SocketAddr = tokio::net::lookup_host(upstream).await.expect("the host is known").next().expect("the host has an address");
    let proxy = Proxy::start(upstream).await;
    let address = proxy.address();
    url.set_host(Some(&address.ip().to_string())).expect("an address is a host");
    url.set_port(Some(address.port())).expect("a server has a port");
    (proxy, url.into())
}
