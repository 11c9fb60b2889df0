//! Signing in: what is kept, for whom, where it is sent, and what is said once it has ended.

use std::os::unix::fs::PermissionsExt;

use datagenie_tests::{Proxy, TestApp};
use serde_json::{Value, json};

use super::{Cli, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_kept_used_by_its_server_alone_and_forgotten() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let _ = app.client("alice").await;
    let cli = Cli::stranger(&app);
    let nobody = cli.run(&["whoami"]).await.expect(4);
    assert!(nobody.err.contains("hint: sign in with `datagenie login"), "{}", nobody.err);

    let wrong = cli.fed(&["login", "--username", "alice", "--password-stdin"], "not her password\n").await.expect(4);
    assert!(wrong.err.contains("user name or password is wrong"), "{}", wrong.err);
    assert!(!cli.path(".config/datagenie/login.json").exists());

    let signed_in = cli.fed(&["login", "--username", "alice", "--password-stdin"], &format!("{}\n", app.password())).await.expect(0);
    let kept = cli.path(".config/datagenie/login.json");
    let login: Value = serde_json::from_str(&text(&kept)).expect("it is JSON");
    let secret = login["secret"].as_str().expect("the token is kept");
    assert_eq!(std::fs::metadata(&kept).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(signed_in.out, "");
    assert!(signed_in.err.contains("as alice") && !signed_in.err.contains(secret), "{}", signed_in.err);
    assert_eq!(cli.run(&["whoami"]).await.expect(0).out, format!("alice (user) at {}/\n", app.url));
    assert_eq!(cli.run(&["whoami", "--json"]).await.expect(0).json()["username"], "alice");

    // The same api by another address is another server: the token is not shown to it.
    let address = app.url.trim_start_matches("http://").parse().expect("an address");
    let elsewhere = Proxy::start(address).await;
    let other = format!("http://{}", elsewhere.address());
    assert!(cli.run(&["whoami", "--url", &other]).await.expect(4).err.contains("sign in with `datagenie login --url"));

    // The session ends at the server.
    let _ = app.anonymous().with_token(secret).post("/v1/auth/logout", None).await.expect(204);
    let ended = cli.run(&["connections"]).await.expect(4);
    assert!(ended.err.contains("the login of alice has ended: `datagenie login --url"), "{}", ended.err);
    let out = cli.run(&["logout"]).await.expect(0);
    assert!(out.err.contains("had ended already") && !kept.exists(), "{}", out.err);
    assert!(cli.run(&["logout"]).await.expect(0).err.contains("nobody is signed in"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_checked_before_it_is_kept_and_settings_of_the_servers_are_left_alone() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let key = alice.post("/v1/api-keys", json!({ "name": "shell", "scopes": ["ask", "read"] })).await.expect(201).body;
    let key = key["key"].as_str().expect("a key is shown once");
    let settings = Cli::stranger(&app).write("settings.toml", "[api]\nport = 1\n");
    let cli = Cli::stranger(&app).with("DATAGENIE_CONFIG", &settings.display().to_string());

    let wrong = cli.run(&["login", "--api-key", "dg_wrong"]).await.expect(4);
    assert!(wrong.err.contains("wrong, revoked, or past its time"), "{}", wrong.err);
    let told = cli.run(&["login", "--api-key", key, "--json"]).await.expect(0);
    assert_eq!(told.json(), json!({ "url": format!("{}/", app.url), "username": "alice", "kind": "api_key", "expires_at": null }));
    assert!(!told.out.contains(key) && !told.err.contains(key));
    assert_eq!(text(&settings), "[api]\nport = 1\n");
    let _ = cli.run(&["whoami"]).await.expect(0);
    assert!(cli.run(&["logout"]).await.expect(0).err.contains("revoke it"));

    // A file of one's own.
    let own = cli.path("own.json");
    let cli = cli.with("DATAGENIE_CONFIG", &own.display().to_string());
    let _ = cli.run(&["login", "--api-key", key]).await.expect(0);
    assert!(own.exists());

    // The demo's file holds what is needed.
    let demo = Cli::stranger(&app);
    let run_json = demo.write("run.json", &json!({ "url": app.url, "api_key": key, "pids": {} }).to_string());
    let demo = Cli { environment: Vec::new(), ..demo };
    let _ = demo.run(&["login", "--run-json", &run_json.display().to_string()]).await.expect(0);
    assert_eq!(demo.run(&["whoami"]).await.expect(0).out, format!("alice (user) at {}/\n", app.url));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_changed_and_the_session_goes_on() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let cli = Cli::of(&app, &alice);
    let new = "a horse of another colour";
    let wrong = cli.fed(&["password", "--password-stdin"], &format!("not hers\n{new}\n")).await.expect(2);
    assert!(wrong.err.contains("is not your password"), "{}", wrong.err);
    let _ = cli.fed(&["password", "--password-stdin"], &format!("{}\n{new}\n", app.password())).await.expect(0);
    let _ = cli.run(&["whoami"]).await.expect(0);
    let _ = app.anonymous().login("alice", new).await;
}
