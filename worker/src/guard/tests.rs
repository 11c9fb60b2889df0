//! The guard's own corpus, and each of its rules, on a small shop.

use std::collections::BTreeMap;

use datagenie_common::{
    ids::{ConnectionId, UserId},
    model::{
        connections::DbType,
        policies::{ColumnMask, Limits, MaskKind, Policy, PolicyVersion},
        questions::{FailureCode, Position},
        schemas::{SourceSchema, Table, TableColumn},
    },
};

use super::{GuardInput, Guarded, Refusal, Relation, check};

pub(super) const ALL: [DbType; 3] = [DbType::Postgresql, DbType::Mysql, DbType::Sqlite];

fn table(columns: &[&str]) -> Table {
    let columns = columns.iter().zip(1..).map(|(name, position)| {
        ((*name).to_owned(), TableColumn { position, data_type: "text".to_owned(), nullable: true, ..TableColumn::default() })
    });
    Table { kind: "table".to_owned(), columns: columns.collect(), ..Table::default() }
}

fn tables(list: &[(&str, &[&str])]) -> BTreeMap<String, Table> {
    list.iter().map(|(name, columns)| ((*name).to_owned(), table(columns))).collect()
}

pub(super) fn home(db: DbType) -> &'static str {
    db.default_schema("shop")
}

pub(super) fn shop(db: DbType) -> SourceSchema {
    let own = tables(&[
        ("customers", &["id", "name", "email", "phone", "city", "segment", "joined_on"]),
        ("products", &["id", "name", "category", "price"]),
        ("orders", &["id", "customer_id", "ordered_at", "status", "channel", "amount"]),
        ("order_items", &["id", "order_id", "product_id", "quantity", "unit_price"]),
        ("주문", &["번호", "금액", "고객명"]),
        ("secret", &["id", "token", "owner"]),
        ("v_secret", &["id", "token", "owner"]),
    ]);
    let mut schemas = BTreeMap::from([(home(db).to_owned(), own)]);
    if db == DbType::Postgresql {
        schemas.insert("hr".to_owned(), tables(&[("salaries", &["emp", "pay"]), ("orders", &["id", "token"])]));
        schemas.entry("public".to_owned()).or_default().insert("Secret".to_owned(), table(&["id", "token"]));
    }
    SourceSchema { default_schema: home(db).to_owned(), schemas, cached_at: None }
}

pub(super) fn policy(db: DbType, masked: bool) -> Policy {
    let mask =
        |column: &str, kind| ColumnMask { schema: home(db).to_owned(), table: "customers".to_owned(), column: column.to_owned(), kind };
    Policy {
        user_id: UserId::new(),
        connection_id: ConnectionId::new(),
        db_type: db,
        version: PolicyVersion("1".to_owned()),
        can_query: true,
        schemas: None,
        tables: Some(["customers", "products", "orders", "order_items", "주문"].map(str::to_owned).to_vec()),
        masks: if masked { vec![mask("email", MaskKind::Email), mask("phone", MaskKind::Phone)] } else { Vec::new() },
        limits: Limits { max_rows: 1_000, max_bytes: 1_000_000, max_seconds: 30 },
    }
}

fn run(db: DbType, sql: &str, masked: bool) -> Result<Guarded, Refusal> {
    check(&GuardInput { sql, schema: &shop(db), policy: &policy(db, masked), extra_functions: &[] })
}

fn accepted(db: DbType, sql: &str) -> Guarded {
    run(db, sql, false).unwrap_or_else(|refusal| panic!("{db}: {sql}: {refusal:?}"))
}

fn masked(db: DbType, sql: &str) -> Guarded {
    run(db, sql, true).unwrap_or_else(|refusal| panic!("{db}: {sql}: {refusal:?}"))
}

fn refused(db: DbType, sql: &str) -> Refusal {
    match run(db, sql, true) {
        Err(refusal) => refusal,
        Ok(guarded) => panic!("{db}: accepted {sql} as {}", guarded.sql),
    }
}

pub(super) fn corpus(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(|line| {
            let case: serde_json::Value = serde_json::from_str(line).expect("the corpus is JSON, one object a line");
            let field = |name: &str| case[name].as_str().expect("each case has sql and why").to_owned();
            (field("sql"), field("why"))
        })
        .collect()
}

