//! A change of the sealing key while everything runs: nothing is lost, whoever is killed, and whoever changes a secret meanwhile.

use std::collections::BTreeMap;

use datagenie_api::rotate_keys;
use datagenie_common::{
    crypto::{Keyring, SealingError, sealing},
    lifecycle, live_settings,
    store::{
        sealing_check::{self, SealingCheckError},
        system_settings,
    },
};
use datagenie_tests::{Process, Processes, Sink, TestApp, until};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

const KEY: &str = "DATAGENIE_SEALING__KEY";

/// A key of a name: as it stands in the setting.
fn named(name: &str) -> String {
    format!("{name}:{}", sealing::generate_key())
}

fn ring(setting: &str) -> Keyring {
    Keyring::from_setting(setting).expect("these are keys")
}

/// How many values each key has sealed.
async fn by_key(pool: &PgPool) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT coalesce(value->>'key_id', ''), count(*) FROM sealed_values GROUP BY 1")
        .fetch_all(pool)
        .await
        .expect("what is sealed is counted");
    rows.into_iter().collect()
}

/// Many endpoints, each with a secret sealed by this ring, and what the secrets are.
async fn endpoints(pool: &PgPool, ring: &Keyring, count: u128) -> BTreeMap<Uuid, Vec<u8>> {
    let mut secrets = BTreeMap::new();
    for number in 1..=count {
        let (id, secret) = (Uuid::from_u128(number), format!("the secret of {number}").into_bytes());
        let sealed = ring.seal("webhook_endpoints", "secret", id, &secret).expect("it is sealed");
        sqlx::query(
            "INSERT INTO webhook_endpoints (id, user_id, url, events, secret) SELECT $1, id, 'https://example.com', '{*}', $2 FROM users LIMIT 1",
        )
        .bind(id)
        .bind(sealed)
        .execute(pool)
        .await
        .expect("an endpoint is made");
        secrets.insert(id, secret);
    }
    secrets
}

/// What the endpoints' secrets are, opened by this ring alone.
async fn opened(pool: &PgPool, ring: &Keyring) -> BTreeMap<Uuid, Vec<u8>> {
    use secrecy::ExposeSecret;
    let rows: Vec<(Uuid, Value)> =
        sqlx::query_as("SELECT id, secret FROM webhook_endpoints").fetch_all(pool).await.expect("the endpoints are read");
    let open = |(id, sealed): (Uuid, Value)| {
        let clear = ring.open("webhook_endpoints", "secret", id, &sealed).unwrap_or_else(|error| panic!("{id}: {error}"));
        (id, clear.expose_secret().to_vec())
    };
    rows.into_iter().map(open).collect()
}

fn rotation(processes: &Processes, app: &TestApp, keys: &str, args: &[&str]) -> Process {
    let mut environment = app.environment.clone();
    environment.insert(KEY.to_owned(), keys.to_owned());
    let args: Vec<&str> = ["rotate-keys"].iter().chain(args).copied().collect();
    processes.start("datagenie-api", &args, &environment)
}

