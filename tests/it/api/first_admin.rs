//! The first administrator: generated, shown once, and of no use until the password is changed.

use datagenie_tests::{Processes, TestApp, until};
use serde_json::json;

/// The password that a program has shown.
fn shown(said: &str, username: &str) -> Option<String> {
    let start = format!("Administrator {username}, password ");
    said.lines().find_map(|line| line.strip_prefix(&start)).map(|password| password.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_on_an_empty_database_makes_an_administrator_who_must_change_his_password() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    sqlx::query("DELETE FROM users").execute(&app.pool).await.expect("nobody is left");
    let processes = Processes::of(&app);
    // Two that start at once make one.
    let ((first, url), (second, _)) = tokio::join!(processes.api(), processes.api());
    let passwords: Vec<String> = [&first, &second].iter().filter_map(|process| shown(&process.log(), "admin")).collect();
    assert_eq!(passwords.len(), 1, "{} {}", first.log(), second.log());
    let password = &passwords[0];
    assert!(password.len() >= 20, "it is long");
    let nobody = datagenie_tests::Client::anonymous(&url);
    let admin = nobody.login("admin", password).await;
    admin.get("/v1/users", None).await.problem(403, "password_change_required");
    let new = json!({ "current_password": password, "new_password": "seven cats on a roof" });
    let _ = admin.post("/v1/auth/password", new).await.expect(204);
    assert_eq!(admin.get("/v1/users", None).await.expect(200).body["items"].as_array().map(Vec::len), Some(1));

    let (third, _) = processes.api().await;
    assert_eq!(shown(&third.log(), "admin"), None, "it is shown once");
    for process in [&first, &second, &third] {
        let logged: Vec<String> = process.log().lines().filter(|line| line.contains(password.as_str())).map(str::to_owned).collect();
        assert!(logged.iter().all(|line| line.starts_with("Administrator")), "no line of the log has it: {logged:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_by_command_has_a_good_password_or_a_generated_one() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let processes = Processes::of(&app);
    let args = ["create-admin", "--username", "second", "--email", "second@example.com"];
    let made = processes.start("datagenie-api", &args, &app.environment);
    assert_eq!(made.exit_code().await, Some(0), "{}", made.log());
    let password = shown(&made.log(), "second").expect("it is shown");
    let second = app.anonymous().login("second", &password).await;
    assert_eq!(second.get("/v1/me", None).await.expect(200).body["must_change_password"], true);

    let with = |password: &str| {
        let mut environment = app.environment.clone();
        environment.insert("DATAGENIE_ADMIN_PASSWORD".to_owned(), password.to_owned());
        processes.start("datagenie-api", &args, &environment)
    };
    // The length that is asked for now: it is one more.
    let _ = app.admin.put("/v1/settings/password_min_length", json!({ "value": 21 })).await.expect(200);
    let refused = with("seven cats on a roof");
    assert_eq!(refused.exit_code().await, Some(1));
    assert!(refused.log().contains("DATAGENIE_ADMIN_PASSWORD") && !refused.log().contains("seven cats"), "{}", refused.log());
    let _ = app.admin.delete("/v1/settings/password_min_length", None).await.expect(200);
    let chosen = with("seven cats on a roof");
    assert_eq!(chosen.exit_code().await, Some(0), "{}", chosen.log());
    until(|| async { (second.get("/v1/me", None).await.status == 401).then_some(()) }, "who has signed in by the old one is out").await;
    let second = app.anonymous().login("second", "seven cats on a roof").await;
    let _ = second.get("/v1/users", None).await.expect(200);
}