#[test]
fn the_corpus_of_attacks_is_refused() {
    let files = [
        include_str!("corpus/attacks-postgresql.jsonl"),
        include_str!("corpus/attacks-mysql.jsonl"),
        include_str!("corpus/attacks-sqlite.jsonl"),
    ];
    for (db, file) in ALL.into_iter().zip(files) {
        let cases = corpus(file);
        assert!(cases.len() >= 60);
        let let_through: Vec<_> = cases.iter().filter(|(sql, _)| run(db, sql, true).is_ok()).collect();
        assert!(let_through.is_empty(), "{db}: {let_through:#?}");
    }
}

#[test]
fn the_corpus_of_legitimate_queries_is_accepted_and_renders_to_itself() {
    let files = [
        include_str!("corpus/legit-postgresql.jsonl"),
        include_str!("corpus/legit-mysql.jsonl"),
        include_str!("corpus/legit-sqlite.jsonl"),
    ];
    for (db, file) in ALL.into_iter().zip(files) {
        let cases = corpus(file);
        assert!(cases.len() >= 60);
        let mut wrong = Vec::new();
        for (sql, why) in cases {
            match run(db, &sql, false) {
                Err(refusal) => wrong.push(format!("{why}: {sql}: {refusal:?}")),
                Ok(first) => match run(db, &first.sql, false) {
                    Ok(second) if second == first => {}
                    other => wrong.push(format!("{why}: {sql}: rendered {} gives {other:?}", first.sql)),
                },
            }
        }
        assert!(wrong.is_empty(), "{db}: {wrong:#?}");
    }
}

#[test]
fn what_is_read_is_reported_once_by_catalogue_names() {
    for db in ALL {
        let guarded = accepted(db, "SELECT a.id FROM ORDERS a JOIN orders b ON a.id = b.id JOIN Customers c ON c.id = a.customer_id");
        let relation = |table: &str| Relation { schema: home(db).to_owned(), table: table.to_owned() };
        assert_eq!(guarded.relations, [relation("orders"), relation("customers")]);
        assert!(guarded.masked.is_empty());
    }
}

#[test]
fn a_table_that_is_not_allowed_is_answered_like_one_that_does_not_exist() {
    for db in ALL {
        let hidden = refused(db, "SELECT * FROM secret");
        let missing = refused(db, "SELECT * FROM zecret");
        assert_eq!(hidden.code, FailureCode::PermissionDenied);
        assert_eq!((hidden.code, &hidden.hint, hidden.position), (missing.code, &missing.hint, missing.position));
        assert_eq!(hidden.message.replace("secret", "zecret"), missing.message);
    }
}

#[test]
fn misspelt_names_get_a_suggestion_and_a_position() {
    for db in ALL {
        let table = refused(db, "SELECT *\nFROM orderz");
        assert_eq!(table.position, Some(Position { line: 2, column: 6 }));
        assert_eq!(table.hint.as_deref(), Some("Did you mean `orders`?"));
        let column = refused(db, "SELECT o.amont FROM orders o");
        assert_eq!(column.hint.as_deref(), Some("Did you mean `amount`?"));
        assert_eq!(column.position, Some(Position { line: 1, column: 10 }));
    }
}

#[test]
fn who_may_not_query_is_told_so() {
    let db = DbType::Sqlite;
    let policy = Policy { can_query: false, ..policy(db, false) };
    let refusal =
        check(&GuardInput { sql: "SELECT 1", schema: &shop(db), policy: &policy, extra_functions: &[] }).expect_err("may not query");
    assert_eq!(refusal.code, FailureCode::PermissionDenied);
}

#[test]
fn an_admin_can_allow_a_function() {
    let db = DbType::Postgresql;
    let ask = |sql: &str, extra: &[String]| {
        check(&GuardInput { sql, schema: &shop(db), policy: &policy(db, false), extra_functions: extra }).is_ok()
    };
    let extra = ["net_of".to_owned(), "fin.gross".to_owned()];
    assert!(!ask("SELECT net_of(amount) FROM orders", &[]));
    assert!(ask("SELECT net_of(amount), fin.gross(amount) FROM orders", &extra));
    assert!(!ask("SELECT hr.net_of(amount) FROM orders", &extra));
}

