//! What the authorizer alone keeps a statement from: no guard has seen these.

use std::fs;

use rusqlite::Connection;

use super::{ALL, LIMITS, Rows, Shop, unguarded};
use crate::sources::{RunEnd, SourceError};

const MORE: &str = "
    CREATE TABLE secret (id INTEGER PRIMARY KEY, token TEXT);
    CREATE TABLE json_tree (token TEXT);
    CREATE VIEW city_totals AS SELECT c.city, count(t.total) AS n FROM customers c JOIN totals t ON t.customer_id = c.id GROUP BY c.city;
    CREATE VIEW with_cte AS WITH q AS (SELECT token FROM secret) SELECT upper(token) AS shown, fts5_source_id() AS source FROM q;
    CREATE VIEW counted AS SELECT count(*) AS n FROM (SELECT 1 FROM secret);
    CREATE VIEW notes AS SELECT value FROM orders, json_each('[1]') WHERE orders.id IN (SELECT id FROM secret);
    CREATE VIEW shown_schema AS SELECT sql FROM sqlite_schema;
    CREATE VIEW loads AS SELECT load_extension('x') AS x;
    CREATE VIRTUAL TABLE docs USING fts5(body);
    CREATE VIRTUAL TABLE indexed USING fts5(token, content='secret', content_rowid='id');
    CREATE VIEW found AS SELECT body FROM docs;
    INSERT INTO secret VALUES (1, 'hidden token'), (2, 'another token');
    INSERT INTO docs VALUES ('hello world');
    INSERT INTO indexed(indexed) VALUES ('rebuild');
";

struct Reaching(Shop);

impl Reaching {
    fn new() -> Self {
        let shop = Shop::new();
        let connection = Connection::open(shop.folder.join("shop.sqlite")).expect("the file is there");
        connection.execute_batch(MORE).expect("the tables and views are valid");
        Self(shop)
    }

    async fn run(&self, sql: &str, relations: &[&str]) -> Result<(Rows, RunEnd), SourceError> {
        self.0.run_statement(&unguarded(sql, relations), LIMITS, None).await
    }

    async fn refuses(&self, sql: &str, relations: &[&str]) {
        let error = self.run(sql, relations).await.err();
        assert!(matches!(&error, Some(error) if error.is_about_the_statement()), "{sql} with {relations:?}: {error:?}");
    }

