//! Results in every form, at any time, as their owner may read them.

use std::io::{Cursor, Read};

use datagenie_common::{
    ids::BatchId,
    store::{batches, ledger::rerun::Terms},
};
use datagenie_tests::TestApp;
use serde_json::{Value, json};

use super::{count, ended, field, lines, number, on_shop, send};

fn sql(custom_id: &str, sql: &str) -> Value {
    json!({ "custom_id": custom_id, "sql": sql })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_come_as_lines_csv_and_a_workbook() {
    let app = TestApp::builder().offline().with_setting("query.inline_bytes", "200").start().await;
    let questions = vec![
        sql("=1+1", "SELECT '=cmd' AS c FROM orders LIMIT 1"),
        sql("long", "SELECT id FROM orders ORDER BY id"),
        sql("pair", "SELECT 1 AS a, 'x,\"y' AS \"b,\" FROM orders LIMIT 1"),
        sql("none", "SELECT id FROM orders WHERE id < 0"),
        sql("bad", "DELETE FROM orders"),
    ];
    let id = send(&app.admin, on_shop(&app, questions).await).await;
    ended(&app.admin, id).await;
    let found = lines(&app.admin, id).await;
    assert_eq!(field(&found, "row_count"), [json!(1), json!(60), json!(1), json!(0), json!(null)]);
    assert_eq!(found[1]["rows"].as_array().map(Vec::len), Some(60), "all of them, from file storage");
    assert_eq!((&found[3]["rows"], &found[4]["rows"]), (&json!([]), &json!(null)));
    assert_eq!((&found[2]["columns"][1]["name"], &found[2]["rows"]), (&json!("b,"), &json!([[1, "x,\"y"]])));

    let csv = app.admin.get(format!("/v1/batches/{id}/results?format=csv"), None).await.expect(200);
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"results.csv\"");
    let text: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(text[0], "custom_id,question_id,status,value,row_count,truncated,error_code,error_message,sql,columns,rows");
    assert!(text[1].starts_with("'=1+1,") && text[1].contains(",'=cmd,1,false,"), "no formula: {}", text[1]);
    assert!(text[5].starts_with("bad,") && text[5].contains(",sql_refused,"), "{}", text[5]);
    assert_eq!(text.len(), 7, "{}", csv.text);
    let marked = app.admin.get(format!("/v1/batches/{id}/results?format=csv&bom=true"), None).await.expect(200);
    assert!(marked.text.starts_with("\u{FEFF}custom_id"));
    app.admin.get(format!("/v1/batches/{id}/results?bom=true"), None).await.problem(422, "invalid_request");

    let xlsx = app.admin.get(format!("/v1/batches/{id}/results?format=xlsx"), None).await.expect(200);
    assert_eq!(xlsx.header("content-type"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    let mut archive = zip::ZipArchive::new(Cursor::new(xlsx.bytes)).expect("a workbook");
    let mut sheet = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").expect("a sheet").read_to_string(&mut sheet).expect("is text");
    assert!(sheet.contains("=cmd") && !sheet.contains("<f>"), "a text and no formula");
    assert_eq!(sheet.matches("<row ").count(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_have_not_ended_say_how_far_they_are() {
    let app = TestApp::builder().offline().no_worker().no_scheduler().start().await;
    let mut questions: Vec<Value> = (0..600).map(|n| json!({ "custom_id": n.to_string(), "question": format!("Question {n}?") })).collect();
    questions[1]["deadline_seconds"] = json!(5);
    let id = send(&app.admin, json!({ "questions": questions })).await;
    let found = lines(&app.admin, id).await;
    assert_eq!(found.len(), 600);
    assert!(found.iter().all(|line| line["status"] == "waiting" && line["rows"].is_null() && line["error"].is_null()));
    assert!(found[0]["question_id"].is_string() && found[599]["question_id"].is_null(), "a question is made when its turn comes");
    let csv = app.admin.get(format!("/v1/batches/{id}/results?format=csv"), None).await.expect(200);
    assert_eq!(csv.text.matches(",waiting,").count(), 600);

    // The question and its job say whose they are, and a line's own seconds do not pass while it waits.
    let question =
        app.admin.get(format!("/v1/questions/{}", found[1]["question_id"].as_str().expect("an id")), None).await.expect(200).body;
    assert_eq!((&question["batch_id"], &question["custom_id"]), (&json!(id), &json!("1")));
    let job = question["job_id"].as_str().expect("an id");
    let job = app.admin.get(format!("/v1/jobs/{job}"), None).await.expect(200).body;
    assert_eq!((&job["batch_id"], &job["custom_id"]), (&json!(id), &json!("1")));
    let (run_seconds, is_far): (Option<f32>, bool) = sqlx::query_as(
        "SELECT run_seconds, deadline > dg_now() + interval '1 hour' FROM jobs WHERE batch_id = $1 AND payload ->> 'custom_id' = '1'",
    )
    .bind(id)
    .fetch_one(&app.pool)
    .await
    .expect("it has a job");
    assert_eq!((run_seconds, is_far), (Some(5.0), true));

    // How far it is is told at most once a second, however often it is looked at.
    let told_after = async |seconds: f64| {
        let terms = Terms { deadline_seconds: 60.0, run_seconds: 60.0, max_attempts: 3 };
        let counted = sqlx::query("UPDATE batches SET tallied_at = dg_now() - $1 * interval '1 second'").bind(seconds);
        counted.execute(&app.pool).await.expect("it was counted");
        batches::settle(&app.pool, BatchId(id), &terms).await.expect("it is settled").progress
    };
    assert!(told_after(-3_600.0).await.is_none(), "it was told just now");
    let (user, tally) = told_after(2.0).await.expect("it is told again");
    assert_eq!((user.0, tally.counts.waiting), (app.admin.user_id, 600));
    let is_noted = count(&app.pool, "SELECT count(*) FROM batches WHERE tallied_at > dg_now() - interval '1 hour'").await;
    assert_eq!(is_noted, 1, "and that is noted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_owner_may_not_read_any_more_is_withheld() {
    let app = TestApp::builder().offline().start().await;
    let (shop, alice) = (app.shop_sqlite().await, app.client("alice").await);
    app.grant(shop, &alice).await;
    let questions = vec![number("orders", 1), sql("customers", "SELECT count(*) AS n FROM customers")];
    let id = send(&alice, on_shop(&app, questions).await).await;
    ended(&alice, id).await;
    app.permit(shop, &alice, json!({ "allowed_tables": ["orders"] })).await;
    let found = lines(&alice, id).await;
    assert_eq!((&found[0]["rows"], &found[1]["rows"], &found[1]["sql"]), (&json!([[1]]), &json!(null), &json!(null)));
    assert_eq!(found[1]["error"]["code"], "permission_denied");
    let csv = alice.get(format!("/v1/batches/{id}/results?format=csv"), None).await.expect(200);
    assert!(csv.text.contains(",permission_denied,") && !csv.text.contains("customers\""), "{}", csv.text);

    // A batch whose connection is deleted meanwhile ends, and nothing of it is read any more.
    app.permit(shop, &alice, json!({})).await;
    app.worker.stop().await;
    let stranded = send(&alice, on_shop(&app, vec![number("a", 1), number("b", 2)]).await).await;
    let _ = app.admin.delete(format!("/v1/connections/{shop}"), None).await.expect(204);
    let _worker = app.start_worker().await;
    let done = ended(&alice, stranded).await;
    assert_eq!((&done["counts"]["total"], &done["counts"]["success"]), (&json!(2), &json!(0)), "{done}");
    assert!(lines(&alice, stranded).await.iter().all(|line| line["error"]["code"].is_string() && line["rows"].is_null()));
    assert!(lines(&alice, id).await.iter().all(|line| line["error"]["code"] == "permission_denied" && line["rows"].is_null()));
}
