//! Cancelling what one connection runs, by a short stream of its own, which is no session and takes none of the server's places.

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{error::WireError, target::Target};

/// The server knows what to cancel by a key that is the session's own, so it can't hit another session.
#[derive(Clone, Copy)]
pub struct Canceller {
    pub(super) process: i32,
    pub(super) secret: i32,
    pub(super) is_secured: bool,
}

impl Canceller {
    /// Asks once. When this is over, the server has passed it on to the session, which may have been between two statements and then
    /// does not listen.
    pub async fn cancel(self, target: &Target) -> Result<(), WireError> {
        let mut stream = target.reach_again(self.is_secured).await?.stream;
        let mut request = BytesMut::new();
        frontend::cancel_request(self.process, self.secret, &mut request);
        stream.write_all(&request).await?;
        stream.flush().await?;
        // It answers by hanging up, be it rudely.
        let _ = stream.read(&mut [0]).await;
        Ok(())
    }
}
