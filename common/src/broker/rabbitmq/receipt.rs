//! What is owed to RabbitMQ for a message: an acknowledgement when its slot is freed, on the connection that brought it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt;
use lapin::{
    Acker,
    options::{BasicAckOptions, BasicNackOptions},
};
use tokio::time::timeout;

use super::link::Link;
use crate::broker::Receipt;

/// How long a message's settlement may take.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Gives a message to somebody else.
pub(super) const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };

/// What can't be settled comes again, to somebody who finds nothing to claim.
pub(super) async fn settled(call: impl Future<Output = Result<bool, lapin::Error>>) {
    match timeout(SETTLE_TIMEOUT, call).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "a message was not settled"),
        Err(_) => tracing::debug!("a message was not settled in time"),
    }
}

/// The receipt of one message. It keeps the connection, on which alone the message can be settled.
pub(super) struct DeliveryReceipt {
    link: Arc<Link>,
    acker: Acker,
    open: bool,
}

impl DeliveryReceipt {
    /// Counts the message among what the connection owes.
    pub(super) fn new(link: Arc<Link>, acker: Acker) -> Self {
        link.owe();
        Self { link, acker, open: true }
    }

    /// True once.
    fn close(&mut self) -> bool {
        let open = std::mem::take(&mut self.open);
        if open {
            self.link.settle();
        }
        open
    }
}

#[async_trait]
impl Receipt for DeliveryReceipt {
    // The prefetch counts what is not acknowledged: acknowledged now, the next message would come while this one's slot is taken.
    async fn decided(&mut self) {}

    async fn freed(&mut self) {
        if self.close() {
            settled(self.acker.ack(BasicAckOptions::default())).await;
        }
    }

    async fn put_back(&mut self) {
        if self.close() {
            settled(self.acker.nack(REQUEUE)).await;
        }
    }
}

impl Drop for DeliveryReceipt {
    fn drop(&mut self) {
        if self.close() {
            // Polled once, lapin has it in its queue; if it does not get as far as the broker, the connection's end does the same.
            let _ = self.acker.nack(REQUEUE).now_or_never();
        }
    }
}