    async fn takes(&self, sql: &str, relations: &[&str]) {
        let error = self.run(sql, relations).await.err();
        assert!(error.is_none(), "{sql} with {relations:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_statement_reads_its_relations_and_no_others() {
    let shop = Reaching::new();
    for sql in [
        "SELECT token FROM secret",
        "SELECT count(*) FROM secret",
        "SELECT name FROM customers, secret",
        "SELECT name FROM customers WHERE EXISTS (SELECT 1 FROM secret)",
        "SELECT (SELECT max(token) FROM secret) FROM customers",
        "SELECT id IN secret FROM customers",
        "SELECT name FROM customers UNION SELECT token FROM secret",
        "WITH q AS (SELECT token FROM secret) SELECT * FROM q",
        "SELECT total FROM totals",
        "SELECT * FROM json_tree",
        "SELECT body FROM docs",
        "SELECT * FROM docs_content",
    ] {
        shop.refuses(sql, &["customers"]).await;
        shop.refuses(sql, &[]).await;
    }
    shop.takes("SELECT Name FROM CUSTOMERS AS secret", &["customers"]).await;
    shop.takes("SELECT c.name, o.amount FROM customers c NATURAL LEFT JOIN orders o", &["Customers", "Orders"]).await;
    shop.takes("SELECT count(*), row_number() OVER (ORDER BY city) FROM customers GROUP BY city", &["customers"]).await;
    shop.takes("SELECT token FROM secret", &["secret"]).await;
}

#[tokio::test]
async fn ctes_subqueries_and_table_functions_go_on_working() {
    let shop = Reaching::new();
    for sql in [
        "WITH q AS (SELECT city FROM customers) SELECT count(*) FROM q",
        "WITH q AS (SELECT city FROM customers GROUP BY city) SELECT count(*) FROM q",
        "WITH secret AS (SELECT city FROM customers GROUP BY city) SELECT count(*) FROM secret",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n",
        "SELECT z.city FROM (SELECT city FROM customers) z JOIN (SELECT 1 AS one)",
        "SELECT value FROM json_each('[1, 2]')",
        "SELECT count(*) FROM json_each('[1, 2]')",
        "SELECT c.name, j.value FROM customers c, json_each(json_array(c.city)) j",
        "SELECT name LIKE 'a%', city || name, email -> '$.x', current_date, CAST(id AS TEXT) FROM customers WHERE 0",
        "VALUES (1), (2)",
    ] {
        shop.takes(sql, &["customers"]).await;
    }
}

#[tokio::test]
async fn a_view_opens_what_it_is_made_of_and_nothing_else() {
    let shop = Reaching::new();
    for (sql, view) in [
        ("SELECT total FROM totals", "totals"),
        ("SELECT count(*) FROM totals", "totals"),
        ("SELECT city, n FROM City_Totals WHERE n > 0", "city_totals"),
        ("SELECT 1 FROM city_totals", "city_totals"),
        ("WITH q AS (SELECT * FROM city_totals) SELECT max(n) FROM q", "city_totals"),
        ("SELECT shown FROM with_cte", "with_cte"),
        ("SELECT count(*) FROM with_cte", "with_cte"),
        ("SELECT n FROM counted", "counted"),
        ("SELECT sum(n) FROM (SELECT n FROM counted)", "counted"),
        ("SELECT value FROM notes", "notes"),
    ] {
        shop.takes(sql, &[view]).await;
        shop.refuses(sql, &["customers"]).await;
    }
    for (sql, view) in [
        ("SELECT * FROM totals, orders", "totals"),
        ("SELECT t.total FROM city_totals c, totals t", "city_totals"),
        ("SELECT token FROM secret, with_cte", "with_cte"),
        ("SELECT * FROM shown_schema", "shown_schema"),
        ("SELECT * FROM loads", "loads"),
        // A CTE of the view's name is not the view.
        ("WITH totals AS (SELECT amount FROM orders) SELECT * FROM totals", "totals"),
        ("WITH totals AS (SELECT amount FROM orders) SELECT m.* FROM totals, main.totals m", "totals"),
        ("WITH \"With_CTE\"(a) AS NOT MATERIALIZED (SELECT token FROM secret) SELECT a FROM with_cte, main.with_cte m", "with_cte"),
        ("WITH q AS (SELECT token FROM secret) SELECT * FROM q, with_cte", "with_cte"),
    ] {
        shop.refuses(sql, &[view]).await;
    }
}

#[tokio::test]
async fn full_text_tables_read_their_own_tables() {
    let shop = Reaching::new();
    let (rows, _) =
        shop.run("SELECT highlight(docs, 0, '<', '>') FROM docs WHERE docs MATCH 'hello'", &["docs"]).await.expect("it is allowed");
    assert_eq!(rows.rows, [[serde_json::json!("<hello> world")]]);
    let (rows, _) = shop.run("SELECT token FROM indexed WHERE indexed MATCH 'hidden'", &["indexed"]).await.expect("it is allowed");
    assert_eq!(rows.rows.len(), 1, "its rows lie in another table");
    shop.takes("SELECT body FROM found", &["found"]).await;
    shop.refuses("SELECT body FROM docs", &["found"]).await;
    shop.refuses("SELECT * FROM docs_content", &["docs"]).await;
    shop.refuses("SELECT token FROM secret", &["indexed"]).await;
}

#[tokio::test]
async fn functions_are_those_of_the_list_and_of_the_connection() {
    let shop = Reaching::new();
    for sql in ["SELECT fts5_source_id()", "SELECT sqlite_version()", "SELECT sqlite_compileoption_get(1)", "SELECT load_extension('x')"] {
        shop.refuses(sql, &ALL).await;
    }
    shop.takes("SELECT upper(name), coalesce(city, ''), strftime('%Y', joined_on) FROM customers", &ALL).await;
    shop.takes("SELECT source FROM with_cte", &["with_cte"]).await;
    shop.refuses("SELECT shown, fts5_source_id() FROM with_cte", &["with_cte"]).await;
    let added = unguarded("SELECT SQLite_Version()", &[]).calling(&["sqlite_version".to_owned()]);
    assert!(shop.0.run_statement(&added, LIMITS, None).await.is_ok());
    let loading = unguarded("SELECT load_extension('x')", &[]).calling(&["load_extension".to_owned()]);
    assert!(shop.0.run_statement(&loading, LIMITS, None).await.is_err(), "no list opens what reaches out of the file");
}

#[tokio::test]
async fn nothing_is_left_behind_in_the_file() {
    let shop = Reaching::new();
    let path = shop.0.folder.join("shop.sqlite");
    let before = fs::read(&path).expect("the file is there");
    shop.takes("SELECT body FROM docs WHERE docs MATCH 'hello'", &["docs"]).await;
    shop.takes("SELECT shown FROM with_cte", &["with_cte"]).await;
    assert_eq!(fs::read(&path).expect("the file is there"), before);
}
