//! The source itself: how often it speaks to the server, what it says of a statement's plan, and what it samples.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use datagenie_common::{
    ids::{ConnectionId, UserId},
    lifecycle,
    model::{
        connections::{ConnectionConfig, DbType},
        policies::Limits,
        results::{Column, Row},
    },
};
use datagenie_tests::{Reader, TestApp, shop, until};
use datagenie_worker::{
    capacity::Capacity,
    guard::{Guarded, Relation},
    sources::{Flow, Plan, RowSink, Sample, SinkError, Source, SourceError, SourceSettings, Sources, Statement},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

const LIMITS: Limits = Limits { max_rows: 10_000, max_bytes: 16 * 1024 * 1024, max_seconds: 30 };

/// A source without the pipeline around it, and the app that lends it a system database.
struct Bare {
    app: TestApp,
    reader: Reader,
    source: Arc<dyn Source>,
    stop: CancellationToken,
}

impl Bare {
    async fn of(sql: &str) -> Self {
        let app = TestApp::builder().offline().no_worker().no_scheduler().start().await;
        let reader = app.reader(sql).await;
        let config = reader.config.clone();
        let stop = CancellationToken::new();
        let source = opened(&app, config, &stop).await;
        Self { app, reader, source, stop }
    }

    async fn explain(&self, sql: &str, allowed: &[(&str, &str)]) -> Result<Plan, SourceError> {
        let plan = self.source.explain(UserId::new(), &statement(sql, allowed), &LIMITS, &CancellationToken::new()).await?;
        Ok(plan.expect("PostgreSQL has an opinion"))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn opened(app: &TestApp, config: Value, stop: &CancellationToken) -> Arc<dyn Source> {
    let capacity = Capacity::new(app.pool.clone(), "a test".to_owned(), Duration::from_secs(10));
    let (kept, stopping) = (capacity.clone(), stop.clone());
    lifecycle::spawn("test.keep", async move { kept.keep(stopping).await });
    let config: ConnectionConfig = serde_json::from_value(config).expect("it is a configuration");
    let settings = SourceSettings { sqlite_roots: Vec::new(), connect_timeout: Duration::from_secs(5) };
    let opened = Sources::new(settings, capacity).open(ConnectionId::new(), 1, DbType::Postgresql, &config, 10).await;
    opened.expect("it opens without connecting")
}

fn statement(sql: &str, allowed: &[(&str, &str)]) -> Statement {
    let relation = |(schema, table): &(&str, &str)| Relation { schema: (*schema).to_owned(), table: (*table).to_owned() };
    let relations = allowed.iter().map(relation).collect();
    Statement::from(&Guarded { sql: sql.to_owned(), relations, masked: Vec::new() })
}

#[derive(Default)]
struct Kept {
    columns: Vec<Column>,
    rows: Vec<Row>,
    started: usize,
}

impl RowSink for Kept {
    fn start(&mut self, columns: Vec<Column>) -> Result<(), SinkError> {
        self.columns = columns;
        self.started += 1;
        Ok(())
    }

    fn row(&mut self, row: Row) -> Result<Flow, SinkError> {
        assert_eq!(self.started, 1, "the columns come first, once");
        self.rows.push(row);
        Ok(Flow::Continue)
    }
}

async fn run(source: &dyn Source, sql: &str) -> Kept {
    let mut kept = Kept::default();
    let ran = source.run(UserId::new(), &statement(sql, &[]), &LIMITS, &mut kept, &CancellationToken::new()).await;
    assert_eq!(ran.expect("it runs").rows, kept.rows.len() as u64);
    assert_eq!(kept.started, 1, "{sql}");
    kept
}

/// A server's address behind a relay that counts how often a client speaks after it has heard something.
async fn counted(upstream: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a listener has an address");
    let turns = Arc::new(AtomicUsize::new(0));
    let counter = turns.clone();
    lifecycle::spawn("relay", async move {
        while let Ok((client, _)) = listener.accept().await {
            let counter = counter.clone();
            lifecycle::spawn("relay.pass", async move {
                let Ok(server) = TcpStream::connect(upstream).await else { return };
                let _ended = relay(client, server, &counter).await;
            });
        }
    });
    (address, turns)
}

async fn relay(mut client: TcpStream, mut server: TcpStream, turns: &AtomicUsize) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut has_heard = true;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                if std::mem::take(&mut has_heard) {
                    turns.fetch_add(1, Ordering::SeqCst);
                }
                server.write_all(&asked[..length]).await?;
            }
            read = server.read(&mut answered) => {
                let length = read?;
                if length == 0 {
                    return Ok(());
                }
                has_heard = true;
                client.write_all(&answered[..length]).await?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_costs_one_round_trip() {
    let made = format!("{} CREATE TYPE mood AS ENUM ('fine'); CREATE TABLE moods AS SELECT 'fine'::mood AS mood;", shop::postgres());
    let bare = Bare::of(&made).await;
    let (host, port) = (bare.reader.config["host"].as_str().expect("a host"), bare.reader.config["port"].as_u64().expect("a port"));
    let port = u16::try_from(port).expect("a port");
    let upstream = (host, port).to_socket_addrs().expect("the server has an address").next().expect("it has one");
    let (address, turns) = counted(upstream).await;
    let mut config = bare.reader.config.clone();
    (config["host"], config["port"]) = (json!(address.ip().to_string()), json!(address.port()));
    let source = opened(&bare.app, config, &bare.stop).await;
    // The first statement connects, the second one meets a type.
    run(source.as_ref(), "SELECT count(*) FROM orders").await;
    let mood = run(source.as_ref(), "SELECT mood FROM moods").await;
    assert_eq!((mood.columns[0].type_name.as_str(), &mood.rows[0][0]), ("mood", &json!("fine")));
    for (sql, rows) in [
        ("SELECT id FROM orders ORDER BY id", 60),
        ("SELECT mood FROM moods", 1),
        ("SELECT id FROM orders WHERE false", 0),
        ("SELECT a.id FROM order_items a CROSS JOIN order_items b LIMIT 9000", 9_000),
    ] {
        let before = turns.load(Ordering::SeqCst);
        let kept = run(source.as_ref(), sql).await;
        assert_eq!((kept.rows.len(), turns.load(Ordering::SeqCst) - before), (rows, 1), "{sql}");
    }
    // A plan that reads what the guard allowed and nothing else costs one more, and a statement that fails costs none.
    let before = turns.load(Ordering::SeqCst);
    let count = statement("SELECT count(*) FROM orders", &[("public", "orders")]);
    let plan = source.explain(UserId::new(), &count, &LIMITS, &CancellationToken::new()).await.expect("it is explained");
    assert_eq!(plan.expect("PostgreSQL has an opinion").outside, Vec::<String>::new());
    let mut kept = Kept::default();
    let failed =
        source.run(UserId::new(), &statement("SELECT nosuch FROM orders", &[]), &LIMITS, &mut kept, &CancellationToken::new()).await;
    assert!(failed.is_err_and(|error| error.is_about_the_statement()));
    assert_eq!(turns.load(Ordering::SeqCst) - before, 2);
}

const READABLE: &str = "
    CREATE SCHEMA hr; CREATE TABLE hr.salaries (id integer, amount numeric);
    CREATE TABLE acl (owner text); CREATE TABLE hidden (id integer);
    CREATE TABLE orders (id integer PRIMARY KEY, owner text); INSERT INTO orders SELECT g, 'x' FROM generate_series(1, 1000) g;
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON orders USING (EXISTS (SELECT FROM acl WHERE acl.owner = orders.owner));
    CREATE VIEW paid AS SELECT o.id, s.amount FROM orders o JOIN hr.salaries s USING (id);
    CREATE VIEW paid_again AS SELECT * FROM paid WHERE EXISTS (SELECT FROM pg_class c WHERE c.relname = 'orders');
    CREATE TABLE visits (id integer, day date) PARTITION BY RANGE (day);
    CREATE TABLE visits_2023 PARTITION OF visits FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY RANGE (id);
    CREATE TABLE visits_2023_low PARTITION OF visits_2023 FOR VALUES FROM (0) TO (1000000);
    CREATE FUNCTION peek() RETURNS SETOF hidden LANGUAGE sql STABLE AS 'SELECT * FROM hidden';
    CREATE TABLE written (id integer); CREATE RULE log AS ON INSERT TO orders DO ALSO INSERT INTO written VALUES (new.id);
    CREATE TABLE changers (owner text); CREATE POLICY changed ON orders FOR UPDATE USING (EXISTS (SELECT FROM changers));
    CREATE MATERIALIZED VIEW sums AS SELECT count(id) AS total FROM hidden;
    ANALYZE;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_tells_what_is_read_beyond_what_was_allowed() {
    let bare = Bare::of(READABLE).await;
    let public = |name: &'static str| [("public", name)];
    for (sql, allowed) in [
        ("SELECT id FROM orders", public("orders")),
        ("SELECT * FROM paid_again", public("paid_again")),
        ("SELECT count(*) FROM visits", public("visits")),
        ("SELECT total FROM sums", public("sums")),
    ] {
        let plan = bare.explain(sql, &allowed).await.expect("it is explained");
        assert_eq!(plan.outside, Vec::<String>::new(), "{sql}");
        assert!(plan.cost.is_some_and(|cost| cost > 0.0), "{sql}: {plan:?}");
    }
    for (sql, allowed, outside) in [
        ("SELECT o.id FROM orders o, hidden", public("orders"), "public.hidden"),
        ("SELECT * FROM peek()", public("orders"), "public.hidden"),
        ("SELECT relname FROM pg_class", public("orders"), "pg_catalog.pg_class"),
        ("SELECT id FROM visits_2023_low", public("orders"), "public.visits_2023_low"),
        // What is written with a table, what decides who may change it, and what was read long ago are no parts of what is read.
        ("SELECT id FROM written", public("orders"), "public.written"),
        ("SELECT owner FROM changers", public("orders"), "public.changers"),
        ("SELECT id FROM hidden", public("sums"), "public.hidden"),
    ] {
        assert_eq!(bare.explain(sql, &allowed).await.expect("it is explained").outside, [outside], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explaining_runs_nothing_and_takes_nothing_but_a_query() {
    let bare = Bare::of(READABLE).await;
    // Run, it would end at the limit.
    let limits = Limits { max_seconds: 1, ..LIMITS };
    let asleep = statement("SELECT pg_sleep(3600)", &[]);
    let explained = bare.source.explain(UserId::new(), &asleep, &limits, &CancellationToken::new()).await;
    assert!(explained.expect("it is explained").is_some());
    for sql in [
        "DELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
        "SELECT 1; DROP TABLE orders",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT nosuch FROM orders",
    ] {
        let refused = bare.explain(sql, &[]).await.expect_err("it is no query");
        assert!(refused.is_about_the_statement(), "{sql}: {refused}");
    }
    let misplaced = bare.explain("SELECT nosuch FROM orders", &[]).await.expect_err("there is no such column");
    assert_eq!(misplaced.failure().position.map(|position| position.column), Some(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_of_the_administrators_leaves_nothing_in_a_session_that_is_kept() {
    let made = "CREATE FUNCTION hold() RETURNS integer LANGUAGE sql AS 'SELECT pg_advisory_lock(4711); SELECT 1';";
    let bare = Bare::of(made).await;
    let locks = || async {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = $1 AND l.locktype = 'advisory' AND l.objid = 4711";
        let count: i64 = sqlx::query_scalar(sql).bind(&bare.reader.database.name).fetch_one(&bare.app.pool).await.expect("locks are told");
        count
    };
    let mut kept = Kept::default();
    let added = statement("SELECT hold() AS held", &[]).calling(&["public.hold".to_owned()]);
    bare.source.run(UserId::new(), &added, &LIMITS, &mut kept, &CancellationToken::new()).await.expect("it runs");
    assert_eq!(kept.rows, [[json!(1)]]);
    // A rollback leaves such a lock; it goes with the session.
    until(|| async { (locks().await == 0).then_some(()) }, "nobody holds the lock").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_not_disturbed_by_a_database_that_is_serializable_by_default() {
    let bare = Bare::of("CREATE TABLE one (id integer); INSERT INTO one VALUES (7)").await;
    bare.reader
        .database
        .execute(format!("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'", bare.reader.database.name))
        .await;
    let told = run(bare.source.as_ref(), "SELECT current_setting('transaction_isolation') AS level, id FROM one").await;
    assert_eq!(told.rows, [[json!("read committed"), json!(7)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_is_sampled_from_all_over_it() {
    let made = "CREATE TABLE big AS SELECT g AS id, repeat('가', 100) AS note, '\\x00'::bytea AS raw, NULL::text AS nothing
            FROM generate_series(1, 100000) g;
        CREATE VIEW seen AS SELECT * FROM big;";
    let bare = Bare::of(made).await;
    let columns: Vec<String> = ["id", "note", "raw", "nothing"].map(str::to_owned).to_vec();
    let asked = |table: &'static str, row_estimate| Sample {
        schema: "public",
        table,
        columns: &columns,
        row_estimate,
        rows: 1_000,
        chars: 60,
        time: Duration::from_secs(10),
    };
    let id = |row: &Vec<Option<String>>| row[0].as_deref().and_then(|id| id.parse::<u64>().ok()).expect("it is a number");
    let sample = bare.source.sample(&asked("big", Some(100_000))).await.expect("it is sampled");
    assert!((500..=1_000).contains(&sample.len()), "{}", sample.len());
    assert!(sample.iter().map(id).max() > Some(5_000), "not only its beginning");
    assert_eq!(sample[0][1..], [Some("가".repeat(60)), None, None], "values are cut, and bytes are nothing");
    let again = bare.source.sample(&asked("big", Some(100_000))).await.expect("it is sampled");
    assert_eq!(again, sample, "an unchanged table looks the same");
    // Not large enough, and not a table.
    for table in [asked("big", Some(20_000)), asked("big", None), asked("seen", Some(100_000))] {
        let first = bare.source.sample(&table).await.expect("it is read");
        assert_eq!(first.len(), 1_000, "{}", table.table);
    }
}
