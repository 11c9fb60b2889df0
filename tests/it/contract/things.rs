//! Somebody's real things, one for every placeholder of every path. An operation whose path is not covered here fails its tests.

use std::collections::BTreeMap;

use datagenie_tests::{Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bodies::form;

/// Who may reach a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Alice alone: it is unknown to everybody else.
    Alice,
    /// Whoever may use the connection: it is unknown to others, and to keys that are limited to other connections.
    Connection,
    /// Administrators, all of them alike.
    Admins,
}
use Owner::{Admins, Alice, Connection};

/// What stands for the placeholders of the paths that begin so, in their order, and whose it is. The longest beginning counts.
/// Names are those of [`make`].
pub const OBJECTS: &[(&str, &[&str], Owner)] = &[
    ("/v1/users/{id}", &["carol", "session_of_carol"], Admins),
    ("/v1/auth/sessions/{id}", &["session"], Alice),
    ("/v1/settings/{key}", &["setting"], Admins),
    ("/v1/api-keys/{id}", &["api_key"], Alice),
    ("/v1/connections/{id}", &["connection", "alice"], Connection),
    ("/v1/questions/{id}", &["question"], Alice),
    ("/v1/questions/{id}/cancel", &["pending_question"], Alice),
    ("/v1/questions/{id}/rerun", &["question"], Alice),
    ("/v1/questions/{id}/shares", &["question", "carol"], Alice),
    ("/v1/files/{id}", &["file", "picture"], Alice),
    ("/v1/files/{id}/analysis/shares", &["file", "carol"], Alice),
    ("/v1/batches/{id}", &["batch"], Alice),
    ("/v1/batches/{id}/cancel", &["pending_batch"], Alice),
    ("/v1/jobs/{id}", &["job"], Alice),
    ("/v1/jobs/{id}/cancel", &["pending_job"], Alice),
    ("/v1/jobs/{id}/retry", &["dead_job"], Alice),
    ("/v1/dead-jobs/{id}", &["dead_job_2"], Admins),
    ("/v1/dead-jobs/{id}/replay", &["dead_job_3"], Admins),
    ("/v1/queues/{name}", &["queue"], Admins),
    ("/v1/schedules/{id}", &["schedule"], Alice),
    ("/v1/webhooks/{id}", &["webhook", "delivery"], Alice),
    ("/v1/webhooks/callback-deliveries/{id}", &["callback_delivery"], Alice),
];

/// What the ids of `api/src/openapi/examples.json` stand for.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("0198c0de-0000-7000-8000-000000000001", "connection"),
    ("0198c0de-0000-7000-8000-000000000002", "alice"),
    ("0198c0de-0000-7000-8000-000000000003", "question"),
    ("0198c0de-0000-7000-8000-000000000004", "job"),
    ("0198c0de-0000-7000-8000-000000000005", "file"),
    ("0198c0de-0000-7000-8000-000000000006", "webhook"),
];

/// The values by name.
pub type Things = BTreeMap<&'static str, String>;

/// The object that a path names: its values in order, and whose it is.
///
/// # Panics
/// If there is none: the test that asks fails.
pub fn of(path: &str) -> (&'static [&'static str], Owner) {
    let fitting = OBJECTS.iter().filter(|(beginning, ..)| path == *beginning || path.starts_with(&format!("{beginning}/")));
    let found = fitting.max_by_key(|(beginning, ..)| beginning.len());
    let (_, values, owner) = found
        .unwrap_or_else(|| panic!("nothing stands for the placeholders of {path}: add a line to OBJECTS in tests/it/contract/things.rs"));
    (values, *owner)
}

