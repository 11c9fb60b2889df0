//! A customer's database that goes away and comes back.

use datagenie_tests::{TestApp, shop, until};
use serde_json::json;

use super::{COUNT, assert_error, assert_success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_waited_for_until_the_deadline() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let (gate, config) = reader.gated().await;
    let id = app.connect("gated", "postgresql", config).await;
    let statement = json!({ "sql": COUNT, "connection_id": id, "cache": "skip" });
    assert_success(&app.admin.answer(statement.clone()).await);

    gate.shut();
    let mut short = statement.clone();
    short["deadline_seconds"] = json!(2);
    let given_up = app.admin.answer(short).await;
    assert_error(&given_up, "source_unreachable");
    assert_eq!(given_up["error"]["retryable"], true);
    assert!(!given_up.to_string().contains("only-reads"), "no secret is shown");

    let asked = app.admin.post("/v1/questions", statement).await.expect(202);
    let job = format!("/v1/jobs/{}", asked.body["job_id"].as_str().unwrap_or_default());
    until(
        || async { (app.admin.get(&job, None).await.body["attempts"] != json!([])).then_some(()) },
        "it was tried while the database was down",
    )
    .await;
    gate.open();
    let answered = app.admin.wait(asked.id()).await;
    assert_success(&answered);
    assert_eq!(answered["rows"], json!([[shop::ORDERS]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_role_may_not_read_is_told_without_the_servers_words() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let id = app.connect("narrow", "postgresql", reader.config.clone()).await;
    let role = reader.config["username"].as_str().unwrap_or_default();
    reader.database.execute(format!("REVOKE SELECT ON customers FROM {role}")).await;
    let refused = app.admin.answer(json!({ "sql": "SELECT email FROM customers", "connection_id": id })).await;
    assert_error(&refused, "source_permission");
    // A failing cast would quote the value that it failed on.
    reader.database.execute(format!("GRANT SELECT ON customers TO {role}")).await;
    let failed = app.admin.answer(json!({ "sql": "SELECT CAST(email AS integer) FROM customers", "connection_id": id })).await;
    assert_error(&failed, "sql_invalid");
    assert!(!failed["error"].to_string().contains("example.com"), "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_postgresql_could_not_store_is_an_answer_all_the_same() {
    let app = TestApp::start().await;
    let id = app.shop_sqlite().await;
    let answer = app.admin.answer(json!({ "sql": "SELECT CAST(x'610062' AS TEXT) AS a", "connection_id": id })).await;
    assert_success(&answer);
    assert_eq!(answer["rows"], json!([["a\u{FFFD}b"]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_did_not_answer_is_looked_at_again_by_itself() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let (gate, config) = reader.gated().await;
    gate.shut();
    let new = json!({ "name": "away", "db_type": "postgresql", "config": config });
    let id = app.admin.post("/v1/connections", new).await.expect(201).id();
    let path = format!("/v1/connections/{id}");
    let state = async |wanted: &str| (app.admin.get(&path, None).await.body["state"] == wanted).then_some(());
    until(|| state("unreachable"), "the database did not answer").await;
    gate.open();
    // As if fifteen seconds had gone by.
    sqlx::query("UPDATE database_connections SET looked_at = dg_now() - interval '1 minute'")
        .execute(&app.pool)
        .await
        .expect("it is set back");
    until(|| state("ready"), "the scheduler looked again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_back_is_asked_only_if_its_role_is_known() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    for (found, is_asked) in [
        ("schema_config_version = config_version", true),
        // A new configuration that nobody has answered at, and a role that was found to write the last time somebody answered.
        ("schema_config_version = config_version - 1", false),
        ("schema_config_version = NULL", false),
        ("schema_config_version = config_version, is_readonly = false", false),
    ] {
        // As a look that nobody answered leaves it; the next one is an hour away.
        let away = "UPDATE database_connections SET state = 'unreachable', looked_at = dg_now() + interval '1 hour', is_readonly = true \
                    WHERE id = $1";
        for sql in [away.to_owned(), format!("UPDATE database_connections SET {found} WHERE id = $1")] {
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(&app.pool).await.expect("it is set");
        }
        let seconds = if is_asked { 60 } else { 2 };
        let answer = app.admin.answer(json!({ "sql": COUNT, "connection_id": id, "cache": "skip", "deadline_seconds": seconds })).await;
        assert_eq!(answer["status"] == "success", is_asked, "{found}: {answer}");
        assert_eq!(answer["rows"] != json!([]), is_asked, "{found}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_stored_ends_at_once_and_is_dead() {
    let app = TestApp::start().await;
    let id = app.shop_sqlite().await;
    for statement in [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON analysis_results FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        sqlx::query(statement).execute(&app.pool).await.expect("the database refuses answers");
    }
    let answer = app.admin.answer(json!({ "sql": COUNT, "connection_id": id })).await;
    assert_error(&answer, "internal");
    let job = app.admin.get(format!("/v1/jobs/{}", answer["job_id"].as_str().unwrap_or_default()), None).await.expect(200).body;
    assert_eq!((&job["attempt"], &job["dead"]), (&json!(1), &json!(true)), "two more attempts would have found the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_left_alone_and_costs_no_attempt() {
    let app = TestApp::builder().offline().with_setting("sources.connect_timeout_seconds", "1").start().await;
    let reader = app.reader(&shop::postgres()).await;
    let (gate, config) = reader.gated().await;
    let id = app.connect("hanging", "postgresql", config).await;
    gate.shut();
    let mut asked = Vec::new();
    for n in 0..8 {
        asked.push(app.admin.ask(json!({ "sql": format!("{COUNT} WHERE {n} >= 0"), "connection_id": id, "cache": "skip" })).await);
    }
    let resting = "the database does not answer, and is left alone for a while";
    until(
        || async {
            let told: i64 = sqlx::query_scalar("SELECT count(*) FROM job_attempts WHERE error->>'message' = $1")
                .bind(resting)
                .fetch_one(&app.pool)
                .await
                .expect("the attempts are read");
            (told > 0).then_some(())
        },
        "it is left alone",
    )
    .await;
    gate.open();
    for question in asked {
        let answer = app.admin.wait(question).await;
        assert_success(&answer);
        let job = app.admin.get(format!("/v1/jobs/{}", answer["job_id"].as_str().unwrap_or_default()), None).await.expect(200).body;
        assert_eq!(job["attempt"], 1, "{job}");
    }
}
