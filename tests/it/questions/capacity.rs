//! What the fleet may use at once: no process takes what another one holds, nobody is left without, and a process that is gone leaves
//! its part to the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use datagenie_common::{
    ids::{ConnectionId, UserId},
    lifecycle,
    store::{capacity, rates},
};
use datagenie_tests::{Answer, DEADLINE, TestApp, shop, until};
use datagenie_worker::capacity::{Capacity, Permit, Resource};
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{COUNT, assert_success};
use crate::bare::BareDatabase;

/// A process that shares the fleet's resources, as far as they are concerned.
struct Process {
    capacity: Capacity,
    stop: CancellationToken,
    keeper: JoinHandle<()>,
}

impl Process {
    fn start(database: &BareDatabase, name: &str, lease: Duration) -> Self {
        let capacity = Capacity::new(database.pool.clone(), name.to_owned(), lease);
        let (kept, stop) = (capacity.clone(), CancellationToken::new());
        let stopping = stop.clone();
        let keeper = lifecycle::spawn("test.keep", async move { kept.keep(stopping).await });
        Self { capacity, stop, keeper }
    }

    async fn take(&self, resource: &Resource, limit: u32) -> Permit {
        let taken = timeout(DEADLINE, self.capacity.acquire(resource, limit, UserId::new())).await;
        taken.expect("a unit is had in time")
    }

    async fn stop(self) {
        self.stop.cancel();
        self.keeper.await.expect("it gives back");
    }
}

const LEASE: Duration = Duration::from_secs(10);

async fn rows(database: &BareDatabase) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM capacity_leases").fetch_one(&database.pool).await.expect("they are counted")
}

