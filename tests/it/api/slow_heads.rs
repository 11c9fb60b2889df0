//! Clients that send slowly, too much, or too many of them at once: they harm only themselves.

use std::net::SocketAddr;

use datagenie_tests::{DEADLINE, TestApp, until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

async fn app(settings: &[(&str, &str)]) -> TestApp {
    let builder = TestApp::builder().no_worker().no_scheduler();
    settings.iter().fold(builder, |builder, (name, value)| builder.with_setting(name, *value)).start().await
}

async fn connect(app: &TestApp) -> TcpStream {
    let address: SocketAddr = app.url.trim_start_matches("http://").parse().expect("the api has an address");
    TcpStream::connect(address).await.expect("the api accepts")
}

/// All that comes until the api closes the connection.
async fn until_closed(tcp: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A reset is an end too.
    let _ = timeout(DEADLINE, tcp.read_to_end(&mut read)).await.expect("the api closes the connection");
    String::from_utf8_lossy(&read).into_owned()
}

/// Sends byte by byte until nobody takes it any more.
async fn trickle(tcp: &mut TcpStream, text: &str) {
    for byte in text.bytes().cycle() {
        if tcp.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_comes_byte_by_byte_ends_the_connection_and_nobody_else() {
    let app = app(&[("api.header_seconds", "1"), ("api.keep_alive_seconds", "60")]).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut tcp = connect(&app).await;
        tcp.write_all(b"GET /v1/me HTTP/1.1\r\nhost: api\r\nx-").await.expect("it is sent");
        slow.push(tcp);
    }
    let (mut trickling, mut silent) = (connect(&app).await, connect(&app).await);
    let others = async {
        for _ in 0..20 {
            let _ = app.admin.get("/v1/me", None).await.expect(200);
        }
    };
    tokio::join!(timeout(DEADLINE, trickle(&mut trickling, "x-a: b\r\n")), others).0.expect("it is cut off");
    assert_eq!(until_closed(&mut silent).await, "", "one who sends nothing at all");
    for mut tcp in slow {
        assert_eq!(until_closed(&mut tcp).await, "");
    }
    // Between two requests a connection may wait for longer.
    let mut idle = connect(&app).await;
    for _ in 0..2 {
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: api\r\n\r\n").await.expect("it is sent");
        let mut answer = [0; 12];
        timeout(DEADLINE, idle.read_exact(&mut answer)).await.expect("an answer comes").expect("it is whole");
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut rest = [0; 4096];
        while timeout(std::time::Duration::from_millis(1_500), idle.read(&mut rest)).await.is_ok_and(|read| read.is_ok_and(|n| n > 0)) {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_byte_by_byte_is_given_up() {
    let app = app(&[("api.body_seconds", "1")]).await;
    let mut tcp = connect(&app).await;
    let head = format!(
        "POST /v1/questions HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n",
        app.admin.token()
    );
    tcp.write_all(head.as_bytes()).await.expect("it is sent");
    let (mut reading, mut writing) = tcp.into_split();
    let mut read = Vec::new();
    let answered = async {
        while !String::from_utf8_lossy(&read).contains("request_timeout") {
            let mut some = [0; 4096];
            let count = reading.read(&mut some).await.expect("an answer comes");
            assert!(count > 0, "closed without an answer: {}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&some[..count]);
        }
    };
    let sending = async {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        answered = timeout(DEADLINE, answered) => answered.expect("it is given up"),
        () = sending => panic!("closed before it was answered"),
    }
    assert!(String::from_utf8_lossy(&read).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&read));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_have_their_bounds() {
    let app = app(&[("api.max_header_kb", "8")]).await;
    let many: String = (0..150).map(|n| format!("x-{n}: 1\r\n")).collect();
    for headers in [many, format!("x-long: {}\r\n", "a".repeat(20_000))] {
        let mut tcp = connect(&app).await;
        let _ = tcp.write_all(format!("GET /v1/me HTTP/1.1\r\nhost: api\r\n{headers}\r\n").as_bytes()).await;
        let answer = until_closed(&mut tcp).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_is_ours(&answer, "head_too_large");
    }
    // As much as a head may be, and no more: an answer is not overtaken by a reset for what nobody has read.
    let mut endless = connect(&app).await;
    let begun = "GET /v1/me HTTP/1.1\r\nhost: api\r\nx-long: ";
    let _ = endless.write_all(format!("{begun}{}", "a".repeat(8 * 1024 - begun.len())).as_bytes()).await;
    let answer = until_closed(&mut endless).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "a head that does not end is not held for long: {answer}");
    for nonsense in
        ["\r\n\r\n\r\nnonsense\r\n\r\n", "GET /v1/me HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /\u{0} HTTP/1.1\r\n\r\n"]
    {
        let mut tcp = connect(&app).await;
        tcp.write_all(nonsense.as_bytes()).await.expect("it is sent");
        let answer = until_closed(&mut tcp).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{nonsense:?}: {answer}");
        if !answer.is_empty() {
            assert_is_ours(&answer, "malformed_request");
        }
    }
    // Two lengths are how requests are smuggled past a proxy.
    let mut tcp = connect(&app).await;
    tcp.write_all(b"POST /v1/questions HTTP/1.1\r\nhost: api\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}")
        .await
        .expect("it is sent");
    let answer = until_closed(&mut tcp).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_is_ours(&answer, "malformed_request");
    unusual_requests(&app).await;
}

/// The one form of an error, and the headers of every answer, also where no handler was asked.
fn assert_is_ours(answer: &str, code: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    for line in ["content-type: application/problem+json", "x-content-type-options: nosniff", "cache-control: no-store", "x-request-id: "] {
        assert!(head.contains(line), "{line}: {answer}");
    }
    let problem: serde_json::Value = serde_json::from_str(body).expect("the body is JSON");
    assert_eq!(problem["code"], code, "{answer}");
    assert!(head.contains(problem["request_id"].as_str().expect("it names its request")), "{answer}");
}

/// What is HTTP, and what no client of ours sends. Each on a connection of its own, which is to be closed afterwards.
async fn unusual_requests(app: &TestApp) {
    let authorized = format!("authorization: Bearer {}\r\n", app.admin.token());
    let long = "a".repeat(70_000);
    let requests: &[(&str, &str, &str, &str)] = &[
        ("no host", "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n", "400", "malformed_request"),
        ("two hosts", "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n", "400", "malformed_request"),
        ("no host in 1.0", "GET /healthz HTTP/1.0\r\n\r\n", "200", ""),
        ("trace", "TRACE /v1/me HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n", "405", "method_not_allowed"),
        ("a word of one's own", "BREW /v1/me HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n", "405", "method_not_allowed"),
        ("a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n", "404", "not_found"),
        ("the server", "OPTIONS * HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n", "404", "not_found"),
        ("a proxy's form", "GET http://evil.example/healthz HTTP/1.1\r\nhost: api\r\nconnection: close\r\n\r\n", "200", ""),
        (
            "h2c",
            "GET /healthz HTTP/1.1\r\nhost: api\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
            "200",
            "",
        ),
        (
            "a length beside chunks, of which the chunks count",
            "POST /v1/auth/login HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "422",
            "invalid_request",
        ),
        (
            "a body that is no chunks",
            "POST /v1/auth/login HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
            "400",
            "invalid_json",
        ),
        (
            "a packed body",
            "POST /v1/auth/login HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\x1f\x0b\x08\0",
            "415",
            "unsupported_media_type",
        ),
        (
            "an expectation that is not met",
            "POST /v1/questions HTTP/1.1\r\nhost: api\r\nexpect: 100-continue\r\ncontent-length: 900000\r\nconnection: close\r\n\r\n",
            "401",
            "unauthenticated",
        ),
    ];
    for (what, request, status, code) in requests {
        let mut tcp = connect(app).await;
        tcp.write_all(request.as_bytes()).await.expect("it is sent");
        let answer = until_closed(&mut tcp).await;
        assert!(answer.split(' ').nth(1) == Some(*status), "{what}: {answer}");
        if !code.is_empty() {
            assert_is_ours(&answer, code);
        }
        assert!(*status != "405" || answer.to_ascii_lowercase().contains("\r\nallow: get,head\r\n"), "{what}: {answer}");
    }
    // The whole of one that has the right to be so long, and of which the path is too long all the same.
    let mut tcp = connect(app).await;
    let _ = tcp.write_all(format!("GET /v1/{long} HTTP/1.1\r\nhost: api\r\n{authorized}connection: close\r\n\r\n").as_bytes()).await;
    let answer = until_closed(&mut tcp).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"), "{answer}");
    // Several at once are answered in their order, and what is no request ends it.
    let mut tcp = connect(app).await;
    let head = format!("HTTP/1.1\r\nhost: api\r\n{authorized}\r\n");
    tcp.write_all(format!("GET /healthz {head}HEAD /v1/me {head}DELETE /v1/me {head}nonsense\r\n\r\n").as_bytes())
        .await
        .expect("it is sent");
    let answer = until_closed(&mut tcp).await;
    let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(statuses, ["200", "200", "405", "400"], "{answer}");
    assert_is_ours(answer.rsplit_once("HTTP/1.1 ").expect("the last one").1, "malformed_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_its_share_of_connections() {
    const SHARE: usize = 12;
    let app = app(&[("api.max_connections_per_address", &SHARE.to_string())]).await;
    let mut held = Vec::new();
    loop {
        assert!(held.len() <= SHARE, "none was turned away");
        let mut tcp = connect(&app).await;
        tcp.write_all(b"GET /healthz HTTP/1.1\r\nhost: api\r\n\r\n").await.expect("it is sent");
        let mut answer = [0; 12];
        let read = timeout(DEADLINE, tcp.read_exact(&mut answer)).await.expect("an answer comes, or an end");
        if read.is_err() || &answer != b"HTTP/1.1 200" {
            break;
        }
        held.push(tcp);
    }
    // One who sends nothing is told why: the reset of what was sent could overtake the answer.
    let refused = until_closed(&mut connect(&app).await).await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 1"), "{refused}");
    drop(held);
    let enters = || async {
        let mut tcp = connect(&app).await;
        tcp.write_all(b"GET /healthz HTTP/1.1\r\nhost: api\r\n\r\n").await.ok()?;
        let mut answer = [0; 12];
        tcp.read_exact(&mut answer).await.ok()?;
        (&answer == b"HTTP/1.1 200").then_some(())
    };
    until(enters, "who goes makes room").await;
}
