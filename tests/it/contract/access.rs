//! Who may do what, generated from the document: for every operation a valid request is made of its own example and of somebody's real
//! things, and sent by everybody who may not. Each gets the contract's refusal, and nothing has changed. Then whoever may sends it.

use std::collections::BTreeSet;

use datagenie_tests::{Client, Reply, TestApp};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Operation, bodies, document, misread, operations,
    persons::Persons,
    schema,
    things::{self, Owner, Things},
};

/// What moves by itself, and what a refusal may write: who is there, how much he asks, and the records of what was refused.
const MOVING: &[&str] =
    &["audit_logs", "user_sessions", "rate_windows", "api_key_addresses", "user_addresses", "workers", "capacity_leases", "upkeep_runs"];

/// Operations without which nobody can sign in, or that anybody may call; who is nobody gets an answer from them.
const PUBLIC: &[&str] = &["healthz", "login", "metrics", "readyz"];

/// A digest of every table that must not change.
async fn fingerprint(pool: &PgPool) -> String {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
         AND NOT c.relispartition AND c.relname <> ALL ($1) AND c.relname NOT LIKE '\\_%' ORDER BY 1",
    )
    .bind(MOVING)
    .fetch_all(pool)
    .await
    .expect("the tables are known");
    let of_table = |name: &String| {
        format!(
            "SELECT '{name}' AS name, count(*) || ' ' || coalesce(md5(string_agg((to_jsonb(t) - 'last_used_at')::text, ',' ORDER BY to_jsonb(t)::text)), '') AS rows FROM {name} t"
        )
    };
    let sql = names.iter().map(of_table).collect::<Vec<_>>().join(" UNION ALL ");
    let sql = format!("SELECT string_agg(name || ' ' || rows, E'\\n' ORDER BY name) FROM ({sql}) found");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.expect("the tables are read")
}

struct World {
    app: TestApp,
    persons: Persons,
    things: Things,
    document: Value,
    operations: Vec<Operation>,
}

/// One of everything, and no worker that would go on with it.
async fn world() -> World {
    let app = TestApp::builder().offline().no_scheduler().with_setting("webhooks.allow_cidrs", "127.0.0.1/32").start().await;
    let alice = app.client("alice").await;
    let mut things = things::make(&app, &alice).await;
    let file = app.sqlite_folder().join("other.sqlite");
    std::fs::copy(app.sqlite_folder().join("shop.sqlite"), &file).expect("the shop's file is copied");
    let other = app.connect("other", "sqlite", json!({ "database": file })).await;
    app.worker.stop().await;
    things::make_waiting(&app, &alice, &mut things).await;
    let persons = Persons::make(&app, other).await;
    let document = document();
    let operations = operations(&document);
    World { app, persons, things, document, operations }
}