/// The path with the things in place of its placeholders.
pub fn filled(path: &str, things: &Things) -> String {
    if !path.contains('{') {
        return path.to_owned();
    }
    let (values, _) = of(path);
    let mut parts = path.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (n, part) in parts.enumerate() {
        let name = values.get(n).unwrap_or_else(|| panic!("{path} has more placeholders than its line in tests/it/contract/things.rs"));
        filled.push_str(things.get(name).unwrap_or_else(|| panic!("tests/it/contract/things.rs makes no `{name}`")));
        filled.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    filled
}

/// Makes one of everything, all of it Alice's but for what is an administrator's. A worker must be up, and stays so.
pub async fn make(app: &TestApp, alice: &Client) -> Things {
    let connection = app.shop_sqlite().await;
    app.grant(connection, alice).await;
    let mut things = Things::from([
        ("connection", connection.to_string()),
        ("alice", alice.user_id.to_string()),
        ("carol", app.client("carol").await.user_id.to_string()),
        ("queue", "maintenance".to_owned()),
        ("setting", "session_timeout_hours".to_owned()),
        ("picture", "0.svg".to_owned()),
    ]);
    let answer = alice.answer(json!({ "question": "Average order amount by channel", "connection_id": connection })).await;
    assert_eq!(answer["status"], "success", "{answer}");
    things.insert("question", text(&answer["id"]));
    things.insert("job", text(&answer["job_id"]));
    things.insert("file", analysed(alice).await);
    let hook = alice.post("/v1/webhooks", json!({ "url": "http://127.0.0.1:9/hook", "events": ["*"] })).await.expect(201);
    things.insert("webhook", hook.id().to_string());
    things.insert("delivery", alice.post(format!("/v1/webhooks/{}/test", hook.id()), None).await.id().to_string());
    let cron = json!({
        "name": "daily", "cron": "0 9 * * *", "paused": true, "action": { "kind": "question", "connection_id": connection, "question": "How many orders?" }
    });
    things.insert("schedule", alice.post("/v1/schedules", cron).await.expect(201).id().to_string());
    things.insert("session", session(alice, &app.client("alice").await).await);
    let (carol, again) = (app.client("carol").await, app.client("carol").await);
    things.insert("session_of_carol", session(&carol, &again).await);
    // Signs in by the example of the document.
    app.client("ada").await;
    let batch = alice.request(Method::POST, "/v1/batches").header("prefer", "wait=30").json(&batch_on(&things));
    things.insert("batch", alice.send(batch).await.expect(200).id().to_string());
    let key = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await.expect(201);
    things.insert("api_key", key.id().to_string());
    things
}

/// The rest of them: what must stay as it is asked, because no worker is up any more.
pub async fn make_waiting(app: &TestApp, alice: &Client, things: &mut Things) {
    let ask = || json!({ "question": "How many orders?", "connection_id": things["connection"] });
    let (first, second, called) = (ask(), ask(), {
        let mut body = ask();
        body["callback_url"] = json!("http://127.0.0.1:9/called");
        body
    });
    let pending = alice.post("/v1/questions", first).await.expect(202);
    things.insert("pending_question", pending.id().to_string());
    let pending = alice.post("/v1/questions", second).await.expect(202);
    things.insert("pending_job", text(&pending.body["job_id"]));
    let batch = batch_on(things);
    things.insert("pending_batch", alice.post("/v1/batches", batch).await.expect(202).id().to_string());
    let called = alice.post("/v1/questions", called).await.expect(202).id();
    let _ = alice.post(format!("/v1/questions/{called}/cancel"), None).await.expect(200);
    let deliveries = alice.get("/v1/webhooks/callback-deliveries", None).await.expect(200).body;
    things.insert("callback_delivery", text(&deliveries["items"][0]["id"]));
    for name in ["dead_job", "dead_job_2", "dead_job_3"] {
        things.insert(name, dead(app, alice).await.to_string());
    }
}

fn batch_on(things: &Things) -> Value {
    json!({ "connection_id": things["connection"], "questions": [{ "custom_id": "a", "sql": "SELECT count(*) AS n FROM orders" }] })
}

/// A session of the same user that none of these calls is made with.
async fn session(user: &Client, other: &Client) -> String {
    assert_eq!(user.user_id, other.user_id);
    let sessions = user.get("/v1/auth/sessions", None).await.expect(200).body;
    let found = sessions["items"].as_array().into_iter().flatten().find(|session| session["current"] == false);
    text(&found.expect("somebody who has signed in twice has another session")["id"])
}

fn text(value: &Value) -> String {
    value.as_str().expect("an id is a text").to_owned()
}

async fn analysed(alice: &Client) -> String {
    let sheet = "city,customers\nSeoul,812\nBusan,344\nDaegu,120\nUlsan,77\n".as_bytes();
    let (content_type, body) = form(&[("name=\"file\"; filename=\"cities.csv\"", sheet)]);
    let upload = alice.request(Method::POST, "/v1/files").header("content-type", content_type).body(body);
    let file = alice.send(upload).await.expect(201).id();
    let analyse = alice.request(Method::POST, format!("/v1/files/{file}/analysis")).header("prefer", "wait=30");
    let _ = alice.send(analyse).await.expect(200);
    file.to_string()
}

/// A question whose job is dead: the job.
async fn dead(app: &TestApp, owner: &Client) -> Uuid {
    let asked = owner.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    let job: Uuid = text(&asked.body["job_id"]).parse().expect("a job has an id");
    let error = json!({ "code": "attempts_spent", "message": "it went wrong", "retryable": false });
    sqlx::query(
        "WITH died AS (UPDATE jobs SET state = 'failed', in_flight = NULL, dead = true, finished_at = dg_now(), attempt = 3, error = $2
                       WHERE id = $1 RETURNING subject_id)
         UPDATE query_history SET status = 'error', error = $2, finished_at = dg_now() FROM died WHERE id = died.subject_id",
    )
    .bind(job)
    .bind(error)
    .execute(&app.pool)
    .await
    .expect("the job dies");
    job
}
