//! The SQLite source against real files.

mod reach;
mod samples;

use std::{fs, path::PathBuf, sync::Arc};

use datagenie_common::{
    ids::{ConnectionId, UserId},
    model::{
        connections::{ConnectionConfig, DbType, FileConfig},
        policies::Limits,
        results::{Column, ColumnKind, Row},
    },
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    capacity::Capacity,
    sources::{Flow, RowSink, RunEnd, SchemaLimits, SinkError, Source, SourceError, SourceSettings, Sources, Statement, Truncation},
};

const SHOP: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, email VARCHAR(80), joined_on DATE);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES Customers, ordered_at TIMESTAMP, amount INTEGER,
                         paid BOOLEAN, note BLOB);
    CREATE INDEX orders_by_customer ON orders (customer_id);
    CREATE VIEW totals AS SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id;
    CREATE VIEW broken AS SELECT * FROM gone;
    INSERT INTO customers VALUES (1, '김철수', '서울', 'kim@example.com', '2024-03-05'), (2, 'Ann', '부산', 'ann@example.com', NULL);
    INSERT INTO orders VALUES (1, 1, '2024-03-05 10:20:30', 100, 1, x'00ff'), (2, 1, '2024-03-06 10:20:30', 250, 0, NULL),
                              (3, 2, NULL, 9007199254740993, NULL, NULL);
";

/// A file in a folder of its own, removed at the end of the test.
struct Shop {
    folder: PathBuf,
}