/// Checks that this is a refusal of the contract: the status, a code that the document has for it, and its form.
fn refused(world: &World, operation: &Operation, by: &str, reply: &Reply, expected: &[(u16, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let code = reply.body["code"].as_str().unwrap_or_default();
    let what = format!("{} {} ({}) {by}: {} {}", operation.method, operation.path, operation.id, reply.status, reply.text);
    if !expected.contains(&(reply.status, code)) {
        return vec![format!("{what}\n  expected {expected:?}")];
    }
    if reply.header("content-type") != "application/problem+json" {
        wrong.push(format!("{what}: is no problem+json"));
    }
    if reply.header("x-request-id").is_empty() || reply.body["request_id"] != reply.header("x-request-id") {
        wrong.push(format!("{what}: does not name its request"));
    }
    if reply.status == 401 && reply.header("www-authenticate").is_empty() {
        wrong.push(format!("{what}: does not say how to sign in"));
    }
    let form = &world.document["components"]["responses"][format!("Problem{}", reply.status).as_str()];
    let found = schema::check(&world.document, &form["content"]["application/problem+json"]["schema"], &reply.body);
    wrong.extend(found.into_iter().map(|found| format!("{what}: {found}")));
    wrong
}

impl World {
    /// Sends an operation as all of these and checks that each is refused.
    async fn all_refused(&self, operation: &Operation, callers: &[(&str, &Client)], expected: &[(u16, &str)]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (by, caller) in callers {
            let reply = bodies::send(caller, operation, &self.things).await;
            wrong.extend(refused(self, operation, by, &reply, expected));
        }
        wrong
    }

    /// Somebody who may call it by his role.
    fn able(&self, operation: &Operation) -> &Client {
        if operation.who == "admin" { &self.persons.admin } else { &self.persons.alice }
    }
}

async fn unauthenticated(world: &World, operation: &Operation) -> Vec<String> {
    let callers: Vec<(&str, &Client)> = world.persons.nobodies.iter().map(|(by, client)| (*by, client)).collect();
    world.all_refused(operation, &callers, &[(401, "unauthenticated")]).await
}

async fn wrong_role(world: &World, operation: &Operation) -> Vec<String> {
    let Persons { bob, viewer, lacking, .. } = &world.persons;
    let mut callers: Vec<(&str, &Client)> = Vec::new();
    if operation.who == "admin" {
        callers.push(("as a user", bob));
    }
    if operation.who != "signed_in" {
        callers.push(("as a viewer", viewer));
    }
    let scope = operation.scope.as_deref().unwrap_or_default();
    callers.push(("by a key without its scope", lacking.get(scope).expect("there is a key without each scope")));
    world.all_refused(operation, &callers, &[(403, "permission_denied")]).await
}

/// The same request by a stranger who has the role for it: unknown, whether the id is in the path or in the body.
async fn foreign_owner(world: &World, operation: &Operation) -> Vec<String> {
    let Persons { bob, viewer, limited, lacking, .. } = &world.persons;
    let unknown = [(404, "not_found")];
    let mut callers: Vec<(&str, &Client)> = Vec::new();
    if operation.has_path_ids() {
        let (_, owner) = things::of(&operation.path);
        if operation.who != "admin" && owner != Owner::Admins {
            callers.push(("as a stranger", bob));
            if operation.who == "signed_in" {
                callers.push(("as a viewer who is a stranger", viewer));
            }
        }
        if owner == Owner::Connection {
            callers.push(("by a key that is limited to another connection", limited));
        }
        let mut wrong = world.all_refused(operation, &callers, &unknown).await;
        if owner == Owner::Admins {
            wrong.extend(limited_to_others(world, operation).await);
        }
        if operation.who != "admin" && owner == Owner::Alice {
            // Who may change what is others' is told which scope his key lacks.
            let told = [(404, "not_found"), (403, "permission_denied")];
            let expected: &[(u16, &str)] = if operation.method == "GET" { &unknown } else { &told };
            wrong.extend(
                world.all_refused(operation, &[("by an administrator's key without his scope", &lacking["admin"])], expected).await,
            );
        }
        return wrong;
    }
    if operation.who == "admin" {
        return limited_to_others(world, operation).await;
    }
    let names_things = bodies::body(operation, &world.things).is_some_and(|(_, body)| {
        let body = body.to_string();
        world.things.values().any(|thing| thing.len() == 36 && body.contains(thing.as_str()))
    });
    if names_things {
        let expected = [(404, "not_found"), (422, "invalid_request")];
        return world.all_refused(operation, &[("as a stranger, with an id in the body", bob)], &expected).await;
    }
    Vec::new()
}

/// What is no connection's is nothing that a key changes which is limited to some; dead jobs are, of which it replays those on its own.
async fn limited_to_others(world: &World, operation: &Operation) -> Vec<String> {
    let is_read = operation.method == "GET" && operation.path != "/v1/audit-logs";
    if is_read || operation.path.starts_with("/v1/dead-jobs") {
        return Vec::new();
    }
    let caller = ("by a key that is limited to a connection", &world.persons.limited);
    world.all_refused(operation, &[caller], &[(403, "permission_denied")]).await
}

/// What a stranger lists has nothing of somebody else's.
async fn listed_by_a_stranger(world: &World, operation: &Operation) -> Vec<String> {
    if operation.has_path_ids() || operation.who == "admin" || operation.method != "GET" {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    // An administrator sees every connection, by whatever key.
    let strangers = [
        ("a stranger", &world.persons.bob, ""),
        ("an administrator's key without his scope", &world.persons.lacking["admin"], "connection"),
    ];
    for (by, stranger, known) in strangers {
        let reply = bodies::send(stranger, operation, &world.things).await;
        let is_seen = |thing: &str| thing.len() == 36 && reply.text.contains(thing);
        let seen: Vec<&str> =
            world.things.iter().filter(|(name, thing)| **name != known && is_seen(thing)).map(|(name, _)| *name).collect();
        if !seen.is_empty() {
            wrong.push(format!("{}: {by} sees somebody else's {seen:?}", operation.id));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_refuses_whoever_may_not_changes_nothing_and_then_answers_whoever_may() {
    let world = world().await;
    let mut wrong = Vec::new();
    let mut public = BTreeSet::new();
    let mut before = fingerprint(&world.app.pool).await;
    for operation in &world.operations {
        if operation.who == "anybody" {
            public.insert(operation.id.as_str());
            continue;
        }
        wrong.extend(unauthenticated(&world, operation).await);
        wrong.extend(wrong_role(&world, operation).await);
        wrong.extend(foreign_owner(&world, operation).await);
        let after = fingerprint(&world.app.pool).await;
        if before != after {
            let changed: Vec<&str> = after.lines().filter(|line| !before.lines().any(|known| known == *line)).collect();
            wrong.push(format!("{} {}: was refused, and yet changed {changed:?}", operation.method, operation.path));
        }
        wrong.extend(listed_by_a_stranger(&world, operation).await);
        // His own callback secret is made when he first asks for it.
        before = if operation.id == "get_callback_secret" { fingerprint(&world.app.pool).await } else { after };
    }
    assert!(wrong.is_empty(), "{} refusals are not the contract's:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(public, PUBLIC.iter().copied().collect::<BTreeSet<_>>(), "what is public is decided on purpose");
    // All of it is as it was: the same world does for both, and takes long to make.
    every_operation_answers_whoever_may_as_the_document_says(&world).await;
}

/// In which order the operations can all be called with success: looking first, then making and changing, then ending.
fn turn(operation: &Operation) -> (u8, String) {
    let last = match operation.id.as_str() {
        "logout" => 10,
        "change_password" => 9,
        "revoke_other_sessions" | "revoke_user_sessions" | "delete_connection" | "delete_file" => 8,
        _ if operation.method == "DELETE" => 7,
        // What goes over all of a kind leaves nothing to the others.
        "cancel_jobs" | "replay_dead_jobs" | "discard_dead_jobs" => 6,
        _ if operation.method == "GET" => 0,
        _ => 1,
    };
    (last, operation.id.clone())
}

/// Checks an answer against the document: its status, headers, type and body.
fn kept(world: &World, operation: &Operation, reply: &Reply) -> Vec<String> {
    let what = format!("{} {} ({}): {}", operation.method, operation.path, operation.id, reply.status);
    let text: String = reply.text.chars().take(600).collect();
    let mut response = &operation.value["responses"][reply.status.to_string().as_str()];
    if let Some(path) = response["$ref"].as_str() {
        response = world.document.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null);
    }
    if response.is_null() {
        return vec![format!("{what} is not documented: {text}")];
    }
    let mut wrong = Vec::new();
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let header = header["$ref"].as_str().and_then(|path| world.document.pointer(path.trim_start_matches('#'))).unwrap_or(header);
        let is_tag = name == "ETag" && reply.header("content-type") == "application/json";
        if (header["required"] == true || is_tag) && reply.header(name).is_empty() {
            wrong.push(format!("{what} lacks the header {name}"));
        }
    }
    for name in ["location", "etag", "set-cookie", "retry-after", "content-disposition"] {
        let documented = response["headers"].as_object().into_iter().flatten().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !reply.header(name).is_empty() && !documented {
            wrong.push(format!("{what} has the header {name}, which is not documented"));
        }
    }
    let content = response["content"].as_object().cloned().unwrap_or_default();
    let essence = reply.header("content-type").split(';').next().unwrap_or_default().trim().to_owned();
    match content.get(&essence) {
        Some(form) if essence.ends_with("json") => {
            let found = schema::check(&world.document, &form["schema"], &reply.body);
            wrong.extend(found.into_iter().map(|found| format!("{what}: {found}")));
        }
        Some(_) => {}
        None if content.is_empty() && reply.bytes.is_empty() => {}
        None => wrong.push(format!("{what} is {essence:?}, documented are {:?}: {text}", content.keys().collect::<Vec<_>>())),
    }
    wrong
}

/// What is refused for a reason that is no right: a request without an upgrade opens no socket, and an answer that is there is not asked for
/// again.
const CONTROLS: &[(&str, u16)] = &[("event_socket", 422), ("rerun_question", 409)];

async fn every_operation_answers_whoever_may_as_the_document_says(world: &World) {
    let mut wrong = Vec::new();
    let mut in_turn: Vec<&Operation> = world.operations.iter().collect();
    in_turn.sort_by_key(|operation| turn(operation));
    for operation in &in_turn {
        wrong.extend(misread::found(world.able(operation), operation, &world.things).await);
    }
    for operation in in_turn {
        let reply = bodies::send(world.able(operation), operation, &world.things).await;
        let is_expected = matches!(reply.status, 200..=299) || CONTROLS.contains(&(operation.id.as_str(), reply.status));
        if !is_expected {
            let text: String = reply.text.chars().take(600).collect();
            wrong.push(format!("{} {} ({}): {} {text}", operation.method, operation.path, operation.id, reply.status));
        }
        wrong.extend(kept(world, operation, &reply));
    }
    assert!(wrong.is_empty(), "{} answers are not the document's:\n{}", wrong.len(), wrong.join("\n"));
}
