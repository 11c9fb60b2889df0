//! Readers that are slow, take nothing or are gone: they harm only themselves, and end. And what an open socket costs.

use std::{net::SocketAddr, time::Duration};

use datagenie_common::events::LIVE_CHANNEL;
use datagenie_tests::{Client, DEADLINE, Processes, TestApp, until};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{MaybeTlsStream, client_async};
use uuid::Uuid;

use super::sockets::{Socket, asked, ended, message, put, request, socket, stream, subject, tell, whole};

async fn app(slow_client_seconds: u32) -> TestApp {
    let builder = TestApp::builder().no_worker().no_scheduler();
    builder.with_setting("api.slow_client_seconds", slow_client_seconds.to_string()).start().await
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("the api has an address")
}

/// A connection for which the kernel holds little that its reader has not taken.
async fn small_tcp(url: &str) -> TcpStream {
    let tcp = TcpSocket::new_v4().expect("a socket");
    tcp.set_recv_buffer_size(200_000).expect("the kernel takes it");
    tcp.connect(address(url)).await.expect("the api accepts")
}

/// A socket on such a connection, and the connection's port.
async fn small_socket(client: &Client, url: &str) -> (Socket, u16) {
    let tcp = small_tcp(url).await;
    let port = tcp.local_addr().expect("a connection has an address").port();
    let stream = MaybeTlsStream::Plain(tcp);
    (Box::pin(client_async(request(client, url, None), stream)).await.expect("the socket opens").0, port)
}

/// Sends a request by hand on such a connection: an answer is read by nobody.
async fn sent_by_hand(client: &Client, url: &str, path: &str, headers: &str) -> TcpStream {
    let mut tcp = small_tcp(url).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\n{headers}\r\n", client.token());
    tcp.write_all(request.as_bytes()).await.expect("the request is sent");
    tcp
}

/// Reads the head of an answer, and no more.
async fn head(tcp: &mut TcpStream) -> String {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.expect("an answer begins"));
        }
        String::from_utf8(head).expect("a head is text")
    };
    timeout(DEADLINE, read).await.expect("an answer comes")
}

/// What the kernel holds at the api's end of an open connection and the client has not taken; none: that end is closed.
fn untaken(url: &str, client_port: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table of connections is read");
    let (local, remote) = (format!(":{:04X}", address(url).port()), format!(":{client_port:04X}"));
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, from, to, "01", queues, ..] = fields.as_slice() else { return None };
        let (waiting, _) = queues.split_once(':')?;
        (from.ends_with(&local) && to.ends_with(&remote)).then(|| u64::from_str_radix(waiting, 16).ok())?
    })
}

async fn closed_by_the_api(url: &str, client_port: u16) {
    until(|| async { untaken(url, client_port).is_none().then_some(()) }, "the api closes the connection").await;
}

/// Tells of so many steps of a question, each of 100 KB: more than the kernel's buffers hold.
async fn tell_progress(app: &TestApp, user: Uuid, question: &Value, count: usize) {
    let mut redis = app.redis.connect().await;
    for _ in 0..count {
        let event = json!({
            "specversion": "1.0", "id": Uuid::nil(), "source": "/datagenie", "type": "question.progress", "time": "2026-01-01T00:00:00Z",
            "subject": question["id"], "data": { "stage": "x".repeat(100_000) },
        });
        let messages = json!([{ "user_id": user, "subject": question["id"], "progress": event }]).to_string();
        redis::cmd("PUBLISH").arg(LIVE_CHANNEL).arg(messages).exec_async(&mut redis).await.expect("Redis takes it");
    }
}

fn path(question: &Value) -> String {
    format!("/v1/questions/{}", question["id"].as_str().unwrap_or_default())
}