/// Uses a resource again and again; how often, until told to stop.
fn storm(
    process: &Process,
    resource: &Resource,
    limit: u32,
    now: &Arc<AtomicU32>,
    most: &Arc<AtomicU32>,
) -> (CancellationToken, JoinHandle<u32>) {
    let (capacity, resource, now, most) = (process.capacity.clone(), resource.clone(), now.clone(), most.clone());
    let enough = CancellationToken::new();
    let ending = enough.clone();
    let running = lifecycle::spawn("test.storm", async move {
        let (user, mut uses) = (UserId::new(), 0);
        while let Some(permit) = ending.run_until_cancelled(capacity.acquire(&resource, limit, user)).await {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(Duration::from_millis(2)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            drop(permit);
            uses += 1;
        }
        uses
    });
    (enough, running)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_use_more_than_the_limit_and_both_get_on() {
    let database = BareDatabase::migrated().await;
    let processes = [Process::start(&database, "one", LEASE), Process::start(&database, "two", LEASE)];
    for limit in [1, 3] {
        let resource = Resource::source(ConnectionId::new());
        let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let storms: Vec<_> = (0..12).map(|n| storm(&processes[n % 2], &resource, limit, &now, &most)).collect();
        sleep(Duration::from_millis(2_500)).await;
        let mut uses = [0; 2];
        for (n, (enough, running)) in storms.into_iter().enumerate() {
            enough.cancel();
            uses[n % 2] += running.await.expect("a storm ends");
        }
        assert_eq!(most.load(Ordering::SeqCst), limit, "all of it is used, and no more");
        assert!(uses.iter().all(|uses| *uses > 0), "one was left without: {uses:?}");
    }
    for process in processes {
        process.stop().await;
    }
    assert_eq!(rows(&database).await, 0, "everything is given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_held_is_had_when_its_lease_has_run_out() {
    let database = BareDatabase::migrated().await;
    let (resource, lease) = (Resource::source(ConnectionId::new()), Duration::from_secs(2));
    let dead = Process::start(&database, "dead", lease);
    let began = Instant::now();
    let held = dead.take(&resource, 1).await;
    dead.keeper.abort();
    let alive = Process::start(&database, "alive", lease);
    let _taken = alive.take(&resource, 1).await;
    assert!(began.elapsed() >= lease, "it was taken from somebody who held it: {:?}", began.elapsed());
    drop(held);
    // By its own clock the dead one's lease is over too: nothing is left to hand out.
    let again = timeout(Duration::from_millis(200), dead.capacity.acquire(&resource, 1, UserId::new())).await;
    assert!(again.is_err(), "a unit was used that somebody else holds");
    assert_eq!(rows(&database).await, 1, "the dead one's row is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_asks_for_nothing_and_a_busy_one_gives_way() {
    let database = BareDatabase::migrated().await;
    let resource = Resource::source(ConnectionId::new());
    let (first, second) = (Process::start(&database, "first", LEASE), Process::start(&database, "second", LEASE));
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(first.take(&resource, 4).await);
    }
    let waiting = second.capacity.clone();
    let wanted = resource.clone();
    let taken = lifecycle::spawn("test.take", async move { waiting.acquire(&wanted, 4, UserId::new()).await });
    until(
        || async {
            let (_, others) = capacity::look(&database.pool, "first", &[resource.name().to_owned()]).await.ok()?.pop()?;
            (others.wanted == 1).then_some(())
        },
        "the second one says that it wants some",
    )
    .await;
    assert!(!taken.is_finished());
    held.pop();
    let began = Instant::now();
    let got = timeout(DEADLINE, taken).await.expect("it is had in time").expect("the task ends");
    assert!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());
    drop((held, got));
    first.stop().await;
    second.stop().await;
    assert_eq!(rows(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_lets_through_what_it_holds_and_carries_debts_over() {
    let database = BareDatabase::migrated().await;
    let calls = |units| vec![rates::Take::new("m:requests".to_owned(), units, 60), rates::Take::new("m:tokens".to_owned(), 100, 60_000)];
    for _ in 0..6 {
        assert_eq!(rates::take(&database.pool, &calls(10)).await.expect("the windows answer"), None);
    }
    let wait = rates::take(&database.pool, &calls(10)).await.expect("the windows answer").expect("it is used up");
    assert!((8.0..=10.0).contains(&wait), "{wait}");
    let tokens = || vec![rates::Take::new("m:tokens".to_owned(), 1, 60_000)];
    assert_eq!(rates::take(&database.pool, &tokens()).await.expect("the windows answer"), None, "what is refused takes nothing");
    rates::correct(&database.pool, &rates::Take::new("m:tokens".to_owned(), 120_000, 60_000)).await.expect("it is corrected");
    let debt = rates::take(&database.pool, &tokens()).await.expect("the windows answer").expect("it is in debt");
    assert!((55.0..=62.0).contains(&debt), "{debt}");
    rates::correct(&database.pool, &rates::Take { resource: "m:tokens".to_owned(), seconds: -120.0 }).await.expect("it is corrected");
    assert_eq!(rates::take(&database.pool, &tokens()).await.expect("the windows answer"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_keep_to_the_sessions_of_a_connection() {
    const SLOW: &str = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN products c";
    let app = TestApp::builder().offline().start().await;
    let _second = app.start_worker().await;
    let reader = app.reader(&shop::postgres()).await;
    let id = app.connect("narrow", "postgresql", reader.config.clone()).await;
    let _ = app.admin.patch(format!("/v1/connections/{id}"), json!({ "max_connections": 3 })).await.expect(200);
    // A statement long enough to be seen.
    let mut asked = Vec::new();
    for n in 0..40 {
        let sql = format!("{SLOW} WHERE a.quantity + {n} > -1");
        asked.push(app.admin.ask(json!({ "sql": sql, "connection_id": id, "cache": "skip" })).await);
    }
    let pool = app.pool.clone();
    let (name, over) = (reader.database.name.clone(), CancellationToken::new());
    let watched = over.clone();
    let watching = lifecycle::spawn("test.watch", async move {
        let mut most = 0_i64;
        while !watched.is_cancelled() {
            let at_work: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'datagenie' AND state <> 'idle'",
            )
            .bind(&name)
            .fetch_one(&pool)
            .await
            .expect("the server tells its sessions");
            most = most.max(at_work);
            sleep(Duration::from_millis(2)).await;
        }
        most
    });
    for question in asked {
        assert_success(&app.admin.wait(question).await);
    }
    over.cancel();
    let most = watching.await.expect("the watch ends");
    assert!((1..=3).contains(&most), "{most} sessions were at work at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_keep_to_the_calls_of_a_model() {
    let app = TestApp::builder().with_setting("llm.max_concurrency", "2").start().await;
    let _second = app.start_worker().await;
    let id = app.shop_sqlite().await;
    app.stub.say(Answer::Slow(Duration::from_millis(50), Box::new(Answer::Sql(COUNT))));
    let mut asked = Vec::new();
    for n in 0..20 {
        asked.push(app.admin.ask(json!({ "question": format!("how many, {n}?"), "connection_id": id, "cache": "skip" })).await);
    }
    for question in asked {
        assert_success(&app.admin.wait(question).await);
    }
    assert_eq!(app.stub.calls().len(), 20);
    assert_eq!(app.stub.most_at_once(), 2, "both calls are used, and no third");
}