impl Shop {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("datagenie-sqlite-{}", ConnectionId::new()));
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let connection = Connection::open(folder.join("shop.sqlite")).expect("a file can be made");
        connection.execute_batch(SHOP).expect("the shop's tables are valid");
        Self { folder }
    }

    async fn source(&self, file: &str) -> Arc<dyn Source> {
        let settings = SourceSettings { sqlite_roots: vec![self.folder.clone()], connect_timeout: std::time::Duration::from_secs(1) };
        let sources = Sources::new(settings, Capacity::alone());
        let database = self.folder.join(file).to_string_lossy().into_owned();
        let config = ConnectionConfig::File(FileConfig { database });
        sources.open(ConnectionId::new(), 1, DbType::Sqlite, &config, 2).await.expect("nothing is looked at yet")
    }

    async fn run(&self, sql: &str) -> Result<(Rows, RunEnd), SourceError> {
        self.run_within(sql, LIMITS, None).await
    }

    async fn run_within(&self, sql: &str, limits: Limits, stop_after: Option<usize>) -> Result<(Rows, RunEnd), SourceError> {
        self.run_statement(&unguarded(sql, &ALL), limits, stop_after).await
    }

    async fn run_statement(&self, statement: &Statement, limits: Limits, stop_after: Option<usize>) -> Result<(Rows, RunEnd), SourceError> {
        let mut rows = Rows { stop_after, ..Rows::default() };
        let source = self.source("shop.sqlite").await;
        let end = source.run(UserId::new(), statement, &limits, &mut rows, &CancellationToken::new()).await?;
        Ok((rows, end))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// What may be read where a test is about something else.
const ALL: [&str; 3] = ["customers", "orders", "totals"];

/// A statement that no guard has seen, and the relations that it may read.
fn unguarded(sql: &str, relations: &[&str]) -> Statement {
    let relations: Vec<(&str, &str)> = relations.iter().map(|table| ("main", *table)).collect();
    Statement::unguarded(sql, &relations)
}

const LIMITS: Limits = Limits { max_rows: 1_000, max_bytes: 1_000_000, max_seconds: 10 };
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";

#[derive(Default)]
struct Rows {
    starts: usize,
    columns: Vec<Column>,
    rows: Vec<Row>,
    stop_after: Option<usize>,
}

impl RowSink for Rows {
    fn start(&mut self, columns: Vec<Column>) -> Result<(), SinkError> {
        self.starts += 1;
        self.columns = columns;
        Ok(())
    }

    fn row(&mut self, row: Row) -> Result<Flow, SinkError> {
        self.rows.push(row);
        Ok(if self.stop_after == Some(self.rows.len()) { Flow::Stop } else { Flow::Continue })
    }
}

impl Rows {
    fn kinds(&self) -> Vec<ColumnKind> {
        self.columns.iter().map(|column| column.kind).collect()
    }
}

#[tokio::test]
async fn rows_arrive_with_kinds_and_exact_values() {
    let (rows, end) = Shop::new().run("SELECT id, ordered_at, amount, paid, note FROM orders ORDER BY id").await.expect("it is valid");
    let kinds = [ColumnKind::Integer, ColumnKind::Timestamp, ColumnKind::Integer, ColumnKind::Boolean, ColumnKind::Binary];
    assert_eq!(rows.kinds(), kinds);
    assert_eq!(
        rows.rows[0],
        [json!(1), json!("2024-03-05T10:20:30"), json!(100), json!(true), json!({ "base64": "AP8=", "truncated": false })]
    );
    assert_eq!(rows.rows[2], [json!(3), Value::Null, json!("9007199254740993"), Value::Null, Value::Null]);
    assert_eq!((end.rows, end.truncated, rows.starts), (3, None, 1));
}

#[tokio::test]
async fn expressions_take_their_kind_from_their_values() {
    let sql = "SELECT NULL AS a, sum(amount) AS b, avg(1.5) AS c, max(joined_on) AS d, joined_on FROM customers JOIN orders USING (id)";
    let (rows, _) = Shop::new().run(sql).await.expect("it is valid");
    let kinds = [ColumnKind::Other, ColumnKind::Integer, ColumnKind::Number, ColumnKind::Text, ColumnKind::Date];
    assert_eq!(rows.kinds(), kinds);
}

#[tokio::test]
async fn a_result_without_rows_has_columns() {
    let (rows, end) = Shop::new().run("SELECT name, joined_on FROM customers WHERE id > 99").await.expect("it is valid");
    assert_eq!(rows.kinds(), [ColumnKind::Text, ColumnKind::Date]);
    assert_eq!((end.rows, rows.starts), (0, 1));
}

#[tokio::test]
async fn limits_stop_an_endless_statement() {
    let shop = Shop::new();
    let (rows, end) = shop.run(ENDLESS).await.expect("it is valid");
    assert_eq!((rows.rows.len(), end.truncated), (1_000, Some(Truncation::Rows)));
    let few_bytes = Limits { max_bytes: 100, ..LIMITS };
    let (rows, end) = shop.run_within(ENDLESS, few_bytes, None).await.expect("it is valid");
    assert_eq!(end.truncated, Some(Truncation::Bytes));
    assert_eq!(end.rows, rows.rows.len() as u64);
    let (_, end) = shop.run_within(ENDLESS, LIMITS, Some(5)).await.expect("it is valid");
    assert_eq!((end.rows, end.truncated), (5, None));
}

#[tokio::test]
async fn a_row_too_large_ends_the_result_before_it() {
    let shop = Shop::new();
    let limits = Limits { max_bytes: 100_000, ..LIMITS };
    let large = "SELECT 1 AS n, 'small' AS text UNION ALL SELECT 2, printf('%.60000c', 'x') UNION ALL SELECT 3, printf('%.60000c', 'x')";
    let (rows, end) = shop.run_within(large, limits, None).await.expect("it is valid");
    assert_eq!((rows.rows.len(), end.rows, end.truncated), (2, 2, Some(Truncation::Bytes)), "two are as much as a result may be");
    let larger = "SELECT 1 AS n, 'small' AS text UNION ALL SELECT 2, printf('%.200000c', 'x')";
    let (rows, end) = shop.run_within(larger, limits, None).await.expect("it is valid");
    assert_eq!((rows.rows.len(), end.rows, end.truncated), (1, 1, Some(Truncation::Bytes)));
    let alone = "SELECT printf('%.60000c', 'x') AS a, printf('%.60000c', 'x') AS b";
    let error = shop.run_within(alone, limits, None).await.err();
    assert!(matches!(error, Some(SourceError::RowTooLarge { limit: 100_000 })), "{error:?}");
}

#[tokio::test]
async fn a_row_that_sqlite_itself_has_no_memory_for_is_refused() {
    let shop = Shop::new();
    // Each of them is within what a value may have; all together would be half a gigabyte. Of that size, so that the one which finds no
    // room leaves enough for the other tests of this process.
    let columns: Vec<String> = (0..40).map(|n| format!("large || '{n}' AS c{n}")).collect();
    let sql = format!("WITH one AS MATERIALIZED (SELECT printf('%.14000000c', 'x') AS large) SELECT {} FROM one", columns.join(", "));
    let error = shop.run(&sql).await.err().expect("it does not fit");
    assert!(error.is_about_the_statement() && error.to_string().contains("memory"), "{error}");
    assert!(shop.run("SELECT count(*) FROM customers").await.is_ok(), "what it held is free again");
}

#[tokio::test]
async fn time_and_cancellation_end_a_statement_without_rows() {
    let shop = Shop::new();
    let sql = format!("SELECT count(*) FROM ({ENDLESS})");
    let no_time = Limits { max_seconds: 0, ..LIMITS };
    let error = shop.run_within(&sql, no_time, None).await.err();
    assert!(matches!(error, Some(SourceError::Timeout { seconds: 0 })), "{error:?}");
    let cancel = CancellationToken::new();
    cancel.cancel();
    let source = shop.source("shop.sqlite").await;
    let error = source.run(UserId::new(), &unguarded(&sql, &ALL), &LIMITS, &mut Rows::default(), &cancel).await.err();
    assert!(matches!(error, Some(SourceError::Cancelled)), "{error:?}");
}

#[tokio::test]
async fn nothing_but_reading_tables_is_possible() {
    let shop = Shop::new();
    let before = fs::read(shop.folder.join("shop.sqlite")).expect("the file is there");
    for sql in [
        "INSERT INTO customers (name) VALUES ('x')",
        "UPDATE customers SET name = 'x' RETURNING id",
        "DELETE FROM customers",
        "DROP TABLE customers",
        "CREATE TEMP TABLE t (x)",
        "ATTACH 'other.sqlite' AS o",
        "VACUUM INTO '/nowhere/copy.sqlite'",
        "PRAGMA query_only = 0",
        "PRAGMA table_info(customers)",
        "SELECT * FROM pragma_table_info('customers')",
        "SELECT sql FROM sqlite_schema",
        "SELECT sql FROM sqlite_master",
        "SELECT * FROM dbstat",
        "SELECT load_extension('x')",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "EXPLAIN DELETE FROM customers",
        "SELECT length(zeroblob(100000000))",
        "",
    ] {
        let error = shop.run(sql).await.err();
        assert!(matches!(&error, Some(error) if error.is_about_the_statement()), "{sql}: {error:?}");
    }
    assert_eq!(fs::read(shop.folder.join("shop.sqlite")).expect("the file is there"), before);
    for sql in ["SELECT total FROM totals", "SELECT value FROM json_each('[1, 2]')", "SELECT upper(name) FROM customers"] {
        assert!(shop.run(sql).await.is_ok(), "{sql}");
    }
}

#[tokio::test]
async fn mistakes_are_named_with_their_place() {
    let shop = Shop::new();
    let error = shop.run("SELECT name,\n totl FROM customers").await.err().expect("there is no such column");
    assert!(matches!(&error, SourceError::UnknownColumn { name: Some(name), .. } if name == "totl"), "{error:?}");
    assert_eq!(error.failure().position.map(|position| (position.line, position.column)), Some((2, 2)));
    let error = shop.run("SELECT 1 FROM nowhere").await.err();
    assert!(matches!(&error, Some(SourceError::UnknownRelation { .. })), "{error:?}");
    let error = shop.run("SELECT \"not a column\" FROM customers").await.err();
    assert!(matches!(&error, Some(SourceError::UnknownColumn { .. })), "{error:?}");
    let error = shop.run("SELECT FROM customers").await.err();
    assert!(matches!(&error, Some(SourceError::Syntax { .. })), "{error:?}");
}

#[tokio::test]
async fn the_catalogue_is_complete() {
    let schema = Shop::new().source("shop.sqlite").await.schema(&SchemaLimits::default()).await.expect("the file can be read");
    let names: Vec<_> = schema.tables().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["customers", "orders", "totals"]);
    let customers = schema.table("main", "customers").expect("it is there");
    assert!(customers.columns["city"].values.is_empty(), "values come by samples");
    assert!(customers.columns["id"].primary_key);
    assert!(!customers.columns["name"].nullable);
    assert_eq!(customers.columns["joined_on"].data_type, "DATE");
    assert_eq!(customers.row_estimate, Some(2));
    let orders = schema.table("main", "orders").expect("it is there");
    assert_eq!(orders.indexes, ["orders_by_customer"]);
    assert_eq!(orders.foreign_keys.len(), 1);
    assert_eq!(orders.foreign_keys[0].ref_table, "customers");
    assert_eq!(orders.foreign_keys[0].ref_columns, ["id"]);
    assert_eq!(schema.table("main", "totals").expect("it is there").kind, "view");
}

#[tokio::test]
async fn a_probe_tells_databases_from_other_files() {
    let shop = Shop::new();
    let probe = shop.source("shop.sqlite").await.probe().await.expect("it is a database");
    assert!(probe.version.starts_with("SQLite 3."), "{}", probe.version);
    assert!(probe.writable.is_empty());
    fs::write(shop.folder.join("text.sqlite"), "this is no database, and long enough to have a header".repeat(20))
        .expect("it can be written");
    let error = shop.source("text.sqlite").await.probe().await.err();
    assert!(matches!(error, Some(SourceError::Refused { .. })), "{error:?}");
    let error = shop.source("gone.sqlite").await.probe().await.err();
    assert!(matches!(error, Some(SourceError::NoSuchDatabase)), "{error:?}");
}
