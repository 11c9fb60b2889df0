//! Connections that end when their client takes nothing of what is sent to it: an answer that can't be written holds memory, outlives
//! the session that it was asked with, and would hold up a stop.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};

/// What holds until another limit is set.
const LIMIT: Duration = Duration::from_secs(10);

/// A listener that gives [`Connection`]s.
pub struct Connections {
    listener: TcpListener,
}

impl Connections {
    /// Accepts on this listener.
    #[must_use]
    pub fn of(listener: TcpListener) -> Self {
        Self { listener }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Connection { stream, limit: LIMIT, stalled: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection on which a write that makes no progress for too long fails.
pub struct Connection {
    stream: TcpStream,
    limit: Duration,
    /// When what can't be written is given up; none: nothing waits. Boxed, since most connections never need it.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// Gives up after this time without progress.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    fn within_limit(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within_limit(context, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.within_limit(context, written)
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
        time::timeout,
    };

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    async fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let mut connections = Connections::of(listener);
        let (client, (mut connection, _)) = tokio::join!(TcpStream::connect(address), connections.accept());
        connection.set_limit(Duration::from_millis(100));
        (connection, client.expect("it connects"))
    }

    #[tokio::test]
    async fn a_write_that_nobody_takes_fails() {
        let (mut connection, _client) = pair().await;
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
    async fn one_that_takes_again_in_time_gets_all() {
        let (mut connection, mut client) = pair().await;
        connection.set_limit(DEADLINE);
        // More than the kernel holds: the write stalls until it is read.
        let sent = vec![7; 16 * 1024 * 1024];
        let write = async {
            connection.write_all(&sent).await.expect("it is taken");
            assert!(connection.stalled.is_none(), "the time begins anew with the next stall");
            drop(connection);
        };
        let mut read = Vec::new();
        let (written, got) = tokio::join!(timeout(DEADLINE, write), timeout(DEADLINE, client.read_to_end(&mut read)));
        written.expect("all is written");
        got.expect("all is read").expect("it ends in order");
        assert!(read == sent);
    }
}
