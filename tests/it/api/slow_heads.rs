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
    }
    for nonsense in
        ["\r\n\r\n\r\nnonsense\r\n\r\n", "GET /v1/me HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /\u{0} HTTP/1.1\r\n\r\n"]
    {
        let mut tcp = connect(&app).await;
        tcp.write_all(nonsense.as_bytes()).await.expect("it is sent");
        let answer = until_closed(&mut tcp).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{nonsense:?}: {answer}");
    }
    // Two lengths are how requests are smuggled past a proxy.
    let mut tcp = connect(&app).await;
    tcp.write_all(b"POST /v1/questions HTTP/1.1\r\nhost: api\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}")
        .await
        .expect("it is sent");
    let answer = until_closed(&mut tcp).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
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
