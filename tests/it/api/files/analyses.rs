//! An analysis as a job, and what is shown of it. Workers are not needed: what one would store is stored here.

use datagenie_common::{
    analyses::{AnalysedTable, Analysis, AnalysisChart},
    charts::{Bin, Chart, Unit},
    files::{Files, ObjectPath},
    ids::{FileId, LeaseId, UserId},
    model::{language::Language, workbooks::Prepared},
    store::files,
};
use datagenie_tests::{Client, TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{nothing_is_left, objects, upload};

async fn app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

/// Does what a worker does with an analysis: stores what was found, and ends the question.
async fn analyse(app: &TestApp, alice: &Client, file: Uuid, summary: &str) {
    let storage = Files::open(&app.settings.files.root).expect("the storage opens");
    let book = files::of_file(&app.pool, UserId(alice.user_id), FileId(file)).await.expect("it is read").expect("there is a workbook");
    let bins = vec![Bin { from: 0.0, to: 1.0, count: 2 }, Bin { from: 1.0, to: 2.0, count: 3 }];
    let found = Analysis {
        tables: vec![AnalysedTable {
            name: "sheet1".to_owned(),
            sheet: "Sheet1".to_owned(),
            range: "A1:B3".to_owned(),
            header_rows: 1,
            rows: 2,
            ..Default::default()
        }],
        charts: vec![AnalysisChart { table: 0, chart: Chart::histogram("b", Language::English, "b", Unit::default(), bins) }],
        summary: summary.to_owned(),
        notes: vec!["read as UTF-8".to_owned()],
        ..Default::default()
    };
    let lease = LeaseId::new();
    let (database, path) = (ObjectPath::Tables { workbook: book.id, lease }, ObjectPath::Analysis { workbook: book.id, lease });
    storage.put_bytes(path, serde_json::to_vec(&found).expect("it is JSON")).await.expect("it is stored");
    storage.put_bytes(database, b"a database".to_vec()).await.expect("it is stored");
    let reading = files::Reading {
        prepared: Prepared::default(),
        database_path: database.to_string(),
        database_bytes: 10,
        analysis_path: path.to_string(),
        analysis_bytes: 100,
        language: Language::English,
    };
    let earlier = book.reading.map(|reading| reading.database_path);
    files::publish(&app.pool, book.id, earlier.as_deref(), &reading).await.expect("it is published");
    sqlx::query("UPDATE query_history SET status = 'success', finished_at = dg_now() WHERE file_id = $1 AND status = 'pending'")
        .bind(file)
        .execute(&app.pool)
        .await
        .expect("it ends");
}

async fn one<T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    app: &TestApp,
    query: &'static str,
) -> T {
    sqlx::query_scalar(query).fetch_one(&app.pool).await.expect("the table is read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_analysis_is_a_job_of_the_file() {
    let app = app().await;
    let alice = app.client("alice").await;
    let file = upload(&alice, "a.csv", b"a,b\n1,2\n").await.expect(201).id();
    let path = format!("/v1/files/{file}/analysis");
    let none = alice.get(&path, None).await;
    assert!(none.problem(404, "not_found")["detail"].as_str().is_some_and(|detail| detail.contains("POST")), "{}", none.text);

    let job = alice.post(&path, json!({ "language": "ko" })).await.expect(202);
    assert_eq!((job.header("location"), job.header("retry-after")), (format!("/v1/jobs/{}", job.id()).as_str(), "1"));
    assert_eq!((&job.body["kind"], &job.body["lane"]), (&json!("analyse_file"), &json!("interactive")));
    let payload: Value = one(&app, "SELECT payload FROM jobs WHERE kind = 'analyse_file'").await;
    assert_eq!(payload, json!({ "v": 1, "question_id": job.body["subject_id"], "file_id": file, "language": "ko" }));
    let info: Value = one(&app, "SELECT file_info FROM query_history WHERE query_type = 'excel' AND question = ''").await;
    assert_eq!(
        (&info["name"], &info["kind"], &info["size"], &info["include_hidden"]),
        (&json!("a.csv"), &json!("csv"), &json!(8), &json!(false))
    );

    let pending = alice.get(&path, None).await.expect(200);
    assert_eq!(
        (&pending.body["status"], &pending.body["job_id"], &pending.body["tables"]),
        (&json!("pending"), &job.body["id"], &json!([]))
    );
    for export in ["/charts/0.svg", "?format=csv", "?format=xlsx"] {
        alice.get(format!("{path}{export}"), None).await.problem(409, "not_answered");
    }
    assert_eq!(alice.get("/v1/questions", None).await.expect(200).body["items"], json!([]), "an analysis is no question");
    // Without a body: the workbook's own language.
    let _ = alice.send(alice.request(Method::POST, &path)).await.expect(202);
    for wrong in [json!({ "language": "fr" }), json!({ "colour": "red" }), json!({ "include_hidden": "yes" })] {
        alice.post(&path, wrong).await.problem(422, "invalid_request");
    }
    let keyed = || alice.send(alice.request(Method::POST, &path).header("idempotency-key", "k").json(&json!({})));
    assert_eq!(keyed().await.expect(202).id(), keyed().await.expect(202).id());

    let _ = alice.delete(format!("/v1/files/{file}"), None).await.expect(204);
    let open: i64 = one(&app, "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND cancel_requested_at IS NULL").await;
    let asked: i64 = one(&app, "SELECT count(*) FROM query_history").await;
    assert_eq!((open, asked), (0, 0), "nothing goes on for a file that is gone");
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_is_shown_with_its_pictures() {
    let app = app().await;
    let alice = app.client("alice").await;
    let file = upload(&alice, "a.csv", b"a,b\n1,2\n").await.expect(201).id();
    let path = format!("/v1/files/{file}/analysis");
    let _ = alice.post(&path, None).await.expect(202);
    analyse(&app, &alice, file, "Two rows.").await;

    let shown = alice.get(&path, None).await.expect(200);
    assert_eq!(
        (&shown.body["status"], &shown.body["summary"], &shown.body["language"]),
        (&json!("success"), &json!("Two rows."), &json!("en"))
    );
    assert_eq!((&shown.body["tables"][0]["range"], &shown.body["notes"]), (&json!("A1:B3"), &json!(["read as UTF-8"])));
    let chart = &shown.body["charts"][0];
    assert_eq!((&chart["type"], &chart["table"]), (&json!("histogram"), &json!(0)));
    assert!(chart["spec"]["$schema"].is_string(), "{chart}");
    let svg = alice.get(chart["svg_url"].as_str().expect("a picture"), None).await.expect(200);
    assert!(svg.text.contains("<svg") && svg.header("content-security-policy").contains("sandbox"), "{}", svg.text);
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    let png = alice.get(chart["png_url"].as_str().expect("a picture"), None).await.expect(200);
    assert!(png.bytes.starts_with(b"\x89PNG"));
    for picture in ["1.svg", "0.gif", "0", "x.svg", "-1.png"] {
        alice.get(format!("{path}/charts/{picture}"), None).await.problem(404, "not_found");
    }
    let csv = alice.get(format!("{path}?format=csv&bom=true"), None).await.expect(200);
    assert!(csv.text.starts_with('\u{feff}') && csv.header("content-disposition").contains("analysis.csv"), "{}", csv.text);
    let xlsx = alice.get(format!("{path}?format=xlsx"), None).await.expect(200);
    assert!(xlsx.bytes.starts_with(b"PK\x03\x04"));
    for wrong in ["format=pdf", "format=xlsx&bom=true", "bom=true", "colour=red"] {
        alice.get(format!("{path}?{wrong}"), None).await.problem(422, "invalid_request");
    }
    let unchanged = alice.request(Method::GET, &path).header("if-none-match", shown.header("etag"));
    let _ = alice.send(unchanged).await.expect(304);
    assert_eq!(alice.get(format!("/v1/files/{file}"), None).await.expect(200).body["analysed"], true);
    assert_eq!(upload(&alice, "b.csv", b"a,b\n1,2\n").await.expect(201).body["analysed"], true, "the same content is analysed already");

    // Another reading takes its place, and is not hidden by the cached one.
    let _ = alice.post(&path, None).await.expect(202);
    analyse(&app, &alice, file, "Still two rows.").await;
    let newer = alice.get(&path, None).await.expect(200);
    assert_eq!(newer.body["summary"], "Still two rows.");
    assert_ne!(newer.header("etag"), shown.header("etag"));
    // Read from the cache: it is there without the file. Redis may have been too slow to take it, so it is looked for.
    let mut redis = app.redis.connect().await;
    let () = redis::cmd("EVAL")
        .arg("for _, key in ipairs(redis.call('KEYS', 'datagenie:excel:*')) do redis.call('DEL', key) end")
        .arg(0)
        .query_async(&mut redis)
        .await
        .expect("Redis answers");
    let cached = || async {
        let _ = alice.get(&path, None).await.expect(200);
        let keys: Vec<String> = redis::cmd("KEYS").arg("datagenie:excel:*").query_async(&mut redis.clone()).await.expect("Redis answers");
        (keys.len() == 1).then_some(())
    };
    until(cached, "the analysis is in the cache").await;
    for (object, _) in objects(&app) {
        std::fs::remove_file(object).expect("it is removed");
    }
    let cached = || async {
        let reply = alice.get(&path, None).await;
        (reply.status == 200).then_some(reply.body)
    };
    assert_eq!(until(cached, "the cached analysis is shown").await["summary"], "Still two rows.");
    sqlx::query("UPDATE workbooks SET tables = NULL, database_path = NULL, analysis_path = NULL, read_at = NULL")
        .execute(&app.pool)
        .await
        .expect("it is forgotten");
    alice.get(&path, None).await.problem(410, "gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_hidden_sheets_it_is_another_content() {
    let app = app().await;
    let alice = app.client("alice").await;
    let file = upload(&alice, "a.csv", b"a,b\n1,2\n").await.expect(201).id();
    let twin = upload(&alice, "b.csv", b"a,b\n1,2\n").await.expect(201).id();
    let of = |file: Uuid| {
        let pool = app.pool.clone();
        async move {
            sqlx::query_scalar::<_, Uuid>("SELECT workbook_id FROM files WHERE id = $1")
                .bind(file)
                .fetch_one(&pool)
                .await
                .expect("it is read")
        }
    };
    let _ = alice.post(format!("/v1/files/{file}/analysis"), json!({ "include_hidden": true })).await.expect(202);
    assert_ne!(of(file).await, of(twin).await);
    assert_eq!(alice.get(format!("/v1/files/{file}"), None).await.expect(200).body["include_hidden"], true);
    assert_eq!(alice.get(format!("/v1/files/{twin}"), None).await.expect(200).body["include_hidden"], false);
    // The twin follows, and its old content is of no file any more.
    let _ = alice.post(format!("/v1/files/{twin}/analysis"), json!({ "include_hidden": true })).await.expect(202);
    assert_eq!(of(file).await, of(twin).await);
    let one = || async { (objects(&app).len() == 1).then_some(()) };
    until(one, "one content is left").await;
    let left = objects(&app);
    assert!(left[0].0.contains(&of(file).await.to_string()), "{left:?}");
    assert_eq!(std::fs::read(&left[0].0).expect("it is read"), b"a,b\n1,2\n");
    for id in [file, twin] {
        let _ = alice.delete(format!("/v1/files/{id}"), None).await.expect(204);
    }
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_file_leaves_no_cached_analysis_and_takes_nobody_elses() {
    let app = app().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let content = b"a,b\n1,2\n";
    let (file, others) = (upload(&alice, "a.csv", content).await.expect(201).id(), upload(&bob, "a.csv", content).await.expect(201).id());
    for (client, file) in [(&alice, file), (&bob, others)] {
        let _ = client.post(format!("/v1/files/{file}/analysis"), None).await.expect(202);
        analyse(&app, client, file, "Two rows.").await;
    }
    // Alice at two desks, Bob at one: three cached copies. Redis may have been too slow to take one, so they are asked for again.
    let elsewhere = app.client("alice").await;
    let redis = app.redis.connect().await;
    let keys = || async {
        let mut redis = redis.clone();
        let keys: Vec<String> = redis::cmd("KEYS").arg("datagenie:excel:*").query_async(&mut redis).await.expect("Redis answers");
        keys
    };
    let cached = || async {
        for (client, file) in [(&alice, file), (&elsewhere, file), (&bob, others)] {
            let _ = client.get(format!("/v1/files/{file}/analysis"), None).await.expect(200);
        }
        (keys().await.len() == 3).then_some(())
    };
    until(cached, "each has a cached copy").await;
    let _ = alice.delete(format!("/v1/files/{file}"), None).await.expect(204);
    assert_eq!(keys().await.len(), 1, "Bob's own");
    assert_eq!(bob.get(format!("/v1/files/{others}/analysis"), None).await.expect(200).body["summary"], "Two rows.");
    assert_eq!(objects(&app).len(), 3, "Bob's content, tables and analysis");
}
