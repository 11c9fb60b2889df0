//! Uploads that come to nothing: each is told why, and leaves nothing behind.

use std::time::Duration;

use datagenie_tests::{DEADLINE, TestApp, until};
use futures::StreamExt;
use reqwest::{Body, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use super::{BOUNDARY, form, nothing_is_left, objects, post, upload};

const MIB: usize = 1_048_576;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_just_the_limit_is_taken_and_a_larger_one_is_not() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("files.max_size_mb", "1").start().await;
    let alice = app.client("alice").await;
    for bytes in [MIB + 1, 3 * MIB] {
        let refused = upload(&alice, "a.csv", &vec![b'a'; bytes]).await;
        let detail = refused.problem(413, "body_too_large")["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("1 MiB") && detail.contains("files.max_size_mb"), "{detail}");
    }
    nothing_is_left(&app).await;
    assert_eq!(upload(&alice, "a.csv", &vec![b'a'; MIB]).await.expect(201).body["size"], MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_none_or_holds_something_else_is_refused() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let file = ("name=\"file\"; filename=\"a.csv\"", b"a,b\n1,2\n".as_slice());
    let hidden = |text: &'static [u8]| ("name=\"include_hidden\"", text);
    type Part<'a> = (&'a str, &'a [u8]);
    let cases: [(&[Part<'_>], &str); 7] = [
        (&[], "file"),
        (&[("name=\"data\"; filename=\"a.csv\"", b"a,b\n")], "data"),
        (&[file, ("name=\"colour\"", b"red")], "colour"),
        (&[file, file], "file"),
        (&[file, hidden(b"perhaps")], "include_hidden"),
        (&[file, hidden(b"true"), hidden(b"true")], "include_hidden"),
        (&[("filename=\"a.csv\"", b"a,b\n")], ""),
    ];
    for (parts, field) in cases {
        let refused = post(&alice, "/v1/files", form(parts)).await;
        assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["field"], field, "{}", refused.text);
    }
    let both = form(&[file, ("name=\"include_hidden\"", b"true")]);
    post(&alice, "/v1/files?include_hidden=false", both).await.problem(422, "invalid_request");
    post(&alice, "/v1/files?colour=red", form(&[file])).await.problem(422, "invalid_request");

    let whole = form(&[file]);
    let endless = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"\r\nX-Long: {}", "x".repeat(400 * 1024));
    for body in [whole[..whole.len() - 20].to_vec(), whole[..60].to_vec(), b"nothing".to_vec(), Vec::new(), endless.into_bytes()] {
        post(&alice, "/v1/files", body).await.problem(400, "invalid_multipart");
    }
    for content_type in ["application/json", "multipart/form-data", "text/csv"] {
        let request = alice.request(Method::POST, "/v1/files").header("content-type", content_type).body(whole.clone());
        alice.send(request).await.problem(415, "unsupported_media_type");
    }
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_goes_to_storage_while_it_is_sent() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("files.max_size_mb", "100").start().await;
    let alice = app.client("alice").await;
    let (pieces, sent) = mpsc::channel::<Vec<u8>>(1);
    let stream =
        futures::stream::unfold(sent, |mut sent| async move { sent.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), sent)) });
    let request = alice.request(Method::POST, "/v1/files").header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    let answer = alice.send(request.body(Body::wrap_stream(stream.boxed())));
    let sending = async {
        let whole = form(&[("name=\"file\"; filename=\"a.csv\"", b"")]);
        let (head, tail) = whole.split_at(whole.len() - BOUNDARY.len() - 8);
        pieces.send(head.to_vec()).await.expect("the head is sent");
        let line = b"1234567,abcdefgh\n".repeat(MIB / 17);
        for piece in 0..64 {
            pieces.send(line.clone()).await.expect("a piece is sent");
            if piece == 31 {
                // Half of it was sent, and the rest is held back: all but a few pieces is in storage already.
                let stored = || async { objects(&app).iter().any(|(_, bytes)| *bytes >= 24 * 1_048_576).then_some(()) };
                until(stored, "the first half is in storage").await;
            }
        }
        pieces.send(tail.to_vec()).await.expect("the end is sent");
        drop(pieces);
    };
    let (answered, ()) = tokio::join!(answer, sending);
    assert_eq!(answered.expect(201).body["size"], 64 * 17 * (MIB / 17));
}

/// A connection on which the head of an upload and a part of its file were sent.
async fn begun(app: &TestApp, token: &str) -> TcpStream {
    let address = app.url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.expect("the api takes connections");
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
         Content-Length: 9000000\r\n\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(&b"1,2\n".repeat(MIB)).await.expect("a part is sent");
    let arrived = || async { objects(app).iter().any(|(_, bytes)| *bytes > 0).then_some(()) };
    until(arrived, "the part is in storage").await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_client_goes_away_leaves_nothing() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let stream = begun(&app, alice.token()).await;
    drop(stream);
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_stands_still_is_given_up() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("api.slow_client_seconds", "1").start().await;
    let alice = app.client("alice").await;
    let mut stream = begun(&app, alice.token()).await;
    let mut answer = vec![0; 1_024];
    let read = timeout(DEADLINE, stream.read(&mut answer)).await.expect("it is answered").expect("the answer is read");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_trickles_in_is_given_up_in_the_end() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("files.upload_seconds", "2").start().await;
    let alice = app.client("alice").await;
    let (mut answer, mut request) = begun(&app, alice.token()).await.into_split();
    let mut said = vec![0; 1_024];
    // A byte now and then: it is never silent.
    let trickling = async {
        loop {
            if request.write_all(b"1").await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let read = tokio::select! {
        read = timeout(DEADLINE, answer.read(&mut said)) => read.expect("it is answered").expect("the answer is read"),
        () = trickling => 0,
    };
    let said = String::from_utf8_lossy(&said[..read]).into_owned();
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("files.upload_seconds"), "{said}");
    nothing_is_left(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_uploads_are_taken_in_at_once_and_no_more() {
    let app = TestApp::builder()
        .no_worker()
        .no_scheduler()
        .with_setting("files.uploads", "2")
        .with_setting("files.uploads_per_user", "1")
        .start()
        .await;
    let (alice, bob, carol) = (app.client("alice").await, app.client("bob").await, app.client("carol").await);
    let first = begun(&app, alice.token()).await;
    let refused = upload(&alice, "b.csv", b"a,b\n1,2\n").await;
    refused.problem(429, "too_many_requests");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-policy")), ("5", "\"uploads\";q=1"));
    let second = begun(&app, bob.token()).await;
    let refused = upload(&carol, "c.csv", b"a,b\n1,2\n").await;
    refused.problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "5");
    drop((first, second));
    let again = || async { (upload(&carol, "c.csv", b"a,b\n1,2\n").await.status == 201).then_some(()) };
    until(again, "there is room again").await;
}
