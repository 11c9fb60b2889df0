//! The faults of the proxy, before a server that sends everything back and remembers it.

use super::*;

type Heard = Arc<Mutex<Vec<u8>>>;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server that sends back what it gets, a proxy before it, and what the server has got.
async fn echo() -> (Proxy, Heard) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let proxy = Proxy::start(listener.local_addr().expect("an address")).await;
    let heard = Heard::default();
    let remembered = heard.clone();
    lifecycle::spawn("echo", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = remembered.clone();
            lifecycle::spawn("echo.one", async move {
                let mut buffer = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    lock(&heard).extend_from_slice(&buffer[..length]);
                    if stream.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (proxy, heard)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.expect("the proxy listens")
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("the connection is open");
}

async fn hear(stream: &mut TcpStream, length: usize) -> String {
    let mut answer = vec![0; length];
    let read = timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer in time");
    read.expect("the connection is open");
    String::from_utf8(answer).expect("text")
}

/// Waits until the connection ends, without another byte.
async fn ended(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(timeout(PATIENCE, stream.read(&mut byte)).await.expect("an end in time"), Ok(0) | Err(_))
}

#[tokio::test]
async fn a_cut_breaks_what_is_open_and_nothing_later() {
    let (proxy, _) = echo().await;
    let mut before = connect(&proxy).await;
    send(&mut before, "one").await;
    assert_eq!(hear(&mut before, 3).await, "one");
    proxy.cut();
    assert!(ended(&mut before).await);
    let mut after = connect(&proxy).await;
    send(&mut after, "two").await;
    assert_eq!(hear(&mut after, 3).await, "two");
    drop(proxy);
    assert!(ended(&mut after).await, "nothing outlives the proxy");
}

#[tokio::test]
async fn nobody_is_let_in_while_it_refuses() {
    let (proxy, heard) = echo().await;
    proxy.refuse();
    assert!(ended(&mut connect(&proxy).await).await);
    proxy.allow();
    let mut stream = connect(&proxy).await;
    send(&mut stream, "in").await;
    assert_eq!(hear(&mut stream, 2).await, "in");
    assert_eq!(*lock(&heard), b"in");
}

#[tokio::test]
async fn a_stall_holds_bytes_back_and_loses_none() {
    let (proxy, heard) = echo().await;
    let mut stream = connect(&proxy).await;
    send(&mut stream, "a").await;
    assert_eq!(hear(&mut stream, 1).await, "a");
    proxy.stall();
    send(&mut stream, "b").await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(100), stream.read(&mut byte)).await.is_err(), "nothing arrives, nothing ends");
    assert_eq!(*lock(&heard), b"a");
    proxy.resume();
    assert_eq!(hear(&mut stream, 1).await, "b");
}

#[tokio::test]
async fn the_server_has_what_the_client_gets_no_answer_to() {
    let (proxy, heard) = echo().await;
    proxy.cut_answer_to(b"COMMIT".to_vec(), 1);
    let mut stream = connect(&proxy).await;
    send(&mut stream, "BEGIN;COM").await;
    assert_eq!(hear(&mut stream, 9).await, "BEGIN;COM", "the pattern is not whole yet");
    send(&mut stream, "MIT").await;
    assert!(ended(&mut stream).await, "no byte of the answer");
    assert_eq!((proxy.cuts(), lock(&heard).as_slice()), (1, b"BEGIN;COMMIT".as_slice()));

    let mut again = connect(&proxy).await;
    send(&mut again, "COMMIT").await;
    assert_eq!(hear(&mut again, 6).await, "COMMIT", "once was asked for");
    assert_eq!(proxy.cuts(), 1);
}
