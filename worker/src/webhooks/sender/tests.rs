//! Exchanges with targets on this machine that behave, and that do not.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use datagenie_common::lifecycle;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// A target that takes the head of a request, writes this, and then holds the connection open.
async fn target(address: &str, answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.expect("a free port");
    let (at, connections) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = connections.clone();
    lifecycle::spawn("test.target", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            lifecycle::spawn("test.answer", async move {
                let mut head = vec![0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer).await;
                let _ = stream.flush().await;
                // An endless body goes on until the other side hangs up.
                if answer.ends_with(b"\r\nendless") {
                    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                }
                std::future::pending::<()>().await;
            });
        }
    });
    (at, connections)
}

fn sender(allowed: &[&str], lookup: Lookup, patience: Duration) -> Sender {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let networks: Vec<IpNetwork> = allowed.iter().map(|text| text.parse().expect("a network")).collect();
    Sender::with(&networks, lookup, patience).expect("a client")
}

fn message() -> Signed {
    Signed { id: "id".to_owned(), timestamp: 1, signature: "v1,x".to_owned(), body: b"{}".to_vec() }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn only_2xx_is_success_and_a_redirect_is_followed_nowhere() {
    let (elsewhere, reached) = target("127.0.0.1:0", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let sender = sender(&["127.0.0.1/32"], system(), LONG);
    assert_eq!(sender.send(&format!("http://{elsewhere}/"), message()).await.answered.expect("it is taken"), 200);
    let moved: &'static str =
        Box::leak(format!("HTTP/1.1 307 Moved\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n").into_boxed_str());
    let (redirecting, _) = target("127.0.0.1:0", moved.as_bytes()).await;
    let refused = sender.send(&format!("http://{redirecting}/"), message()).await.answered.expect_err("it is not followed");
    assert_eq!(refused.status(), Some(307));
    assert_eq!(reached.load(Ordering::SeqCst), 1, "only the first call came");
    let (busy, _) = target("127.0.0.1:0", b"HTTP/1.1 429 Busy\r\nretry-after: 7200\r\ncontent-length: 0\r\n\r\n").await;
    let refused = sender.send(&format!("http://{busy}/"), message()).await.answered.expect_err("it is busy");
    assert_eq!((refused.status(), refused.retry_after()), (Some(429), Some(Duration::from_secs(7200))));
}

#[tokio::test]
async fn answers_are_read_to_a_limit_and_for_a_time() {
    let (endless, _) = target("127.0.0.1:0", b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\nendless").await;
    let patient = sender(&["127.0.0.1/32"], system(), LONG);
    assert_eq!(patient.send(&format!("http://{endless}/"), message()).await.answered.expect("the status is what counts"), 200);
    let impatient = sender(&["127.0.0.1/32"], system(), Duration::from_millis(200));
    for stalled in [b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx".as_slice(), b"HTTP/1.1 20", b""] {
        let (address, _) = target("127.0.0.1:0", stalled).await;
        let error = impatient.send(&format!("http://{address}/"), message()).await.answered.expect_err("it never ends");
        assert!(matches!(error, SendError::TimedOut), "{error:?}");
    }
}

#[tokio::test]
async fn private_targets_are_refused_by_address_and_by_name_and_nothing_reaches_them() {
    let (address, reached) = target("127.0.0.1:0", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let sender = sender(&[], system(), LONG);
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
        let error = sender.send(&format!("http://{host}:{}/", address.port()), message()).await.answered.expect_err("it is private");
        assert!(matches!(error, SendError::Refused), "{host}: {error:?}");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    for bad in ["ftp://example.com/", "nonsense", "data:,x"] {
        let error = sender.send(bad, message()).await.answered.expect_err("it can't be asked");
        assert!(matches!(error, SendError::BadUrl), "{bad}: {error:?}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_checked_anew_and_only_checked_addresses_are_connected_to() {
    let (first, reached) = target("127.0.0.1:0", b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    // At the same port of an address that is not permitted.
    let (_, trapped) = target(&format!("127.0.0.2:{}", first.port()), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let answers: Arc<Mutex<Vec<Vec<IpAddr>>>> = Arc::new(Mutex::new(vec![
        vec!["127.0.0.2".parse().expect("an address")],
        vec!["127.0.0.2".parse().expect("an address"), "127.0.0.1".parse().expect("an address")],
        vec!["127.0.0.1".parse().expect("an address")],
    ]));
    let lookup: Lookup = Arc::new(move |_| {
        let next = answers.lock().expect("the answers").pop().expect("no more look-ups than sends");
        Box::pin(async move { Ok(next) })
    });
    let sender = sender(&["127.0.0.1/32"], lookup, LONG);
    let url = format!("http://rebinding.example:{}/", first.port());
    assert_eq!(sender.send(&url, message()).await.answered.expect("permitted"), 200);
    assert_eq!(sender.send(&url, message()).await.answered.expect("the permitted one of two"), 200);
    let error = sender.send(&url, message()).await.answered.expect_err("it has moved to a private address");
    assert!(matches!(error, SendError::Refused), "{error:?}");
    assert_eq!((reached.load(Ordering::SeqCst), trapped.load(Ordering::SeqCst)), (2, 0));
}

#[test]
fn retry_after_is_seconds_or_a_date_and_at_most_a_day() {
    let now = http_date("Mon, 05 Jan 2026 09:00:00 GMT");
    assert!(now.is_some());
    assert_eq!(after("120", None), Some(Duration::from_secs(120)));
    for huge in ["999999999", "99999999999999999999999999"] {
        assert_eq!(after(huge, None), Some(Duration::from_secs(86_400)), "{huge}");
    }
    for half_past in ["Mon, 05 Jan 2026 09:30:00 GMT", "Monday, 05-Jan-26 09:30:00 GMT", "Mon Jan  5 09:30:00 2026"] {
        assert_eq!(after(half_past, now), Some(Duration::from_secs(1800)), "{half_past}");
        assert_eq!(after(half_past, None), None, "{half_past}");
    }
    assert_eq!(after("Fri, 31 Dec 9999 23:59:59 GMT", now), Some(Duration::from_secs(86_400)));
    for nothing in ["", "soon", "-5", "+5", "1.5", "Mon, 05 Jan 2026 08:30:00 GMT"] {
        assert_eq!(after(nothing, now), None, "{nothing}");
    }
}
