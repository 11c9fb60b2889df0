//! What a sync finds out about a database: profiles, proposals of masks, what has changed since the last one; and what it leaves as it was.

use datagenie_tests::{Client, TestApp, until};
use serde_json::{Value, json};
use uuid::Uuid;

/// Syncs a connection and waits for the end.
async fn sync(app: &TestApp, id: Uuid) {
    let job = app.admin.post(format!("/v1/connections/{id}/sync"), None).await.expect(202);
    let path = job.header("location").to_owned();
    let job = until(
        || async {
            let job = app.admin.get(&path, None).await.expect(200).body;
            job["finished_at"].is_string().then_some(job)
        },
        "the sync has ended",
    )
    .await;
    assert_eq!(job["state"], "succeeded", "{job}");
}

/// The tables of a connection's one schema, as somebody sees them.
async fn tables(client: &Client, id: Uuid) -> Value {
    let schema = client.get(format!("/v1/connections/{id}/schema"), None).await.expect(200).body;
    let schemas = schema["schemas"].as_object().expect("a schema has schemas");
    schemas.values().next().expect("the shop has one").clone()
}

/// One text of a connection's row.
async fn stored(app: &TestApp, id: Uuid, expression: &str) -> String {
    let sql = format!("SELECT coalesce(({expression})::text, '') FROM database_connections WHERE id = $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(&app.pool).await.expect("the connection is read")
}

/// The columns that the last sync proposed to mask, as `table.column kind`.
async fn proposed(app: &TestApp, id: Uuid) -> Vec<String> {
    let proposals: Value = serde_json::from_str(&stored(app, id, "proposed_masks").await).expect("proposals are JSON");
    let text = |proposal: &Value, field: &str| proposal[field].as_str().unwrap_or_default().to_owned();
    let named = |proposal: &Value| format!("{}.{} {}", text(proposal, "table"), text(proposal, "column"), text(proposal, "kind"));
    proposals.as_array().expect("proposals are a list").iter().map(named).collect()
}

/// The drifts that were told of a connection: to whom, and what.
async fn drifts(app: &TestApp, id: Uuid) -> Vec<(Uuid, Value)> {
    sqlx::query_as("SELECT user_id, data FROM events WHERE type = 'connection.drifted' AND subject = $1 AND job_id IS NULL ORDER BY seq")
        .bind(id.to_string())
        .fetch_all(&app.pool)
        .await
        .expect("the events are read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_profiles_columns_and_proposes_what_to_mask() {
    let app = TestApp::builder().offline().sources().start().await;
    for id in [app.shop_pg().await, app.shop_sqlite().await] {
        let tables = tables(&app.admin, id).await;
        let column = |table: &str, name: &str| tables[table]["columns"][name].clone();
        let city = column("customers", "city");
        assert!(city["values"].as_array().is_some_and(|values| values.len() == 12 && values.contains(&json!("서울"))), "{city}");
        assert_eq!(
            (&city["profile"]["rows"], &city["profile"]["nulls"], &city["profile"]["distinct"]),
            (&json!(20), &json!(0), &json!(12))
        );
        let price = column("products", "price");
        assert_eq!((&price["profile"]["min"], &price["profile"]["max"]), (&json!("1000"), &json!("12000")), "numbers compare as numbers");
        assert_eq!((&price["profile"]["shape"], &price["values"]), (&json!("integer"), &Value::Null));
        for (table, name, shape) in [
            ("customers", "email", "email"),
            ("customers", "phone", "phone"),
            ("customers", "name", "person_name"),
            ("customers", "joined_on", "date"),
            ("orders", "ordered_at", "timestamp"),
        ] {
            let column = column(table, name);
            assert_eq!(column["profile"]["shape"], shape, "{table}.{name}: {column}");
        }
        assert!(tables["orders"]["profiled_at"].is_string(), "{tables}");
        assert_eq!(proposed(&app, id).await, ["customers.email email", "customers.name name", "customers.phone phone"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masked_columns_are_never_profiled_and_lose_what_was_known() {
    let app = TestApp::builder().offline().sources().start().await;
    let alice = app.client("alice").await;
    for (id, schema) in [(app.shop_pg().await, "public"), (app.shop_sqlite().await, "main")] {
        app.grant(id, &alice).await;
        assert!(tables(&alice, id).await["customers"]["columns"]["email"]["profile"].is_object(), "it is not masked yet");
        assert!(stored(&app, id, "schema_info").await.contains("c1@example.com"));
        sqlx::query("INSERT INTO column_masks (connection_id, schema_name, table_name, column_name, kind) VALUES ($1, $2, 'customers', 'email', 'email')")
            .bind(id)
            .bind(schema)
            .execute(&app.pool)
            .await
            .expect("the mask is set");
        let hidden = |columns: &Value| (columns["email"]["profile"].clone(), columns["email"]["values"].clone());
        assert_eq!(hidden(&tables(&alice, id).await["customers"]["columns"]), (Value::Null, Value::Null), "at once");

        sync(&app, id).await;
        let columns = tables(&app.admin, id).await["customers"]["columns"].clone();
        assert_eq!(hidden(&columns), (Value::Null, Value::Null));
        assert!(columns["phone"]["profile"].is_object(), "only what is masked is left out: {columns}");
        assert!(!stored(&app, id, "schema_info").await.contains("c1@example.com"), "nothing of it is stored any more");
        assert_eq!(proposed(&app, id).await, ["customers.name name", "customers.phone phone"], "it is proposed no more");
        sync(&app, id).await;
        assert!(!stored(&app, id, "schema_info").await.contains("c1@example.com"), "nor does it come back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_between_two_syncs_is_told_once() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_pg().await;
    assert!(drifts(&app, id).await.is_empty(), "the first look finds no change");
    let shop = app.shop_pg_database().await;
    shop.database
        .execute(
            "ALTER TABLE orders ADD COLUMN note text; ALTER TABLE orders ALTER COLUMN amount TYPE bigint;
             ALTER TABLE customers ALTER COLUMN city SET NOT NULL; ALTER TABLE products DROP COLUMN category;
             CREATE TABLE returns (id integer PRIMARY KEY, order_id integer); DROP TABLE order_items",
        )
        .await;
    sync(&app, id).await;
    let told = drifts(&app, id).await;
    let [(owner, data)] = &told[..] else { panic!("one drift is told: {told:?}") };
    assert_eq!(*owner, app.admin.user_id, "who registered it");
    assert_eq!(data["connection_id"], json!(id));
    assert_eq!(data["schema_version"].to_string(), stored(&app, id, "schema_version").await);
    let column = |table: &str, column: &str| json!({ "table": table, "column": column });
    assert_eq!(
        data["drift"],
        json!({
            "tables_added": ["returns"],
            "tables_removed": ["order_items"],
            "columns_added": [column("orders", "note")],
            "columns_removed": [column("products", "category")],
            "columns_changed": [
                { "table": "customers", "column": "city", "from": "text", "to": "text not null" },
                { "table": "orders", "column": "amount", "from": "integer", "to": "bigint" },
            ],
            "total": { "tables_added": 1, "tables_removed": 1, "columns_added": 1, "columns_removed": 1, "columns_changed": 2 },
        })
    );
    assert!(!data.to_string().contains("서울"), "names, never values: {data}");
    let columns: i64 = sqlx::query_scalar("SELECT count(*) FROM cached_schema_info WHERE connection_id = $1")
        .bind(id)
        .fetch_one(&app.pool)
        .await
        .expect("the columns are counted");
    assert_eq!(columns, 7 + 3 + 7 + 2, "customers, products, orders, returns");

    sync(&app, id).await;
    assert_eq!(drifts(&app, id).await.len(), 1, "nothing has changed since");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_database_behind_a_connection_is_no_drift() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_pg().await;
    let other = app.reader("CREATE TABLE cities (id integer PRIMARY KEY, name text)").await;
    let _ = app.admin.patch(format!("/v1/connections/{id}"), json!({ "config": other.config })).await.expect(200);
    assert_eq!(app.looked_at(id).await["state"], "ready");
    assert!(tables(&app.admin, id).await["cities"].is_object(), "the other database is read");
    assert!(drifts(&app, id).await.is_empty());
}

/// What of a connection's columns is written anew when it is written at all.
async fn rows_of(app: &TestApp, id: Uuid) -> String {
    let sql = "SELECT string_agg(concat_ws(' ', xmin, table_name, column_name), ',' ORDER BY table_name, column_name)
               FROM cached_schema_info WHERE connection_id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_one(&app.pool).await.expect("the columns are read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_finds_nothing_new_writes_nothing_but_when_it_was() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    let (version, synced, rows) =
        (stored(&app, id, "schema_version").await, stored(&app, id, "last_schema_sync").await, rows_of(&app, id).await);
    sync(&app, id).await;
    assert_eq!(stored(&app, id, "schema_version").await, version);
    assert_ne!(stored(&app, id, "last_schema_sync").await, synced);
    assert_eq!(rows_of(&app, id).await, rows);
    assert!(drifts(&app, id).await.is_empty());

    // What is old is touched before the upkeep removes it, and what is wrong or missing is put right.
    for change in [
        "UPDATE cached_schema_info SET cached_at = dg_now() - interval '29 days'",
        "UPDATE cached_schema_info SET data_type = 'nonsense' WHERE column_name = 'city'",
        "DELETE FROM cached_schema_info WHERE column_name = 'email'",
        "INSERT INTO cached_schema_info (connection_id, schema_name, table_name, column_name) SELECT id, 'main', 'gone', 'id' FROM database_connections",
    ] {
        sqlx::query(change).execute(&app.pool).await.expect("the columns are changed");
    }
    sync(&app, id).await;
    let wrong: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM cached_schema_info WHERE cached_at < dg_now() - interval '1 hour' OR data_type = 'nonsense' OR table_name = 'gone'",
    )
    .fetch_one(&app.pool)
    .await
    .expect("the columns are counted");
    let all: i64 =
        sqlx::query_scalar("SELECT count(*) FROM cached_schema_info").fetch_one(&app.pool).await.expect("the columns are counted");
    assert_eq!((wrong, all), (0, 7 + 4 + 6 + 5));
    assert_eq!(stored(&app, id, "schema_version").await, version);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_tables_of_twenty_columns_are_read_and_stored() {
    let app = TestApp::builder().offline().with_setting("sources.profile_seconds", "0").start().await;
    let large = app
        .reader(
            "DO $$ DECLARE columns text := (SELECT string_agg(format('c%s integer', n), ', ') FROM generate_series(1, 20) n);
             BEGIN FOR t IN 1..2000 LOOP EXECUTE format('CREATE TABLE t%s (%s)', t, columns); END LOOP; END $$;",
        )
        .await;
    let id = app.connect("large", "postgresql", large.config.clone()).await;
    for _ in 0..2 {
        let (tables, columns): (i64, i64) =
            sqlx::query_as("SELECT count(DISTINCT table_name), count(*) FROM cached_schema_info WHERE connection_id = $1")
                .bind(id)
                .fetch_one(&app.pool)
                .await
                .expect("the columns are counted");
        assert_eq!((tables, columns), (2_000, 40_000));
        sync(&app, id).await;
    }
    assert!(drifts(&app, id).await.is_empty());
    assert!(!stored(&app, id, "schema_info").await.contains("profile"), "nobody wants profiles");
}
