//! A connection to RabbitMQ with one channel on it, and the way out of one that no longer answers.

use std::{
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Queue,
    options::QueueDeclareOptions,
    tcp::{AsyncTcpStream, TLSConfig},
    types::{AMQPValue, FieldTable},
    uri::{AMQPScheme, AMQPUri},
};
use tokio::{runtime::Handle, time::timeout};

use crate::lifecycle;

/// How long a connection may take to come into being.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take to end in order.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a queue that is gone must be left alone before it is declared again. RabbitMQ tells a deleted queue's consumers some
/// 30 ms later; where a queue of that name is back by then, it subscribes them to that one without a word and then loses what it
/// sends them (seen with 3.10).
pub(super) const REDECLARE_PAUSE: Duration = Duration::from_secs(1);
/// AMQP's code for a queue that is not there.
const NOT_FOUND: u16 = 404;
/// AMQP's code for a failure inside the server.
const INTERNAL_ERROR: u16 = 541;
/// How often a message may come back before the queue drops it. RabbitMQ 4 would drop it after 20 times if nothing were said, and
/// "without limit" can't be said in a way that RabbitMQ 3 understands, too.
const DELIVERY_LIMIT: i32 = 1_000_000;

/// Why RabbitMQ did not do what was asked. Neither the URL nor a password is part of it.
#[derive(Debug, thiserror::Error)]
pub enum AmqpError {
    /// The protocol, the network or the server's refusal.
    #[error(transparent)]
    Amqp(#[from] lapin::Error),
    /// Nothing came in time.
    #[error("RabbitMQ did not answer in time")]
    Silent,
    /// The connection or its channel is gone.
    #[error("the connection to RabbitMQ is gone")]
    Gone,
    /// The lane's queue was deleted, or moved.
    #[error("RabbitMQ cancelled the consumer: the lane's queue was deleted or moved")]
    Cancelled,
    /// The lane's queue is there and can't be heard, as one that a crash broke.
    #[error("RabbitMQ has the lane's queue and does not serve it")]
    Broken,
    /// A message found no queue.
    #[error("RabbitMQ had no queue for a message; the queues are declared again")]
    Returned,
    /// A queue refused a message.
    #[error("RabbitMQ did not take a message")]
    Refused,
}

impl AmqpError {
    /// An error of consuming from a queue that has just been declared. RabbitMQ says of a broken one that it is there, and tries for a
    /// minute to have it served before it ends the connection by an internal error.
    pub(super) fn of_consuming(self) -> Self {
        match self {
            Self::Silent => Self::Broken,
            Self::Amqp(error) if matches!(error.kind(), ErrorKind::ProtocolError(told) if told.get_id() == INTERNAL_ERROR) => Self::Broken,
            other => other,
        }
    }
}

/// A connection with its channel. It ends when nobody holds it any more.
pub(super) struct Link {
    connection: Arc<Connection>,
    channel: Channel,
    socket: Socket,
    failed: AtomicBool,
    unsettled: AtomicUsize,
}

impl Link {
    /// Connects. `name` is what RabbitMQ shows of it.
    pub(super) async fn open(uri: &AMQPUri, name: &str) -> Result<Self, AmqpError> {
        let mut attempt = Attempt { socket: Socket::default(), succeeded: false };
        let socket = attempt.socket.clone();
        let opened = timeout(CONNECT_TIMEOUT, async {
            let connection = Box::pin(connect(uri.clone(), name, socket)).await?;
            let channel = connection.create_channel().await?;
            Ok::<_, lapin::Error>((connection, channel))
        });
        let (connection, channel) = opened.await.map_err(|_| AmqpError::Silent)??;
        attempt.succeeded = true;
        let socket = attempt.socket.clone();
        Ok(Self { connection: Arc::new(connection), channel, socket, failed: AtomicBool::new(false), unsettled: AtomicUsize::new(0) })
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Messages of a queue that are with no consumer; none if there is no such queue, which is not made by asking: one that is made
    /// too soon after its deletion loses its consumers ([`REDECLARE_PAUSE`]).
    pub(super) async fn count(&self, queue: &str) -> Result<u64, lapin::Error> {
        // On a channel of its own, since asking for a queue that is not there ends the channel.
        let channel = self.connection.create_channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let counted = match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
            Ok(queue) => u64::from(queue.message_count()),
            Err(error) if matches!(error.kind(), ErrorKind::ProtocolError(told) if told.get_id() == NOT_FOUND) => return Ok(0),
            Err(error) => return Err(error),
        };
        channel.close(200, "counted".into()).await?;
        Ok(counted)
    }

