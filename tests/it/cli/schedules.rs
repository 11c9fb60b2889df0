//! `schedules`: made, listed, put to rest, run by hand, deleted.

use datagenie_tests::TestApp;
use serde_json::json;

use super::Cli;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_made_run_and_deleted() {
    let app = TestApp::builder().offline().start().await;
    app.shop_sqlite().await;
    let cli = Cli::of(&app, &app.admin);
    assert!(cli.run(&["schedules"]).await.expect(0).out.starts_with("no schedules"));
    let yearly = ["--cron", "0 9 1 1 *", "--time-zone", "Asia/Seoul", "-c", "shop-sqlite"];
    let made = [&["schedules", "create", "주간 주문", "--sql", "SELECT count(*) FROM orders", "--json"][..], &yearly].concat();
    let made = cli.run(&made).await.expect(0).json();
    assert_eq!((&made["time_zone"], &made["action"]["kind"]), (&json!("Asia/Seoul"), &json!("question")), "{made}");
    let listed = cli.run(&["schedules"]).await.expect(0);
    assert!(listed.out.contains("주간 주문") && listed.out.contains(made["id"].as_str().expect("an id")), "{listed:#?}");

    assert_eq!(cli.run(&["schedules", "pause", "주간 주문", "--json"]).await.expect(0).json()["paused"], true);
    assert!(cli.run(&["schedules", "show", "주간 주문"]).await.expect(0).out.contains("Asia/Seoul"));
    assert_eq!(cli.run(&["schedules", "resume", "주간 주문", "--json"]).await.expect(0).json()["paused"], false);

    let answered = cli.run(&["schedules", "run", "주간 주문", "--wait", "--json"]).await.expect(0).json();
    assert_eq!((&answered["status"], &answered["row_count"]), (&json!("success"), &json!(1)), "{answered}");
    let runs = cli.run(&["schedules", "runs", "주간 주문"]).await.expect(0);
    assert!(runs.out.contains("fired") && runs.out.contains(answered["id"].as_str().expect("an id")), "{runs:#?}");

    // Of a batch, its end is waited for.
    let questions = json!([{ "custom_id": "a", "sql": "SELECT 1 AS n" }, { "custom_id": "b", "sql": "DROP TABLE orders" }]);
    let action = json!({ "kind": "batch", "connection_id": app.shop_sqlite().await, "questions": questions });
    let batch = app.admin.post("/v1/schedules", json!({ "name": "nightly", "cron": "0 9 1 1 *", "action": action })).await.expect(201);
    let ended = cli.run(&["schedules", "run", "nightly", "--wait", "--json"]).await.expect(1).json();
    assert_eq!((&ended["status"], &ended["counts"]["success"], &ended["counts"]["error"]), (&json!("completed"), &json!(1), &json!(1)));
    let _ = cli.run(&["schedules", "delete", &batch.id().to_string()]).await.expect(0);

    let wrong = cli.run(&["schedules", "create", "x", "--cron", "never", "--question", "?"]).await.expect(2);
    assert!(wrong.err.contains("cron"), "{}", wrong.err);
    let unknown = cli.run(&["schedules", "run", "없는 것"]).await.expect(2);
    assert!(unknown.err.contains("no schedule is named `없는 것`"), "{}", unknown.err);
    let _ = cli.run(&["schedules", "delete", "주간 주문"]).await.expect(0);
    assert_eq!(cli.run(&["schedules", "--json"]).await.expect(0).json(), json!([]));
}
