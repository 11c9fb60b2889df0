//! A connection against a server that says what a test tells it to.

use datagenie_common::model::connections::ServerConfig;
use secrecy::SecretString;
use tokio::io::{DuplexStream, duplex};

use super::*;

fn target() -> Target {
    Target::new(&ServerConfig {
        host: "db.example.com".to_owned(),
        port: 5432,
        database: "shop".to_owned(),
        username: "reader".to_owned(),
        password: SecretString::from("only-reads"),
        ssl_mode: None,
        ssl_root_cert: None,
        pool_size: None,
        max_overflow: None,
    })
    .expect("it is a target")
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).expect("a test's message is short");
    [[tag].as_slice(), &length.to_be_bytes(), body].concat()
}

fn asks_for(proof: i32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[proof.to_be_bytes().as_slice(), rest].concat())
}

/// What ends every sign-in that succeeds.
fn welcome() -> Vec<u8> {
    let key = message(b'K', &[7_i32.to_be_bytes(), 8_i32.to_be_bytes()].concat());
    [asks_for(0, b""), message(b'S', b"server_version\x0015.1\0"), key, message(b'Z', b"I")].concat()
}

fn row(value: &[u8]) -> Vec<u8> {
    let length = i32::try_from(value.len()).expect("a test's value is short");
    message(b'D', &[1_i16.to_be_bytes().as_slice(), &length.to_be_bytes(), value].concat())
}

/// Signs in to a server that says this, on a wire that is local or not: how it went, and the server's end of it.
async fn signed_in(server_says: &[u8], is_local: bool) -> (Result<Wire, WireError>, DuplexStream) {
    let (ours, mut servers) = duplex(4 * 1024 * 1024);
    servers.write_all(server_says).await.expect("there is room");
    let reached = Reached { stream: Box::new(ours), is_secured: false, is_local, binding: None };
    (Wire::begin(reached, &target()).await, servers)
}

