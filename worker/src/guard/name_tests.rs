//! How names are resolved where the engines differ: a column that is masked must not be found under a name that means another to the
//! guard.

use datagenie_common::model::{
    connections::DbType,
    policies::{ColumnMask, MaskKind},
};
use sqlparser::ast::Ident;

use super::{
    GuardInput, Guarded, Refusal, check, names,
    tests::{ALL, home, policy, shop},
};

// With the names of customers masked, which products have too.
fn run(db: DbType, sql: &str) -> Result<Guarded, Refusal> {
    let mut policy = policy(db, true);
    policy.masks.push(ColumnMask {
        schema: home(db).to_owned(),
        table: "customers".to_owned(),
        column: "name".to_owned(),
        kind: MaskKind::Name,
    });
    check(&GuardInput { sql, schema: &shop(db), policy: &policy, extra_functions: &[] })
}

fn refused_as_masked(db: DbType, sql: &str) {
    match run(db, sql) {
        Err(refusal) => assert!(refusal.message.contains("masked"), "{db}: {sql}: {refusal:?}"),
        Ok(guarded) => panic!("{db}: accepted {sql} as {}", guarded.sql),
    }
}

fn accepted(db: DbType, sql: &str) -> Guarded {
    run(db, sql).unwrap_or_else(|refusal| panic!("{db}: {sql}: {refusal:?}"))
}

#[test]
fn a_name_that_the_server_may_not_give_hides_no_masked_column() {
    let db = DbType::Postgresql;
    for sql in [
        "SELECT (SELECT max(name) FROM (SELECT CASE WHEN true THEN 'a' ELSE 'b'::name END) t) FROM customers",
        "SELECT (SELECT name || '' FROM (SELECT 'a'::name::text) t) FROM customers",
        "SELECT (SELECT name || '' FROM (SELECT 'a'::text::name) t) FROM customers",
        "SELECT (SELECT name::text FROM unnest(ARRAY['a']) AS name) FROM customers",
    ] {
        refused_as_masked(db, sql);
    }
    accepted(db, "SELECT (SELECT name || '' FROM (SELECT 'a' AS name) t) FROM customers");
    accepted(db, "SELECT tag FROM customers, unnest(ARRAY['a']) AS tag");
}

#[test]
fn a_schema_before_an_alias_means_what_the_server_takes_it_for() {
    for db in [DbType::Mysql, DbType::Sqlite] {
        let home = home(db);
        refused_as_masked(db, &format!("SELECT (SELECT MAX({home}.products.name) FROM customers products) FROM products"));
        refused_as_masked(db, &format!("SELECT (SELECT MAX({home}.customers.name) FROM (SELECT 'x' AS name) customers) FROM customers"));
        accepted(db, &format!("SELECT MAX({home}.products.name) FROM products"));
    }
    // PostgreSQL knows no schema of an alias, and looks further out.
    accepted(DbType::Postgresql, "SELECT (SELECT max(public.products.name) FROM customers products) FROM products");
}

#[test]
fn inner_columns_hide_outer_ones_of_the_same_name() {
    for db in ALL {
        accepted(db, "SELECT id FROM customers WHERE id IN (SELECT id FROM products WHERE name = 'a')");
        accepted(db, "SELECT c.id FROM customers c JOIN products p ON p.id = c.id AND p.name = 'a'");
        refused_as_masked(db, "SELECT c.id FROM customers c JOIN products p ON p.id = c.id AND c.name = 'a'");
    }
}

#[test]
fn mysql_ignores_case_beyond_ascii() {
    assert_eq!(names::key(DbType::Mysql, &Ident::new("BAN\u{212A}")), "bank");
    assert_eq!(names::key(DbType::Mysql, &Ident::new("NAÏVE")), "naïve");
    assert_eq!(names::key(DbType::Sqlite, &Ident::new("NAÏVE")), "naÏve");
}

#[test]
fn stars_are_in_each_engines_order_and_name_their_table() {
    let sql = "SELECT * FROM orders o JOIN customers c USING (id) JOIN products p ON p.id = o.id";
    for db in ALL {
        let guarded = accepted(db, sql);
        let first = if db == DbType::Postgresql { "SELECT o.\"id\", o.\"customer_id\"" } else { "SELECT o.`id`, o.`customer_id`" };
        assert!(guarded.sql.starts_with(first), "{}", guarded.sql);
        assert_eq!(guarded.masked.len(), 16);
    }
    let second = "SELECT * FROM products p JOIN customers c USING (id) RIGHT JOIN orders o USING (id)";
    assert!(accepted(DbType::Sqlite, second).sql.starts_with("SELECT `id`, p.`name`"));
}

#[test]
fn an_admins_function_is_found_by_its_folded_name() {
    let db = DbType::Postgresql;
    let extra = ["Fin.Gross".to_owned()];
    let allowed = |sql: &str| check(&GuardInput { sql, schema: &shop(db), policy: &policy(db, false), extra_functions: &extra }).is_ok();
    assert!(allowed("SELECT FIN.gross(amount) FROM orders"));
    assert!(allowed("SELECT \"Fin\".\"Gross\"(amount) FROM orders"));
    assert!(!allowed("SELECT \"FIN\".gross(amount) FROM orders"));
    assert!(!allowed("SELECT \"fin.gross\"(amount) FROM orders"));
}

#[test]
fn texts_in_double_quotes_are_texts_whatever_sql_mode_says() {
    let sql = "SELECT id FROM orders WHERE status = \"it's\" OR status = \"a\\\"b\\'c\"";
    assert_eq!(accepted(DbType::Mysql, sql).sql, "SELECT id FROM orders WHERE status = 'it''s' OR status = 'a\\\"b\\'c'");
}

#[test]
fn sqlites_is_compares_any_values() {
    assert_eq!(
        accepted(DbType::Sqlite, "SELECT id FROM orders WHERE status IS \"paid\" AND channel IS NOT 'web' AND amount ISNULL").sql,
        "SELECT id FROM orders WHERE status IS NOT DISTINCT FROM 'paid' AND channel IS DISTINCT FROM 'web' AND amount IS NULL"
    );
}