    /// Whether it can be used, as far as is known here.
    pub(super) fn is_connected(&self) -> bool {
        !self.failed.load(Ordering::Relaxed) && self.connection.status().connected() && self.channel.status().connected()
    }

    /// Nobody should begin to use it any more.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Ends it at once, without a word: what was not acknowledged goes to others.
    pub(super) fn hang_up(&self) {
        self.fail();
        self.socket.hang_up();
    }

    /// One message more that is neither acknowledged nor given back.
    pub(super) fn owe(&self) {
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    /// One such message less.
    pub(super) fn settle(&self) {
        self.unsettled.fetch_sub(1, Ordering::Relaxed);
    }

    /// Messages that are neither acknowledged nor given back.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The channel lasts as long as its connection: one of the two ends in order.
        let (connection, channel, socket) = (self.connection.clone(), self.channel.clone(), self.socket.clone());
        if Handle::try_current().is_err() {
            return socket.hang_up();
        }
        lifecycle::spawn("amqp.close", async move {
            // lapin would wait for the answer of a broker that stands still for ever, with a thread.
            let _ = timeout(CLOSE_TIMEOUT, connection.close(200, "OK".into())).await;
            socket.hang_up();
            drop(channel);
        });
    }
}

/// Declares a lane's queue, which changes nothing if it is there, and gives what is known of it.
pub(super) async fn declare(channel: &Channel, queue: &str) -> Result<Queue, lapin::Error> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await
}

// What lapin's own `connect_uri` does, with the socket kept and with a time limit: lapin has none.
async fn connect(uri: AMQPUri, name: &str, socket: Socket) -> Result<Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Connection::connector(
        uri,
        lapin::runtime::default_runtime()?,
        async move |uri: AMQPUri, runtime| {
            let connecting = async {
                let host = uri.authority.host.as_str();
                let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, uri.authority.port)).await?.collect();
                let stream = AsyncTcpStream::connect(&runtime, addresses).await?;
                if let AsyncTcpStream::Plain(plain) = &stream {
                    socket.keep(plain.get_ref().as_fd())?;
                }
                match uri.scheme {
                    AMQPScheme::AMQP => Ok(stream),
                    AMQPScheme::AMQPS => stream.into_tls(host, TLSConfig::default()).await,
                }
            };
            match timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(connected) => connected.map_err(lapin::Error::from),
                Err(_) => Err(lapin::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
            }
        },
        properties,
    )
    .await
}

/// Hangs up when the attempt to connect is given up: lapin's thread would wait for the broker's next word without end.
struct Attempt {
    socket: Socket,
    succeeded: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.succeeded {
            self.socket.hang_up();
        }
    }
}

/// A second handle of a connection's socket. Clones share it.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<SocketState>>);

#[derive(Default)]
enum SocketState {
    #[default]
    Connecting,
    Open(TcpStream),
    HungUp,
}

impl Socket {
    /// Remembers the socket of a connection that has just been made.
    fn keep(&self, socket: BorrowedFd<'_>) -> std::io::Result<()> {
        let handle = TcpStream::from(socket.try_clone_to_owned()?);
        let mut state = self.state();
        if matches!(*state, SocketState::HungUp) {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        *state = SocketState::Open(handle);
        Ok(())
    }

    /// Ends the connection for both sides, now or as soon as it is made.
    fn hang_up(&self) {
        if let SocketState::Open(handle) = std::mem::replace(&mut *self.state(), SocketState::HungUp) {
            // It may have ended before.
            let _ = handle.shutdown(Shutdown::Both);
        }
    }

    fn state(&self) -> MutexGuard<'_, SocketState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::AMQPError;

    use super::*;

    #[test]
    fn silence_and_an_internal_error_mean_a_broken_queue_and_others_do_not() {
        let told = |code| {
            let error = AMQPError::from_id(code, "as told".into()).expect("a code of AMQP");
            AmqpError::from(lapin::Error::from(ErrorKind::ProtocolError(error))).of_consuming()
        };
        assert!(matches!(told(INTERNAL_ERROR), AmqpError::Broken));
        assert!(matches!(AmqpError::Silent.of_consuming(), AmqpError::Broken));
        for code in [320, 404, 406] {
            assert!(matches!(told(code), AmqpError::Amqp(_)), "{code}");
        }
        assert!(matches!(AmqpError::Gone.of_consuming(), AmqpError::Gone));
    }
}
