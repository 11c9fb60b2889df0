//! A subscription that outlives every connection.

use std::time::Duration;

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use redis::{
    Client, RedisResult, Value,
    aio::{PubSubSink, PubSubStream},
};
use tokio::time::{sleep, timeout};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection on which nothing is heard is tried this often, or a dead peer would never be noticed.
const PING_EVERY: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Connected, for the first time or again. What was published before is lost: look at the truth once.
    Connected,
    /// Something was published.
    Message {
        /// Where.
        channel: String,
        /// What.
        payload: Vec<u8>,
    },
}

/// What these channels say, for ever.
pub(super) fn stream(client: Client, channels: Vec<String>) -> BoxStream<'static, Heard> {
    let subscription = Subscription { client, channels, live: None, failures: 0 };
    stream::unfold(subscription, |mut subscription| async move {
        let heard = subscription.next().await;
        Some((heard, subscription))
    })
    .boxed()
}

struct Subscription {
    client: Client,
    channels: Vec<String>,
    live: Option<(PubSubSink, PubSubStream)>,
    /// Since something was last heard.
    failures: u32,
}

impl Subscription {
    async fn next(&mut self) -> Heard {
        loop {
            if self.live.is_some() {
                if let Some(heard) = self.listen().await {
                    return heard;
                }
                self.live = None;
                self.failures += 1;
                tracing::warn!("the connection for live messages is lost; connecting again");
                continue;
            }
            if self.failures > 0 {
                sleep(pause(self.failures)).await;
            }
            match timeout(ANSWER_TIMEOUT, open(&self.client, &self.channels)).await {
                Ok(Ok(live)) => {
                    self.live = Some(live);
                    return Heard::Connected;
                }
                Ok(Err(error)) => self.failed(&error.to_string()),
                Err(elapsed) => self.failed(&elapsed.to_string()),
            }
        }
    }

    /// The next message; none when the connection is gone.
    async fn listen(&mut self) -> Option<Heard> {
        let (sink, messages) = self.live.as_mut()?;
        loop {
            match timeout(PING_EVERY, messages.next()).await {
                Ok(Some(message)) => {
                    self.failures = 0;
                    let channel = message.get_channel_name().to_owned();
                    return Some(Heard::Message { channel, payload: message.get_payload_bytes().to_vec() });
                }
                Ok(None) => return None,
                Err(_) => {
                    timeout(ANSWER_TIMEOUT, sink.ping::<Value>()).await.ok()?.ok()?;
                    self.failures = 0;
                }
            }
        }
    }

    fn failed(&mut self, error: &str) {
        self.failures = self.failures.saturating_add(1);
        // The first failure, and then ever more rarely, is told.
        if self.failures.is_power_of_two() {
            tracing::warn!(error, failures = self.failures, "live messages cannot be subscribed to; trying again");
        }
    }
}

async fn open(client: &Client, channels: &[String]) -> RedisResult<(PubSubSink, PubSubStream)> {
    let mut connection = client.get_async_pubsub().await?;
    connection.subscribe(channels).await?;
    Ok(connection.split())
}

/// Doubles with each failure up to five seconds.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn pauses_grow_to_five_seconds() {
        let milliseconds: Vec<u128> = [1, 2, 3, 6, 7, 100, u32::MAX].map(|n| pause(n).as_millis()).to_vec();
        assert_eq!(milliseconds, [100, 200, 400, 3_200, 5_000, 5_000, 5_000]);
    }

    /// Accepts a connection and answers its commands until it is asked to subscribe to `news`.
    async fn accept(listener: &TcpListener) -> TcpStream {
        let (mut peer, _) = listener.accept().await.expect("a connection");
        let mut asked = Vec::new();
        let mut answered = 0;
        while !asked.ends_with(b"news\r\n") {
            let mut buffer = [0; 1_024];
            let read = peer.read(&mut buffer).await.expect("reads");
            assert_ne!(read, 0, "the peer went away");
            asked.extend_from_slice(&buffer[..read]);
            let commands = asked.iter().filter(|byte| **byte == b'*').count();
            let subscribing = asked.ends_with(b"news\r\n");
            let owed = commands - answered - usize::from(subscribing);
            peer.write_all(b"+OK\r\n".repeat(owed).as_slice()).await.expect("writes");
            answered += owed;
        }
        peer.write_all(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n").await.expect("writes");
        peer
    }

    #[tokio::test]
    async fn it_reconnects_and_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("redis://{}", listener.local_addr().expect("an address"));
        let mut heard = stream(Client::open(url).expect("a URL"), vec!["news".to_owned()]);
        assert!(heard.next().now_or_never().is_none());

        let (mut peer, first) = tokio::join!(accept(&listener), heard.next());
        assert_eq!(first, Some(Heard::Connected));
        peer.write_all(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n").await.expect("writes");
        assert_eq!(heard.next().await, Some(Heard::Message { channel: "news".to_owned(), payload: b"hi".to_vec() }));

        drop(peer);
        let (_peer, again) = tokio::join!(accept(&listener), heard.next());
        assert_eq!(again, Some(Heard::Connected));
    }
}