async fn heard(mut servers: DuplexStream, wire: Result<Wire, WireError>) -> String {
    drop(wire);
    let mut bytes = Vec::new();
    servers.read_to_end(&mut bytes).await.expect("it is in memory");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn refusal(wire: &Result<Wire, WireError>) -> &str {
    match wire {
        Err(WireError::Refused(reason)) => reason,
        _ => "it was not refused",
    }
}

#[tokio::test]
async fn a_password_is_said_in_the_clear_only_where_nobody_listens() {
    let says = [asks_for(3, b""), welcome()].concat();
    let (wire, servers) = signed_in(&says, false).await;
    assert!(refusal(&wire).contains("in the clear"), "{}", refusal(&wire));
    assert!(!heard(servers, wire).await.contains("only-reads"));
    let (wire, servers) = signed_in(&says, true).await;
    assert!(wire.is_ok());
    assert!(heard(servers, wire).await.contains("only-reads"));
}

#[tokio::test]
async fn a_password_is_hashed_for_a_server_that_asks_so() {
    let says = [asks_for(5, &[1, 2, 3, 4]), welcome()].concat();
    let (wire, servers) = signed_in(&says, false).await;
    assert!(wire.is_ok());
    let heard = heard(servers, wire).await;
    assert!(heard.contains("md5") && !heard.contains("only-reads"), "{heard:?}");
    assert!(heard.contains("application_name\0datagenie\0"), "{heard:?}");
}

#[tokio::test]
async fn a_server_that_skips_its_own_proof_is_not_believed() {
    let says = [asks_for(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"), welcome()].concat();
    let (wire, servers) = signed_in(&says, false).await;
    assert!(refusal(&wire).contains("did not prove"), "{}", refusal(&wire));
    let heard = heard(servers, wire).await;
    assert!(heard.contains("SCRAM-SHA-256\0") && heard.contains("n,,n=,r="), "nothing to bind to: {heard:?}");
    let forged = [asks_for(10, b"SCRAM-SHA-256\0\0"), asks_for(11, b"r=another,s=c2FsdA==,i=4096"), welcome()].concat();
    let (wire, _servers) = signed_in(&forged, false).await;
    assert!(refusal(&wire).contains("did not prove"), "{}", refusal(&wire));
}

#[tokio::test]
async fn other_proofs_and_other_servers_are_refused() {
    let (wire, _servers) = signed_in(&asks_for(7, b""), true).await;
    assert!(refusal(&wire).contains("another proof"), "{}", refusal(&wire));
    let (wire, _servers) = signed_in(&message(b'E', b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"), true).await;
    assert!(matches!(wire, Err(WireError::Server(error)) if error.state == "28P01"));
    let (wire, _servers) = signed_in(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await;
    assert!(matches!(wire, Err(WireError::TooLarge)));
    let (wire, _servers) = signed_in(&message(b'Z', b"I"), true).await;
    assert!(matches!(wire, Err(WireError::Protocol)), "it is ready for somebody who has not signed in");
}

#[tokio::test]
async fn answers_are_read_one_after_the_other() {
    let (wire, mut servers) = signed_in(&welcome(), true).await;
    let mut wire = wire.expect("it signs in");
    assert!(wire.canceller().is_some());
    let mut batch = Batch::default();
    batch.query("SELECT 1", &[]).expect("it is sendable");
    batch.query("SELECT $1", &["a"]).expect("it is sendable");
    batch.rollback().expect("it is sendable");
    wire.send(&batch).await.expect("there is room");
    let failed = message(b'E', b"SERROR\0C42P01\0Mrelation \"x\" does not exist\0\0");
    let says = [
        message(b'1', b""),
        message(b'2', b""),
        row(b"one"),
        message(b'N', b"SNOTICE\0\0"),
        row(b"two"),
        message(b'C', b"SELECT 2\0"),
        message(b'Z', b"T"),
        failed,
        message(b'Z', b"E"),
        message(b'C', b"ROLLBACK\0"),
        message(b'Z', b"I"),
    ];
    servers.write_all(&says.concat()).await.expect("there is room");
    let rows = wire.rows().await.expect("it is answered");
    let values: Vec<_> = rows.into_iter().flat_map(OwnRow::rest).collect();
    assert_eq!(values, [Some("one".to_owned()), Some("two".to_owned())]);
    assert!(matches!(wire.rows().await, Err(WireError::Server(error)) if error.state == "42P01"));
    assert!(!wire.is_answered());
    wire.settle(1_000, &Batch::default()).await.expect("it comes to rest");
    assert!(wire.is_answered() && wire.is_quiet());
    servers.write_all(&message(b'E', b"SFATAL\0C57P01\0\0")).await.expect("there is room");
    assert!(!wire.is_quiet(), "the server ends the session");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_quiet() {
    let (wire, servers) = signed_in(&welcome(), true).await;
    let mut wire = wire.expect("it signs in");
    assert!(wire.is_quiet());
    drop(servers);
    assert!(!wire.is_quiet());
}

#[tokio::test]
async fn a_row_too_large_stays_on_the_wire() {
    let (wire, mut servers) = signed_in(&welcome(), true).await;
    let mut wire = wire.expect("it signs in");
    let mut batch = Batch::default();
    batch.query("SELECT repeat('x', 100000)", &[]).expect("it is sendable");
    wire.send(&batch).await.expect("there is room");
    wire.allow(1_000);
    let says = [row(b"small"), row(&[b'x'; 100_000]), row(b"small"), message(b'Z', b"T")].concat();
    servers.write_all(&says).await.expect("there is room");
    assert!(matches!(wire.next().await, Ok(Answer::Row(_))));
    assert!(matches!(wire.next().await, Err(WireError::TooLarge)));
    assert!(matches!(wire.drain(10_000).await, Err(WireError::TooLarge)), "more than is worth reading");
    wire.drain(1_000_000).await.expect("it is read off");
    assert!(wire.is_answered());
    assert!(wire.settle(1_000, &Batch::default()).await.is_err(), "a transaction is open");
}