/// The subjects of so many durable events, and how often it was told that something was lost.
async fn all_of(socket: &mut Socket, count: usize) -> (Vec<String>, usize) {
    let (mut subjects, mut lost) = (Vec::new(), 0);
    let read = async {
        while subjects.len() < count {
            let event = message(socket).await.expect("the socket stays open");
            if event["type"] == "events_lost" {
                lost += 1;
            } else {
                subjects.push(event["subject"].as_str().unwrap_or_default().to_owned());
            }
        }
    };
    timeout(DEADLINE, read).await.expect("the events come");
    (subjects, lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_slow_harms_only_itself_and_misses_no_end() {
    const AT_ONCE: usize = 50;
    // By then the kernel's buffers are full, whatever they are.
    const MOST: usize = 1_000;
    // More than the reader's queue in the api holds.
    const BEYOND: usize = 350;
    let app = app(120).await;
    let alice = app.client("alice").await;
    let (mut slow, port) = small_socket(&alice, &app.url).await;
    let mut quick = socket(&alice, &app.url, None).await;
    let data = json!({ "connection_id": null, "padding": "x".repeat(40_000) });
    let (mut written, mut last, mut beyond) = (0, None, None);
    while beyond.is_none_or(|stuck| written < stuck + BEYOND) {
        assert!(written < MOST, "the slow reader's connection takes all of it");
        let write = async {
            let mut conn = app.pool.acquire().await.expect("a connection");
            for n in written..written + AT_ONCE {
                put(&mut conn, alice.user_id, &json!({ "id": n.to_string() }), &data).await;
            }
            drop(conn);
            tell(&app, alice.user_id, &json!({ "id": "0" })).await;
        };
        let (seen, ()) = tokio::join!(all_of(&mut quick, AT_ONCE), write);
        let expected: Vec<String> = (written..written + AT_ONCE).map(|n| n.to_string()).collect();
        assert_eq!(seen.0, expected, "one who reads gets all while the other does not");
        written += AT_ONCE;
        let untaken = untaken(&app.url, port);
        assert!(untaken.is_some(), "a slow reader has its time");
        if beyond.is_none() && untaken == last && untaken > Some(0) {
            // Of the last ones nothing went out any more.
            beyond = Some(written);
        }
        last = untaken;
    }
    let (seen, lost) = all_of(&mut slow, written).await;
    let expected: Vec<String> = (0..written).map(|n| n.to_string()).collect();
    assert_eq!(seen, expected, "each once and in order, from the database");
    assert!(lost > 0, "it is told that it was too slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_takes_nothing_is_closed() {
    let app = app(1).await;
    let alice = app.client("alice").await;
    let (mut stuck, port) = small_socket(&alice, &app.url).await;
    let mut conn = app.pool.acquire().await.expect("a connection");
    let data = json!({ "padding": "x".repeat(100_000) });
    for n in 0..120 {
        put(&mut conn, alice.user_id, &json!({ "id": n.to_string() }), &data).await;
    }
    closed_by_the_api(&app.url, port).await;
    // What the kernel holds can still be read.
    let mut read = 0;
    let over = async {
        while message(&mut stuck).await.is_some() {
            read += 1;
        }
    };
    timeout(DEADLINE, over).await.expect("the socket is over");
    assert!(read < 120, "all of it was sent to one who did not read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_reader_takes_nothing_is_closed() {
    let app = app(1).await;
    let alice = app.client("alice").await;
    let question = asked(&alice).await;
    let mut stuck = sent_by_hand(&alice, &app.url, &format!("{}/events", path(&question)), "").await;
    assert!(head(&mut stuck).await.starts_with("HTTP/1.1 200"), "the stream opens");
    let port = stuck.local_addr().expect("a connection has an address").port();
    assert!(untaken(&app.url, port).is_some(), "it is open");
    tell_progress(&app, alice.user_id, &question, 120).await;
    closed_by_the_api(&app.url, port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_and_a_wait_that_nobody_reads_harm_no_others() {
    let app = app(120).await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let (hers, his) = (asked(&alice).await, asked(&bob).await);
    let mut stuck = sent_by_hand(&alice, &app.url, &format!("{}/events", path(&hers)), "").await;
    let _ = head(&mut stuck).await;
    let port = stuck.local_addr().expect("a connection has an address").port();
    let _waits = sent_by_hand(&alice, &app.url, &path(&hers), "prefer: wait=60\r\n").await;
    let (of_hers, of_his) = (stream(&alice, &hers).await, stream(&bob, &his).await);
    let at_work = async {
        tell_progress(&app, alice.user_id, &hers, 120).await;
        until(|| async { (untaken(&app.url, port) > Some(0)).then_some(()) }, "the stuck stream fills up").await;
        let (waited, stopped) = tokio::join!(bob.get_waiting(path(&his), 20), bob.post(format!("{}/cancel", path(&his)), None));
        assert_eq!((waited.status, stopped.status), (200, 200), "{}", waited.text);
        assert!(whole(of_his).await.contains("event: question.cancelled"));
        let _ = alice.post(format!("{}/cancel", path(&hers)), None).await.expect(200);
    };
    let (read, ()) = tokio::join!(whole(of_hers), at_work);
    assert!(read.contains("event: question.progress") && read.contains("event: question.cancelled"), "one who reads gets all");
    assert!(untaken(&app.url, port) > Some(0), "the other has taken nothing yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_whose_client_answers_no_ping_is_closed() {
    let app = app(1).await;
    let alice = app.client("alice").await;
    let handshake =
        "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut silent = sent_by_hand(&alice, &app.url, "/v1/events", handshake).await;
    assert!(head(&mut silent).await.starts_with("HTTP/1.1 101"), "the socket opens");
    let mut answers = socket(&alice, &app.url, None).await;
    let mut frames = Vec::new();
    tokio::select! {
        read = timeout(DEADLINE, silent.read_to_end(&mut frames)) => drop(read.expect("it is closed")),
        () = ended(&mut answers) => panic!("one that answers its pings is kept"),
    }
    assert_eq!(frames.chunks(2).filter(|frame| *frame == [0x89, 0]).count(), 2, "two pings come before: {frames:?}");
    let mut conn = app.pool.acquire().await.expect("a connection");
    put(&mut conn, alice.user_id, &json!({ "id": "after" }), &json!({})).await;
    assert_eq!(subject(&mut answers).await, "after");
}

/// The memory of a process that is its own, in KB.
fn pss(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process runs");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("the kernel tells its share");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number of KB")
}

/// Opens so many sockets, and lets an event go to each.
async fn opened(app: &TestApp, client: &Client, url: &str, count: u32, name: &str) -> Vec<Socket> {
    let opening = futures::stream::iter(0..count).map(|_| socket(client, url, None)).buffer_unordered(20);
    let mut sockets: Vec<Socket> = opening.collect().await;
    let mut conn = app.pool.acquire().await.expect("a connection");
    put(&mut conn, client.user_id, &json!({ "id": name }), &json!({})).await;
    for socket in &mut sockets {
        assert_eq!(subject(socket).await, name);
    }
    sockets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_socket_costs_less_than_twenty_kilobytes() {
    const COUNT: u32 = 200;
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    // Unoptimised, a request's state is large; what was large goes back at once, so that no hole between sockets counts as theirs.
    let (api, url) =
        Processes::of(&app).with_variable("MALLOC_MMAP_THRESHOLD_", "16384").with_variable("MALLOC_TRIM_THRESHOLD_", "65536").api().await;
    let alice = app.client("alice").await;
    // What the process keeps anyway, and loads once.
    let _warm = opened(&app, &alice, &url, COUNT, "first").await;
    let before = pss(api.pid());
    let _sockets = opened(&app, &alice, &url, COUNT, "second").await;
    let deadline = Instant::now() + DEADLINE;
    loop {
        let each = (pss(api.pid()) - before) / f64::from(COUNT);
        if each < 20.0 {
            return;
        }
        assert!(Instant::now() < deadline, "{each} KB");
        // What opening needed is given back.
        sleep(Duration::from_millis(100)).await;
    }
}
