//! Connections that end when their client is too slow: it takes nothing of what is sent to it, or next to nothing, or the head of its
//! request does not arrive. An answer that can't be written holds memory, outlives the session that it was asked with, and would hold up
//! a stop; a head that comes byte by byte holds a place that others need.
//!
//! What hyper answers by itself to what is no request goes out as an answer of ours ([`Bare`]).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep, sleep_until},
};

use crate::{bare::Bare, doors::Place};

/// A client that is slower than this, in bytes a second, while an answer waits for it, uses up its time.
const SLOWEST: u32 = 1_024;

/// Whether a request of a connection is being worked on, as its service knows: then nothing is expected of the client but the rest of its
/// body, which whoever reads that waits for.
#[derive(Clone, Debug, Default)]
pub struct AtWork(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    arrived: AtomicU64,
    at_work: AtomicBool,
}

impl AtWork {
    /// The head of a request has arrived.
    pub fn begin(&self) {
        self.0.arrived.fetch_add(1, Ordering::Relaxed);
        self.0.at_work.store(true, Ordering::Relaxed);
    }

    /// It is answered, and the next one may come.
    pub fn end(&self) {
        self.0.at_work.store(false, Ordering::Relaxed);
    }
}

/// A connection to a client that may be slow.
pub struct Connection {
    stream: TcpStream,
    writing: Writing,
    at_work: AtWork,
    /// Requests whose heads are known to have arrived.
    arrived: u64,
    head_limit: Duration,
    /// When the head of the next request must have arrived; none: nothing of it has come.
    head_due: Option<Pin<Box<Sleep>>>,
    bare: Arc<Bare>,
    instead: Instead,
    /// Given back when the connection is over, and not before: a WebSocket outlives its request.
    _place: Option<Place>,
}

/// What is sent in place of an answer of hyper's own, which is its last.
enum Instead {
    /// Nothing so far.
    Nothing,
    /// The write before was not taken whole: what comes next is no beginning of an answer.
    Amid,
    /// Of this, so much is sent, for so many bytes of hyper's.
    Of { answer: Vec<u8>, sent: usize, stands_for: usize },
    /// All of it, and there is no more to say.
    Over,
}

/// How a client takes what is sent to it.
struct Writing {
    patience: Patience,
    /// When what can't be written is given up; none: nothing waits. Boxed, since most connections never need it.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// How long is waited for one who takes little. Waiting uses it up, and what is taken gives it back: all that the slowest client may
/// need for it.
struct Patience {
    limit: Duration,
    spent: Duration,
    waits_since: Option<Instant>,
}

impl Patience {
    fn of(limit: Duration) -> Self {
        Self { limit, spent: Duration::ZERO, waits_since: None }
    }

    /// A write has to wait: until when it may.
    fn waits(&mut self, now: Instant) -> Instant {
        *self.waits_since.get_or_insert(now) + self.limit.saturating_sub(self.spent)
    }

    /// So many bytes were taken.
    fn takes(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.waits_since.take() {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.spent = (self.spent + (now - since)).saturating_sub(Duration::from_secs(1) * bytes / SLOWEST);
        }
    }
}

impl Connection {
    /// Gives up after `limit` of waiting for the client to take what is sent, and after `head_limit` of waiting for the head of its
    /// request: of the first one from now on, of the next ones from their first byte on.
    #[must_use]
    pub fn new(stream: TcpStream, limit: Duration, head_limit: Duration, bare: Arc<Bare>, place: Option<Place>) -> Self {
        let writing = Writing { patience: Patience::of(limit), stalled: None };
        Self {
            stream,
            writing,
            at_work: AtWork::default(),
            arrived: 0,
            head_limit,
            head_due: Some(Box::pin(sleep(head_limit))),
            bare,
            instead: Instead::Nothing,
            _place: place,
        }
    }

    /// For the service of this connection to say when it is at work.
    #[must_use]
    pub fn at_work(&self) -> AtWork {
        self.at_work.clone()
    }

    fn head_in_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let arrived = self.at_work.0.arrived.load(Ordering::Relaxed);
        if arrived != self.arrived {
            self.arrived = arrived;
            self.head_due = None;
        }
        match self.head_due.as_mut().map(|due| due.as_mut().poll(context)) {
            Some(Poll::Ready(())) => Err(io::Error::new(io::ErrorKind::TimedOut, "the head of the request does not arrive")),
            Some(Poll::Pending) | None => Ok(()),
        }
    }
}

impl Connection {
    /// Whether this write is, or goes on with, an answer of hyper's own: then what is sent in its place.
    fn speaks_instead(&mut self, text: &[u8]) -> bool {
        if matches!(self.instead, Instead::Nothing)
            && let Some(answer) = self.bare.in_place_of(text)
        {
            self.instead = Instead::Of { answer, sent: 0, stands_for: text.len() };
        }
        matches!(self.instead, Instead::Of { .. } | Instead::Over)
    }

    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Instead::Of { answer, sent, stands_for } = &mut self.instead {
            let Some(rest) = answer.get(*sent..).filter(|rest| !rest.is_empty()) else {
                let taken = *stands_for;
                self.instead = Instead::Over;
                return Poll::Ready(Ok(taken));
            };
            let written = Pin::new(&mut self.stream).poll_write(context, rest);
            *sent += ready!(self.writing.within_limit(context, written))?;
        }
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn wrote(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>, of: usize) -> Poll<io::Result<usize>> {
        let written = self.writing.within_limit(context, written);
        if let Poll::Ready(Ok(taken)) = &written {
            self.instead = if *taken < of { Instead::Amid } else { Instead::Nothing };
        }
        written
    }
}

