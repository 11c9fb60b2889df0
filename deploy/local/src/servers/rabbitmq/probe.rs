//! Whether a node answers to AMQP.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The header by which a client of AMQP 0-9-1 begins.
const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// Type and channel of the first frame: a method (1) on channel 0, `connection.start`.
const START: [u8; 3] = [1, 0, 0];

/// Begins a handshake and reads the beginning of the answer. A node listens only once everything else is up.
///
/// # Errors
/// What the connection gave, or that the answer is not AMQP's.
pub(super) async fn greet(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(&HEADER).await?;
    let mut answer = [0_u8; 3];
    stream.read_exact(&mut answer).await?;
    if answer == START { Ok(()) } else { Err(io::Error::other(format!("{answer:?} is no answer of AMQP 0-9-1"))) }
}