#[test]
fn masked_columns_are_found_through_aliases_subqueries_and_stars() {
    let (email, phone) = (Some(MaskKind::Email), Some(MaskKind::Phone));
    for db in ALL {
        let masks = |sql: &str| masked(db, sql).masked;
        assert_eq!(masks("SELECT id, email FROM customers"), [None, email]);
        assert_eq!(masks("SELECT c.EMAIL AS x, name FROM customers c"), [email, None]);
        assert_eq!(masks("SELECT x FROM (SELECT id, email AS x FROM customers) t"), [email]);
        assert_eq!(masks("WITH t(a, b) AS (SELECT id, phone FROM customers) SELECT b, a FROM t"), [phone, None]);
        assert_eq!(masks("SELECT * FROM customers"), [None, None, email, phone, None, None, None]);
        assert_eq!(masks("SELECT o.id, c.* FROM orders o JOIN customers c ON c.id = o.customer_id")[3..5], [email, phone]);
        assert_eq!(masks("SELECT o.id, (SELECT c.email FROM customers c WHERE c.id = o.customer_id) AS e FROM orders o"), [None, email]);
        assert_eq!(masks("SELECT COUNT(email), COUNT(DISTINCT phone) FROM customers WHERE email IS NOT NULL"), [None, None]);
        assert!(masks("SELECT id, status FROM orders").is_empty(), "no relation with masks is read");
    }
}

#[test]
fn stars_are_written_out_where_masks_matter() {
    for db in ALL {
        let quote = if db == DbType::Postgresql { '"' } else { '`' };
        let guarded = masked(db, "SELECT * FROM customers c JOIN orders o USING (id)");
        assert!(!guarded.sql.contains('*'), "{}", guarded.sql);
        assert!(guarded.sql.contains(&format!("c.{quote}email{quote}")), "{}", guarded.sql);
        assert_eq!(guarded.masked.len(), 12);
        assert_eq!(guarded.masked[2], Some(MaskKind::Email));
        assert!(masked(db, "SELECT * FROM orders").sql.contains('*'));
    }
}

#[test]
fn the_refusal_of_a_masked_column_says_so() {
    for db in ALL {
        let refusal = refused(db, "SELECT id FROM customers WHERE email = 'a'");
        assert_eq!(refusal.code, FailureCode::SqlRefused);
        assert_eq!(refusal.message, "`email` is masked for you, and can't be used in WHERE.");
        assert_eq!(refusal.position, Some(Position { line: 1, column: 32 }));
    }
}

#[test]
fn ctes_have_scopes() {
    for db in ALL {
        // The inner `orders` is the CTE of the outer WITH, not the table: it has only `x`.
        accepted(db, "WITH recent AS (SELECT id AS x FROM orders) SELECT t.x FROM (SELECT x FROM recent) t");
        refused(db, "WITH recent AS (SELECT id AS x FROM orders) SELECT amount FROM recent");
        refused(db, "SELECT * FROM (WITH t AS (SELECT 1 AS id) SELECT id FROM t) a, t");
        refused(db, "WITH t AS (SELECT 1 AS id), t AS (SELECT 2 AS id) SELECT id FROM t");
        refused(db, "WITH RECURSIVE r AS (SELECT n FROM r UNION ALL SELECT 1) SELECT n FROM r");
        assert!(accepted(db, "WITH secret AS (SELECT 1 AS id) SELECT id FROM secret").relations.is_empty());
    }
    // Without RECURSIVE a CTE's own name means the table, but for SQLite.
    accepted(DbType::Postgresql, "WITH orders AS (SELECT id FROM orders) SELECT id FROM orders");
    accepted(DbType::Mysql, "WITH orders AS (SELECT id FROM orders) SELECT id FROM orders");
    refused(DbType::Sqlite, "WITH orders AS (SELECT id FROM orders) SELECT id FROM orders");
}

#[test]
fn postgresql_folds_and_the_others_ignore_case() {
    refused(DbType::Postgresql, "SELECT \"ID\" FROM orders");
    refused(DbType::Postgresql, "SELECT id FROM \"Orders\"");
    accepted(DbType::Postgresql, "SELECT \"id\" FROM PUBLIC.Orders");
    accepted(DbType::Mysql, "SELECT `ID` FROM `Orders`");
    accepted(DbType::Sqlite, "SELECT \"ID\" FROM \"Orders\"");
}