impl Writing {
    fn within_limit(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = &written {
            // Most writes never wait, and need not know the time.
            if self.stalled.take().is_some() {
                self.patience.takes(result.as_ref().map_or(0, |&bytes| bytes), Instant::now());
            }
            return written;
        }
        let patience = &mut self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(patience.waits(Instant::now()))));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes next to nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before && self.head_due.is_none() && !self.at_work.0.at_work.load(Ordering::Relaxed) {
            let limit = self.head_limit;
            self.head_due = Some(Box::pin(sleep(limit)));
        }
        if read.is_pending() {
            self.head_in_time(context)?;
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.speaks_instead(bytes) {
            return self.poll_instead(context);
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, written, bytes.len())
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(first) = parts.iter().find(|part| !part.is_empty())
            && self.speaks_instead(first)
        {
            return self.poll_instead(context);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.wrote(context, written, parts.iter().map(|part| part.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(100);

    async fn pair(limit: Duration, head_limit: Duration) -> (Connection, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (Connection::new(accepted.expect("it is accepted").0, limit, head_limit, Arc::default(), None), client.expect("it connects"))
    }

    #[tokio::test]
    async fn a_write_that_nobody_takes_fails() {
        let (mut connection, _client) = pair(SHORT, DEADLINE).await;
        let write = async {
            loop {
                if let Err(error) = connection.write_all(&[0; 65_536]).await {
                    return error.kind();
                }
            }
        };
        assert_eq!(timeout(DEADLINE, write).await.expect("it ends"), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_of_hypers_own_goes_out_as_ours_and_is_the_last() {
        const OWN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let (mut connection, mut client) = pair(DEADLINE, DEADLINE).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("it is taken");
        assert_eq!(connection.write(OWN).await.expect("it is taken"), OWN.len(), "hyper knows nothing of it");
        assert_eq!(connection.write(b"more").await.expect_err("it was the last").kind(), io::ErrorKind::BrokenPipe);
        drop(connection);
        let mut read = String::new();
        timeout(DEADLINE, client.read_to_string(&mut read)).await.expect("all is read").expect("it ends in order");
        assert!(read.starts_with("HTTP/1.1 200 OK") && read.contains("malformed_request") && !read.contains("date: x"), "{read}");
    }

    #[tokio::test]
    async fn one_that_takes_again_in_time_gets_all() {
        let (mut connection, mut client) = pair(DEADLINE, DEADLINE).await;
        // More than the kernel holds: the write stalls until it is read.
        let sent = vec![7; 16 * 1024 * 1024];
        let write = async {
            connection.write_all(&sent).await.expect("it is taken");
            assert!(connection.writing.stalled.is_none(), "the time begins anew with the next stall");
            drop(connection);
        };
        let mut read = Vec::new();
        let (written, got) = tokio::join!(timeout(DEADLINE, write), timeout(DEADLINE, client.read_to_end(&mut read)));
        written.expect("all is written");
        got.expect("all is read").expect("it ends in order");
        assert!(read == sent);
    }

    #[tokio::test]
    async fn a_connection_between_two_requests_is_not_in_the_middle_of_one() {
        let (mut connection, mut client) = pair(DEADLINE, SHORT).await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is sent");
        let mut head = [0; 18];
        connection.read_exact(&mut head).await.expect("it is read");
        let at_work = connection.at_work();
        at_work.begin();
        at_work.end();
        let mut next = [0; 1];
        assert!(timeout(SHORT * 5, connection.read(&mut next)).await.is_err(), "the next one may take its time to begin");
    }

    #[test]
    fn a_trickle_uses_the_time_up_and_a_stream_gives_it_back() {
        let (limit, step) = (Duration::from_secs(10), Duration::from_secs(4));
        let mut now = Instant::now();
        let mut slow = Patience::of(limit);
        for _ in 0..2 {
            assert!(slow.waits(now) > now + step);
            now += step;
            slow.takes(100, now);
        }
        assert!(slow.waits(now) < now + step, "it has taken next to nothing");
        let mut steady = Patience::of(limit);
        for _ in 0..10 {
            assert_eq!(steady.waits(now), now + limit);
            now += step;
            steady.takes(4 * 1024, now);
        }
    }

    #[tokio::test]
    async fn a_head_that_does_not_arrive_ends_the_connection_and_a_body_does_not() {
        for (at_work, sends) in [(false, true), (false, false), (true, true)] {
            let (mut connection, mut client) = pair(DEADLINE, SHORT).await;
            if at_work {
                connection.at_work().begin();
            }
            if sends {
                client.write_all(b"GET / HT").await.expect("it is sent");
                let mut some = [0; 8];
                connection.read_exact(&mut some).await.expect("it is read");
            }
            let mut rest = [0; 8];
            let ended = timeout(SHORT * 5, connection.read(&mut rest)).await;
            match ended {
                Ok(read) => assert_eq!((at_work, read.expect_err("nothing comes").kind()), (false, io::ErrorKind::TimedOut)),
                Err(_) => assert!(at_work, "a head is waited for no longer than it may take"),
            }
        }
    }
}
