//! Every type arrives exactly, and columns are told whatever the rows are.

use std::fmt::Write as _;

use datagenie_tests::TestApp;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::Customer;
use crate::questions::{assert_error, assert_success};

/// Columns of one table in their order: name, type, value in the source's words, the type's own name, kind, value in the contract's.
const KINDS: [(&str, &str, &str, &str, &str, &str); 46] = [
    ("truth", "boolean", "true", "boolean", "boolean", "true"),
    ("small", "smallint", "-32768", "smallint", "integer", "-32768"),
    ("whole", "integer", "2147483647", "integer", "integer", "2147483647"),
    ("big", "bigint", "9007199254740993", "bigint", "integer", r#""9007199254740993""#),
    ("exact", "numeric", "123456789012345678901234567890123456789", "numeric", "number", r#""123456789012345678901234567890123456789""#),
    ("scaled", "numeric(10,2)", "0.10", "numeric", "number", r#""0.10""#),
    ("no_number", "numeric", "'NaN'", "numeric", "number", r#""NaN""#),
    ("single", "real", "0.1", "real", "number", "0.1"),
    ("wide", "double precision", "1e300", "double precision", "number", "1e300"),
    ("endless", "double precision", "'-Infinity'", "double precision", "number", r#""-Infinity""#),
    ("letter", "\"char\"", "'c'", "\"char\"", "text", r#""c""#),
    ("word", "varchar(20)", "'한국어 😀'", "character varying", "text", r#""한국어 😀""#),
    ("fixed", "character(5)", "'ab'", "character", "text", r#""ab   ""#),
    ("note", "text", r#"E'a\tb\n"c"'"#, "text", "text", r#""a\tb\n\"c\"""#),
    ("label", "name", "'label'", "name", "text", r#""label""#),
    ("key", "uuid", "'0188e0b0-0000-7000-8000-000000000001'", "uuid", "text", r#""0188e0b0-0000-7000-8000-000000000001""#),
    ("day", "date", "'2024-03-05'", "date", "date", r#""2024-03-05""#),
    ("no_day", "date", "'infinity'", "date", "date", r#""infinity""#),
    ("ides", "date", "'0044-03-15 BC'", "date", "date", r#""0044-03-15 BC""#),
    ("moment", "timestamp", "'2024-03-05 10:20:30.123456'", "timestamp without time zone", "timestamp", r#""2024-03-05T10:20:30.123456""#),
    ("before", "timestamp", "'0044-03-15 10:00:00 BC'", "timestamp without time zone", "timestamp", r#""0044-03-15 10:00:00 BC""#),
    ("stamp", "timestamptz", "'2024-03-05 19:20:30.5+09'", "timestamp with time zone", "timestamp", r#""2024-03-05T10:20:30.5Z""#),
    ("never", "timestamptz", "'-infinity'", "timestamp with time zone", "timestamp", r#""-infinity""#),
    ("clock", "time", "'10:20:30.5'", "time without time zone", "time", r#""10:20:30.5""#),
    ("zoned", "timetz", "'10:20:30+09'", "time with time zone", "time", r#""10:20:30+09""#),
    ("span", "interval", "'1 year 2 months 3 days 04:05:06.7'", "interval", "time", r#""1 year 2 mons 3 days 04:05:06.7""#),
    ("raw", "bytea", r"'\x00ff61'", "bytea", "binary", r#"{ "base64": "AP9h", "truncated": false }"#),
    ("bits", "bit(4)", "B'1010'", "bit", "other", r#""1010""#),
    ("more_bits", "bit varying", "B'101'", "bit varying", "other", r#""101""#),
    ("doc", "json", r#"'{"b": 1,  "a": [1.50, null]}'"#, "json", "other", r#"{ "b": 1, "a": [1.5, null] }"#),
    ("tree", "jsonb", r#"'{"b": 1, "a": "x"}'"#, "jsonb", "other", r#"{ "a": "x", "b": 1 }"#),
    // A number that a double does not hold: the document stays a text.
    ("deep", "jsonb", r#"'{"n": 12345678901234567890.5}'"#, "jsonb", "other", r#""{\"n\": 12345678901234567890.5}""#),
    ("host", "inet", "'10.0.0.1/8'", "inet", "other", r#""10.0.0.1/8""#),
    ("price", "int4range", "'[1,10)'", "int4range", "other", r#""[1,10)""#),
    ("days", "daterange", "'[2024-01-01,)'", "daterange", "other", r#""[2024-01-01,)""#),
    ("list", "integer[]", "'{1,NULL,3}'", "integer[]", "other", r#""{1,NULL,3}""#),
    ("words", "text[]", r#"'{"a b","c\"d",NULL}'"#, "text[]", "other", r#""{\"a b\",\"c\\\"d\",NULL}""#),
    ("feeling", "mood", "'좋음'", "mood", "text", r#""좋음""#),
    ("feelings", "mood[]", r#"'{좋음,"so so"}'"#, "mood[]", "other", r#""{좋음,\"so so\"}""#),
    // A domain is told as what it is made of.
    ("code", "postcode", "'12345'", "text", "text", r#""12345""#),
    ("spot", "place", r#"'(1,"a, b")'"#, "place", "other", r#""(1,\"a, b\")""#),
    ("dot", "point", "'(1.5,-2)'", "point", "other", r#""(1.5,-2)""#),
    ("search", "tsvector", "'fat:1 cat:2'", "tsvector", "other", r#""'cat':2 'fat':1""#),
    ("object", "oid", "4294967295", "oid", "integer", "4294967295"),
    ("nothing", "integer", "NULL", "integer", "integer", "null"),
    ("no_feeling", "mood", "NULL", "mood", "text", "null"),
];

fn made() -> String {
    let mut sql = "CREATE TYPE mood AS ENUM ('좋음', 'so so'); CREATE TYPE place AS (x integer, note text);
        CREATE DOMAIN postcode AS text CHECK (length(VALUE) = 5);"
        .to_owned();
    let columns: Vec<String> = KINDS.iter().map(|(name, kind, ..)| format!("\"{name}\" {kind}")).collect();
    let values: Vec<&str> = KINDS.iter().map(|(_, _, value, ..)| *value).collect();
    let _ = write!(sql, "CREATE TABLE kinds ({}); INSERT INTO kinds VALUES ({});", columns.join(", "), values.join(", "));
    sql
}

fn assert_columns(answer: &Value) {
    let columns = answer["columns"].as_array().expect("columns are told");
    assert_eq!(columns.len(), KINDS.len());
    for (column, (name, _, _, type_name, kind, _)) in columns.iter().zip(KINDS) {
        assert_eq!((&column["name"], &column["type"], &column["kind"]), (&json!(name), &json!(type_name), &json!(kind)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_arrive_exactly_with_the_servers_names_of_their_types() {
    let customer = Customer::of(TestApp::builder().offline().start().await, &made()).await;
    // The second time no type has to be looked up.
    for _ in 0..2 {
        let answer = customer.run("SELECT * FROM kinds").await;
        assert_success(&answer);
        assert_columns(&answer);
        for (value, (name, .., expected)) in answer["rows"][0].as_array().into_iter().flatten().zip(KINDS) {
            let expected: Value = serde_json::from_str(expected).expect("the value is written as JSON");
            assert_eq!(value, &expected, "{name}");
        }
    }
    let empty = customer.run("SELECT * FROM kinds WHERE small > 0").await;
    assert_success(&empty);
    assert_columns(&empty);
    assert_eq!((&empty["rows"], &empty["row_count"]), (&json!([]), &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_result_tells_types_that_were_never_met() {
    let customer = Customer::of(TestApp::builder().offline().start().await, &made()).await;
    let empty = customer.run("SELECT feeling, feelings, feeling AS feeling FROM kinds WHERE small > 0").await;
    assert_success(&empty);
    let told: Vec<(&Value, &Value)> =
        empty["columns"].as_array().into_iter().flatten().map(|column| (&column["name"], &column["type"])).collect();
    let (feeling, mood) = (json!("feeling"), json!("mood"));
    assert_eq!(told, [(&feeling, &mood), (&json!("feelings"), &json!("mood[]")), (&feeling, &mood)], "names may repeat");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_an_encoding_is_read_all_the_same() {
    let app = TestApp::builder().offline().start().await;
    let mut reader = app.reader("SELECT 1").await;
    let name = format!("{}_ascii", reader.database.name);
    reader.database.afterwards(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    reader.database.execute(format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")).await;
    let url = reader.database.url.replace(&reader.database.name, &name);
    let mut made = PgConnection::connect(&url).await.expect("the database is there");
    let sql = r"CREATE TABLE notes (id integer, note text); INSERT INTO notes VALUES (1, 'plain'), (2, E'a\xffb'), (3, '서울');
        GRANT SELECT ON notes TO PUBLIC; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    sqlx::raw_sql(sql).execute(&mut made).await.expect("the test's own statements run");
    let mut config = reader.config.clone();
    config["database"] = json!(name);
    let id = app.connect("ascii", "postgresql", config).await;
    let read = app.admin.answer(json!({ "sql": "SELECT note FROM notes WHERE note <> '부산' ORDER BY id", "connection_id": id })).await;
    assert_success(&read);
    assert_eq!(read["rows"], json!([["plain"], ["a\u{FFFD}b"], ["서울"]]), "bytes that are no text are replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_columns_as_the_server_takes_and_one_more() {
    let customer =
        Customer::of(TestApp::builder().offline().start().await, "CREATE TABLE one (id integer); INSERT INTO one VALUES (7)").await;
    let select = |count: usize| {
        let columns: Vec<String> = (1..=count).map(|number| format!("id AS c{number}")).collect();
        format!("SELECT {} FROM one", columns.join(", "))
    };
    let wide = customer.run(&select(1_664)).await;
    assert_success(&wide);
    assert_eq!((wide["columns"][1_663]["name"].as_str(), wide["rows"][0].as_array().map(Vec::len)), (Some("c1664"), Some(1_664)));
    let wider = customer.run(&select(1_665)).await;
    assert_error(&wider, "sql_invalid");
    assert!(wider["error"]["message"].as_str().is_some_and(|message| message.contains("1,664")), "{wider}");
}