#[test]
fn a_text_in_double_quotes_becomes_one_in_single_quotes() {
    let guarded = accepted(DbType::Sqlite, "SELECT id FROM orders WHERE status = \"it's\" AND channel IN (\"web\", \"app\")");
    assert_eq!(guarded.sql, "SELECT id FROM orders WHERE status = 'it''s' AND channel IN ('web', 'app')");
    let column = accepted(DbType::Sqlite, "SELECT id FROM orders WHERE status = \"channel\"");
    assert_eq!(column.sql, "SELECT id FROM orders WHERE status = \"channel\"");
}

#[test]
fn hexadecimal_numbers_stay_numbers() {
    assert_eq!(accepted(DbType::Sqlite, "SELECT 0x1F, x'1F'").sql, "SELECT 31, X'1F'");
    assert_eq!(accepted(DbType::Mysql, "SELECT 0x41").sql, "SELECT X'41'");
}

#[test]
fn what_stands_before_the_statement_is_told_or_dropped() {
    assert_eq!(accepted(DbType::Sqlite, "\u{FEFF}SELECT id FROM orders").sql, "SELECT id FROM orders");
    let short = refused(DbType::Postgresql, "TABLE products");
    assert!(short.message.contains("`TABLE name`") && short.hint.is_some_and(|hint| hint.contains("SELECT * FROM")));
}

#[test]
fn hints_of_sqlite_are_refused_where_they_stand() {
    let refusal = refused(DbType::Sqlite, "SELECT id FROM orders indexed by orders_by_day");
    assert!(refusal.message.contains("INDEXED BY"), "{refusal:?}");
    assert_eq!(refusal.position, Some(Position { line: 1, column: 23 }));
}

#[test]
fn what_runs_is_the_rendered_tree() {
    let guarded = accepted(DbType::Mysql, "select  id -- note\n from orders /* all */ where status='it\\'s';");
    assert_eq!(guarded.sql, "SELECT id FROM orders WHERE status = 'it\\'s'");
}

#[test]
fn sizes_are_bounded() {
    let db = DbType::Postgresql;
    accepted(db, "SELECT repeat('x', 10000)");
    refused(db, "SELECT repeat('x', 10001)");
    accepted(db, "SELECT count(*) FROM generate_series(1, 100000)");
    refused(db, "SELECT count(*) FROM generate_series(1, 100002)");
    accepted(db, "SELECT d FROM generate_series((SELECT min(ordered_at) FROM orders), now(), interval '1 day') AS d");
    refused(db, "SELECT d FROM generate_series((SELECT min(ordered_at) FROM orders), now(), interval '1 minute') AS d");
}

#[test]
fn huge_and_deep_statements_are_refused_without_harm() {
    let repeated = |before: &str, part: &str, times: usize, after: &str| format!("{before}{}{after}", part.repeat(times));
    for db in ALL {
        for sql in [
            repeated("SELECT ", "(", 10_000, "1"),
            repeated("SELECT 1", "+1", 20_000, ""),
            repeated("SELECT", " -", 10_000, " 1"),
            repeated("SELECT", " NOT", 10_000, " 1"),
            repeated("SELECT 1", " IS NULL", 5_000, ""),
            repeated("SELECT 1", " UNION ALL SELECT 1, 2", 2_000, ""),
            repeated("SELECT * FROM orders", " JOIN orders", 3_000, ""),
            repeated("SELECT ", "CASE WHEN 1=1 THEN ", 2_000, "1"),
            repeated("SELECT ", "abs(", 3_000, "1"),
            repeated("SELECT * FROM (", "SELECT * FROM (", 500, "SELECT 1"),
            repeated("SELECT '", "A", 70_000, "'"),
        ] {
            refused(db, &sql);
        }
        accepted(db, &repeated("SELECT id FROM orders WHERE id IN (0", ",7", 20_000, ")"));
        accepted(db, &repeated("SELECT id FROM orders WHERE id = 0", " OR id = 1", 300, ""));
    }
}
