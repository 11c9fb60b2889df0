//! Where a secret could have got to: everything that a running system writes, sends and keeps.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use datagenie_common::lifecycle;
use datagenie_tests::{Reply, TestApp};
use futures::StreamExt;
use tokio::net::TcpListener;

/// Everything that anybody may come to see, by where it is, as text: what is looked for is of ASCII, and stands in it whatever is around it.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<BTreeMap<String, String>>>);

impl Seen {
    pub fn add(&self, place: impl Into<String>, bytes: &[u8]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = all.entry(place.into()).or_default();
        text.push_str(&String::from_utf8_lossy(bytes));
        text.push('\n');
    }

    pub fn reply(&self, reply: &Reply) {
        if reply.status >= 400 {
            self.add("errors of the api", format!("{:?} {}", reply.headers, reply.text).as_bytes());
        }
    }

    pub fn size(&self, place: &str) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(place).map_or(0, String::len)
    }

    /// Where a secret stands: plainly, in base64, or in hexadecimal digits, as a dump writes bytes.
    pub fn places_of(&self, secret: &str) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let forms = [secret.to_owned(), base64(secret.as_bytes()), secret.bytes().map(|byte| format!("{byte:02x}")).collect()];
        // The standard library's own search is compiled with optimisation, a loop of ours here is not: it would take a minute.
        let holds = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
        all.iter().filter(|(_, text)| holds(text)).map(|(place, _)| place.clone()).collect()
    }
}

/// Base64 without what depends on the length at the end.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |number: u32| char::from(LETTERS[(number & 63) as usize]);
    bytes
        .chunks_exact(3)
        .map(|three| three.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)))
        .flat_map(|three| [18, 12, 6, 0].map(|shift| letter(three >> shift)))
        .collect()
}

#[test]
fn base64_is_base64() {
    assert_eq!(base64(b"planted-secret!"), "cGxhbnRlZC1zZWNyZXQh");
}

/// A collector of spans, which keeps what comes as it comes.
pub async fn collector(seen: Seen) -> String {
    async fn take(State(seen): State<Seen>, body: Bytes) {
        seen.add("traces", &body);
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
    let router = Router::new().route("/v1/traces", post(take)).with_state(seen);
    lifecycle::spawn("collector", async move {
        let _ = axum::serve(listener, router).await;
    });
    url
}

/// Hears everything that is published.
pub async fn hear(app: &TestApp, seen: Seen) {
    let client = redis::Client::open(app.redis.url()).expect("the URL is one of Redis");
    let mut heard = client.get_async_pubsub().await.expect("Redis answers");
    heard.psubscribe("*").await.expect("everything is heard");
    lifecycle::spawn("hear", async move {
        let mut messages = heard.on_message();
        while let Some(message) = messages.next().await {
            seen.add("messages", message.get_payload_bytes());
        }
    });
}

/// What Redis holds, as text: the debug form of bytes would hide what is looked for.
fn text_of(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(items) | redis::Value::Set(items) => items.iter().map(text_of).collect::<Vec<_>>().join(" "),
        redis::Value::Map(pairs) => {
            pairs.iter().map(|(key, value)| format!("{} {}", text_of(key), text_of(value))).collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

/// Everything that Redis holds.
pub async fn look_through_redis(app: &TestApp, seen: &Seen) {
    let mut redis = app.redis.connect().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut redis).await.expect("Redis answers");
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut redis).await.expect("Redis answers");
        let (command, range): (&str, &[&str]) = match kind.as_str() {
            "string" => ("GET", &[]),
            "hash" => ("HGETALL", &[]),
            "set" => ("SMEMBERS", &[]),
            "stream" => ("XRANGE", &["-", "+"]),
            "zset" => ("ZRANGE", &["0", "-1"]),
            "list" => ("LRANGE", &["0", "-1"]),
            // Gone meanwhile.
            _ => continue,
        };
        let value: redis::Value = redis::cmd(command).arg(&key).arg(range).query_async(&mut redis).await.expect("Redis answers");
        seen.add("Redis", format!("{key} {}", text_of(&value)).as_bytes());
    }
}

pub async fn dump_the_database(app: &TestApp, seen: &Seen) {
    let url = app.database.url.clone();
    let dump = tokio::task::spawn_blocking(move || Command::new("pg_dump").arg("--dbname").arg(url).output().expect("pg_dump runs"));
    let dump = dump.await.expect("it ends");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    seen.add("the dump of the database", &dump.stdout);
}
