//! What a look finds that a role may do beyond reading, by whichever way.

use datagenie_tests::{Reader, TestApp};
use serde_json::{Value, json};

/// The names of roles are the whole server's: each is made of the reader's.
const MADE: &str = "CREATE TABLE orders (id serial PRIMARY KEY); CREATE SCHEMA theirs; CREATE SEQUENCE numbers;";

/// Registers a connection anew: its state, and what its role may do.
async fn looked_at(app: &TestApp, reader: &Reader, name: &str) -> (Value, String) {
    let new = json!({ "name": name, "db_type": "postgresql", "config": reader.config });
    let id = app.admin.post("/v1/connections", new).await.expect(201).id();
    let connection = app.looked_at(id).await;
    (connection["state"].clone(), connection["role_warnings"].to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_more_than_reading_is_seen() {
    let app = TestApp::builder().offline().start().await;
    let mut reader = app.reader(MADE).await;
    let role = reader.config["username"].as_str().unwrap_or_default().to_owned();
    let group = format!("{role}_group");
    reader.database.afterwards(format!("DROP ROLE IF EXISTS {group}"));
    reader.database.execute(format!("CREATE ROLE {group}; GRANT {group} TO {role}; ALTER ROLE {role} NOINHERIT")).await;
    let database = reader.database.name.clone();
    assert_eq!(looked_at(&app, &reader, "only reads").await, (json!("ready"), "[]".to_owned()));
    let cases = [
        ("a trigger", format!("GRANT TRIGGER ON orders TO {role}"), "may change the tables public.orders"),
        ("a sequence", format!("GRANT USAGE ON SEQUENCE numbers TO {role}"), "may change the sequences public.numbers"),
        ("a role not inherited", format!("GRANT INSERT ON orders TO {group}"), "may change the tables public.orders"),
        ("an owner without rights", format!("ALTER TABLE orders OWNER TO {group}; REVOKE ALL ON orders FROM {group}"), "public.orders"),
        ("an owner of a schema", format!("ALTER SCHEMA theirs OWNER TO {role}; REVOKE ALL ON SCHEMA theirs FROM {role}"), "schemas theirs"),
        (
            "an owner of the database",
            format!("ALTER DATABASE {database} OWNER TO {group}; REVOKE CREATE ON DATABASE {database} FROM {group}"),
            "owns the database",
        ),
        ("a way to create roles", format!("ALTER ROLE {group} CREATEROLE"), "may create and change roles"),
    ];
    for (name, sql, expected) in cases {
        reader.database.execute(sql).await;
        let (state, told) = looked_at(&app, &reader, name).await;
        assert_eq!((&state, told.contains(expected)), (&json!("refused"), true), "{name}: {told}");
        let undone = format!(
            "ALTER TABLE orders OWNER TO CURRENT_USER; ALTER SCHEMA theirs OWNER TO CURRENT_USER; ALTER DATABASE {database} OWNER TO CURRENT_USER;
             ALTER ROLE {group} NOCREATEROLE; REVOKE TRIGGER ON orders FROM {role}; REVOKE USAGE ON SEQUENCE numbers FROM {role};
             REVOKE INSERT ON orders FROM {group}"
        );
        reader.database.execute(undone).await;
    }
    assert_eq!(looked_at(&app, &reader, "only reads again").await.0, json!("ready"));
}