async fn quiet(keys: &str) -> TestApp {
    TestApp::builder().offline().no_worker().no_scheduler().with_setting("sealing.key", keys).start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_changed_while_everything_runs_and_the_old_one_can_be_thrown_away() {
    let (old, new) = (named("old"), named("new"));
    // Both keys are known before anything is sealed with the new one.
    let app = TestApp::builder()
        .offline()
        .with_setting("sealing.key", format!("{old},{new}"))
        .with_setting("webhooks.allow_cidrs", "127.0.0.1/32")
        .start()
        .await;
    let (shop, sink) = (app.shop_pg().await, Sink::start().await);
    let _ = app.admin.post("/v1/webhooks", json!({ "url": sink.url(), "events": ["question.*"] })).await.expect(201);
    let secret = app.admin.get("/v1/webhooks/callback-secret", None).await.expect(200).body["secret"].clone();
    let _ = app.admin.put("/v1/settings/openai_api_key", json!({ "value": "sk-sealed" })).await.expect(200);
    let seen = app.admin.get(format!("/v1/connections/{shop}"), None).await.expect(200).body;
    assert_eq!(by_key(&app.pool).await, BTreeMap::from([("old".to_owned(), 5)]), "connection, endpoint, callbacks, setting, check");

    let processes = Processes::of(&app);
    let check = rotation(&processes, &app, &format!("{new},{old}"), &["--check"]);
    assert_eq!(check.exit_code().await, Some(1), "{}", check.log());
    assert_eq!(by_key(&app.pool).await, BTreeMap::from([("old".to_owned(), 5)]), "a look changes nothing");
    let rotate = rotation(&processes, &app, &format!("{new},{old}"), &[]);
    assert_eq!(rotate.exit_code().await, Some(0), "{}", rotate.log());
    assert!(
        rotate.log().contains("5 of 5 sealed again") && rotate.log().contains("everything is sealed with key `new`"),
        "{}",
        rotate.log()
    );
    assert_eq!(by_key(&app.pool).await, BTreeMap::from([("new".to_owned(), 5)]));
    let audited: Value = sqlx::query_scalar("SELECT details FROM audit_logs WHERE action = 'sealing.rotated' AND resource_id = 'new'")
        .fetch_one(&app.pool)
        .await
        .expect("it is in the audit log");
    assert_eq!(audited["resealed"]["connection_config"], 1, "{audited}");

    // What runs reads both. Nothing has to be looked at or synced again, since nothing was changed.
    let run = || app.admin.answer(json!({ "sql": "SELECT count(*) AS n FROM orders", "connection_id": shop, "cache": "skip" }));
    assert_eq!(run().await["status"], "success");
    let after = app.admin.get(format!("/v1/connections/{shop}"), None).await.expect(200).body;
    assert_eq!(after, seen);
    sink.has(1).await;
    assert_eq!(app.admin.get("/v1/webhooks/callback-secret", None).await.expect(200).body["secret"], secret);

    // A second run has nothing to do; with the new key alone everything goes on, and with the old one alone nothing starts.
    let again = rotation(&processes, &app, &format!("{new},{old}"), &[]);
    assert_eq!(again.exit_code().await, Some(0), "{}", again.log());
    app.worker.stop().await;
    let alone = processes.clone().with_setting("sealing.key", &new);
    let (_api, url) = alone.api().await;
    let _worker = alone.worker();
    let asked =
        app.admin.at(&url).answer(json!({ "sql": "SELECT count(*) AS n FROM orders", "connection_id": shop, "cache": "skip" })).await;
    assert_eq!(asked["status"], "success", "{asked}");
    for program in ["datagenie-api", "datagenie-worker", "datagenie-scheduler"] {
        let mut environment = app.environment.clone();
        environment.insert(KEY.to_owned(), old.clone());
        let refused = processes.start(program, &[], &environment);
        assert_eq!(refused.exit_code().await, Some(1), "{program}: {}", refused.log());
        assert!(refused.log().contains("sealing.key") && refused.log().contains("`new`"), "{program}: {}", refused.log());
        assert_eq!(refused.log().trim().lines().count(), 1, "{program}: {}", refused.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_was_killed_is_gone_on_with_and_loses_nothing() {
    let (old, new) = (named("old"), named("new"));
    let app = quiet(&old).await;
    let secrets = endpoints(&app.pool, &ring(&old), 180).await;
    let both = format!("{new},{old}");
    let processes = Processes::of(&app);
    // The 120th is held, so that the run stands in the middle of a step, and is killed there.
    let mut held = app.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM webhook_endpoints WHERE id = $1 FOR UPDATE")
        .bind(Uuid::from_u128(120))
        .execute(&mut *held)
        .await
        .expect("held");
    let first = rotation(&processes, &app, &both, &[]);
    let done = || async { by_key(&app.pool).await.get("new").copied().unwrap_or_default() };
    // The word that tells a wrong key is among the first hundred, and is passed over.
    until(|| async { (done().await >= 99).then_some(()) }, "two steps are done").await;
    first.kill9();
    first.exit_code().await;
    held.rollback().await.expect("let go");
    let (half, left) = (done().await, by_key(&app.pool).await.get("old").copied().unwrap_or_default());
    assert!(half >= 99 && left >= 61, "{half} {left}");
    // Whoever takes the old key away now is told so by the first program that starts.
    let early = sealing_check::check(&app.pool, &ring(&new)).await.expect_err("the old key is still needed");
    assert!(matches!(early, SealingCheckError::OtherKey(SealingError::UnknownKey(ref id)) if id == "old"), "{early:?}");

    let second = rotation(&processes, &app, &both, &[]);
    assert_eq!(second.exit_code().await, Some(0), "{}", second.log());
    assert!(second.log().contains(&format!("{left} of {left} sealed again")), "it does only what was left: {}", second.log());
    assert_eq!(by_key(&app.pool).await, BTreeMap::from([("new".to_owned(), 181)]));
    assert_eq!(opened(&app.pool, &ring(&new)).await, secrets);
    sealing_check::check(&app.pool, &ring(&new)).await.expect("the new key is enough");
    let audited: Vec<(String, Value)> =
        sqlx::query_as("SELECT action, details->'left' FROM audit_logs WHERE action LIKE 'sealing.%' ORDER BY created_at")
            .fetch_all(&app.pool)
            .await
            .expect("the audit log is read");
    let line = |action: &str, left: i64| (action.to_owned(), json!(left));
    let begun = "sealing.rotation_started";
    assert_eq!(audited, [line(begun, 181), line(begun, left), line("sealing.rotated", 0)], "the killed run is told of as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_changed_at_the_same_moment_is_kept_and_not_left_behind() {
    let (old, new) = (named("old"), named("new"));
    let app = quiet(&old).await;
    let (before, both) = (ring(&old), ring(&format!("{new},{old}")));
    let mut secrets = endpoints(&app.pool, &before, 60).await;
    let changed = Uuid::from_u128(30);
    let mut change = app.pool.begin().await.expect("a transaction");
    let sealed = before.seal("webhook_endpoints", "secret", changed, b"another secret").expect("it is sealed");
    sqlx::query("UPDATE webhook_endpoints SET secret = $2 WHERE id = $1")
        .bind(changed)
        .bind(sealed)
        .execute(&mut *change)
        .await
        .expect("changed");
    let (pool, keys) = (app.pool.clone(), both.clone());
    let rotation = lifecycle::spawn("rotation", async move { rotate_keys::rotate(&pool, &keys, |_| ()).await });
    // It waits for the row, with the secret of before in its hands.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE webhook_endpoints SET secret%' AND datname = current_database()";
    until(
        || async { (sqlx::query_scalar::<_, i64>(waits).fetch_one(&app.pool).await.expect("who waits is read") > 0).then_some(()) },
        "the rotation is at the row",
    )
    .await;
    change.commit().await.expect("the change is made");
    let report = rotation.await.expect("it ends").expect("it is done");
    assert!(report.is_complete(), "{report:?}");
    secrets.insert(changed, b"another secret".to_vec());
    assert_eq!(opened(&app.pool, &ring(&new)).await, secrets);

    // An administrator who changes a setting at the same moment: neither waits for the other for ever.
    let newest = named("newest");
    let of_setting = |ring: &Keyring, clear: &str| live_settings::seal(ring, "openai_api_key", clear).expect("it is sealed");
    sqlx::query("INSERT INTO system_settings (key, value, is_sensitive) VALUES ('openai_api_key', $1, true)")
        .bind(of_setting(&both, "sk-before"))
        .execute(&app.pool)
        .await
        .expect("stored");
    let mut change = app.pool.begin().await.expect("a transaction");
    system_settings::take_turn(&mut change).await.expect("it is his turn");
    let (pool, keys) = (app.pool.clone(), ring(&format!("{newest},{new}")));
    let rotation = lifecycle::spawn("rotation", async move { rotate_keys::rotate(&pool, &keys, |_| ()).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    until(
        || async { (sqlx::query_scalar::<_, i64>(waits).fetch_one(&app.pool).await.expect("who waits is read") > 0).then_some(()) },
        "the rotation waits for its turn",
    )
    .await;
    sqlx::query("UPDATE system_settings SET value = $1 WHERE key = 'openai_api_key'")
        .bind(of_setting(&both, "sk-after"))
        .execute(&mut *change)
        .await
        .expect("changed");
    change.commit().await.expect("the change is made");
    let report = rotation.await.expect("it ends").expect("it is done");
    assert!(report.is_complete(), "{report:?}");
    let sealed: Value = sqlx::query_scalar("SELECT value FROM system_settings WHERE key = 'openai_api_key'")
        .fetch_one(&app.pool)
        .await
        .expect("it is read");
    assert_eq!(live_settings::open(&ring(&newest), "openai_api_key", &sealed).expect("it opens"), "sk-after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_open_is_told_and_all_else_is_done() {
    let (old, new) = (named("old"), named("new"));
    let app = quiet(&old).await;
    let secrets = endpoints(&app.pool, &ring(&old), 70).await;
    // Moved to another row, sealed by nobody knows whom, and no sealed value at all.
    let damage = "UPDATE webhook_endpoints e SET secret = CASE e.id WHEN $1 THEN o.secret WHEN $2 THEN jsonb_set(e.secret, '{key_id}', '\"lost\"') ELSE '{}' END
                  FROM webhook_endpoints o WHERE o.id = $4 AND e.id IN ($1, $2, $3)";
    let [moved, lost, empty] = [5, 6, 7].map(Uuid::from_u128);
    let done = sqlx::query(damage).bind(moved).bind(lost).bind(empty).bind(Uuid::from_u128(8)).execute(&app.pool).await;
    assert_eq!(done.expect("they are damaged").rows_affected(), 3);
    let rotate = rotation(&Processes::of(&app), &app, &format!("{new},{old}"), &[]);
    assert_eq!(rotate.exit_code().await, Some(1), "{}", rotate.log());
    let log = rotate.log();
    for (id, why) in [(moved, "does not open in its place"), (lost, "`lost`"), (empty, "not a sealed value")] {
        assert!(log.lines().any(|line| line.contains(&id.to_string()) && line.contains(why)), "{id} {why}: {log}");
    }
    assert!(log.contains("3 values are not under key `new`, 3 do not open"), "{log}");
    assert_eq!(by_key(&app.pool).await.get("new"), Some(&68));
    sqlx::query("DELETE FROM webhook_endpoints WHERE id IN ($1, $2, $3)")
        .bind(moved)
        .bind(lost)
        .bind(empty)
        .execute(&app.pool)
        .await
        .expect("gone");
    let kept: BTreeMap<_, _> = secrets.into_iter().filter(|(id, _)| ![moved, lost, empty].contains(id)).collect();
    assert_eq!(opened(&app.pool, &ring(&new)).await, kept);
    for secret in ["the secret of", old.as_str(), new.as_str()] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_moved_to_another_connection_does_not_open() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let (pg, sqlite) = (app.shop_pg().await, app.shop_sqlite().await);
    sqlx::query(
        "UPDATE database_connections c SET connection_config = o.connection_config, db_type = o.db_type, config_version = c.config_version
         FROM database_connections o WHERE c.id = $1 AND o.id = $2",
    )
    .bind(sqlite)
    .bind(pg)
    .execute(&app.pool)
    .await
    .expect("it is moved");
    let tested = app.admin.post(format!("/v1/connections/{sqlite}/test"), None).await.expect(202).header("location").to_owned();
    let ended = until(
        || async { Some(app.admin.get(&tested, None).await.body).filter(|job| job["finished_at"].is_string()) },
        "the connection was tested",
    )
    .await;
    let seen = app.admin.get(format!("/v1/connections/{sqlite}"), None).await.expect(200).body;
    assert_eq!(seen["state"], "refused", "{seen} {ended}");
    assert!(seen["error"]["message"].as_str().is_some_and(|message| message.contains("unsealed")), "{seen}");
    let refused = app.admin.post("/v1/questions", json!({ "sql": "SELECT count(*) AS n FROM orders", "connection_id": sqlite })).await;
    refused.problem(409, "connection_not_ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sealed_is_among_the_sealed_values() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    app.shop_pg().await;
    let _ = app.admin.post("/v1/webhooks", json!({ "url": "https://example.com/", "events": ["*"] })).await.expect(201);
    for path in ["/v1/webhooks/callback-secret", "/v1/webhooks/callback-secret"] {
        let _ = app.admin.post(path, None).await.expect(200);
    }
    let _ = app.admin.put("/v1/settings/openai_api_key", json!({ "value": "sk-sealed" })).await.expect(200);
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns JOIN pg_class ON relname = table_name AND relkind = 'r'
         WHERE table_schema = 'public' AND data_type = 'jsonb'",
    )
    .fetch_all(&app.pool)
    .await
    .expect("the columns are known");
    let mut found = 0;
    for (table, column) in columns {
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} ?& '{{v,key_id,nonce,ciphertext}}'");
        found += sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).fetch_one(&app.pool).await.expect("a column is looked through");
    }
    let listed: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed_values").fetch_one(&app.pool).await.expect("they are counted");
    assert_eq!((found, listed), (listed, found), "a place that seals is missing in the view sealed_values");
    assert!(listed >= 6, "{listed}: a callback secret and the one before, an endpoint, a connection, a setting, the check");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_before_a_rotation_that_is_sent_again_is_still_the_same() {
    let (old, new) = (named("old"), named("new"));
    let app = quiet(&old).await;
    let body = json!({ "question": "how many?" });
    let send = |client: datagenie_tests::Client| {
        let request = client.request(reqwest::Method::POST, "/v1/questions").header("idempotency-key", "once").json(&body);
        async move { client.send(request).await }
    };
    let first = send(app.admin.clone()).await.expect(202).id();
    let (_api, url) = Processes::of(&app).with_setting("sealing.key", &format!("{new},{old}")).api().await;
    let again = send(app.admin.at(&url)).await;
    assert!(matches!(again.status, 200 | 202) && again.id() == first, "{} {}", again.status, again.text);
    let other = app.admin.at(&url);
    let request =
        other.request(reqwest::Method::POST, "/v1/questions").header("idempotency-key", "once").json(&json!({ "question": "who?" }));
    other.send(request).await.problem(422, "idempotency_key_reused");
}
