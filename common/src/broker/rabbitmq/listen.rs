//! One lane's listener on RabbitMQ: a connection, a channel and a consumer of its own, made again whenever they break.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::SelectAll};
use lapin::{
    Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeleteOptions},
    types::FieldTable,
    uri::AMQPUri,
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    link::{AmqpError, Link, REDECLARE_PAUSE, declare},
    message,
    receipt::{DeliveryReceipt, REQUEUE, settled},
};
use crate::{
    broker::{Bell, Pulse, Receipt},
    model::jobs::Lane,
};

/// How often the connection is looked at while nothing comes.
const LOOK: Duration = Duration::from_secs(2);
/// How long the broker may take for what a listener asks of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long leaving in order may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
const SHORTEST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// A connection that stood so long was a good one.
const STOOD: Duration = Duration::from_secs(10);
/// After so long without any message the connection is made anew: a consumer that RabbitMQ has lost looks like an idle one
/// ([`REDECLARE_PAUSE`]).
const STALE: Duration = Duration::from_secs(30);
/// A queue that can't be consumed from so often in a row, while its server answers, stays broken.
const BROKEN_AFTER: u32 = 3;
/// How long deleting a broken queue may take. RabbitMQ waits five seconds for what is left of it.
const DELETE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a listener has nothing more to do on a connection that stands.
enum End {
    /// It is to stop.
    Over,
    /// Nothing has come for long.
    Stale,
}

/// A listener.
pub(super) struct Ear {
    pub(super) uri: AMQPUri,
    pub(super) name: String,
    pub(super) lane: Lane,
    pub(super) queue: String,
    pub(super) slots: Arc<Semaphore>,
    pub(super) bells: mpsc::Sender<Bell>,
    pub(super) pulse: Arc<Pulse>,
}

impl Ear {
    /// Hears until `stop`, or until nobody takes bells any more.
    pub(super) async fn listen(&self, stop: &CancellationToken) {
        let mut backoff = SHORTEST_BACKOFF;
        let mut broken = 0;
        loop {
            let began = Instant::now();
            let connected = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.bells.closed() => return,
                connected = self.connect() => connected,
            };
            let error = match connected {
                Ok(link) => match self.hear(&link, stop).await {
                    Ok(End::Over) => return,
                    Ok(End::Stale) => {
                        backoff = SHORTEST_BACKOFF;
                        continue;
                    }
                    Err(error) => {
                        // All that is unsettled goes to others at once, also what waits unheard in our memory.
                        link.hang_up();
                        error
                    }
                },
                Err(error) => error,
            };
            tracing::warn!(lane = %self.lane, error = %error, "lost the lane's queue; connecting again");
            if began.elapsed() > STOOD {
                backoff = SHORTEST_BACKOFF;
            }
            broken = if matches!(error, AmqpError::Broken) { broken + 1 } else { 0 };
            let deleted = broken >= BROKEN_AFTER;
            if deleted {
                broken = 0;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.delete_queue() => {}
                }
            }
            let pause = if deleted || matches!(error, AmqpError::Cancelled) { REDECLARE_PAUSE.max(backoff) } else { backoff };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
            }
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
    }

    /// Deletes the lane's own queue, which the next attempt declares again. A crash of the server can leave one that can be looked at
    /// and not heard, also after restarts; the bells in it are lost either way, and the sweep rings again for their jobs.
    async fn delete_queue(&self) {
        tracing::warn!(queue = self.queue, attempts = BROKEN_AFTER, "the lane's queue is broken; it is deleted and made anew");
        let deleting = async {
            let link = Link::open(&self.uri, &self.name).await?;
            within(DELETE_TIMEOUT, link.channel().queue_delete(self.queue.as_str().into(), QueueDeleteOptions::default())).await
        };
        if let Err(error) = deleting.await {
            tracing::warn!(queue = self.queue, error = %error, "the broken queue was not deleted");
        }
    }

    async fn connect(&self) -> Result<Arc<Link>, AmqpError> {
        let link = Link::open(&self.uri, &self.name).await?;
        within(PATIENCE, declare(link.channel(), &self.queue)).await?;
        Ok(Arc::new(link))
    }

    /// Takes deliveries until the connection breaks (an error), or it is to end.
    async fn hear(&self, link: &Arc<Link>, stop: &CancellationToken) -> Result<End, AmqpError> {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // After a break the slots may be full of work that an earlier connection brought.
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(End::Over),
                () = self.bells.closed() => return Ok(End::Over),
                _ = looks.tick() => self.look(link)?,
                _ = self.slots.acquire() => break,
            }
        }
        let mut room = self.room(link).max(1);
        let mut prefetch = room;
        let mut consumers = SelectAll::new();
        consumers.push(self.consume(link, prefetch).await?);
        let (mut opened, mut busy) = (1, Instant::now());
        self.pulse.beat();
        let end = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break End::Over,
                () = self.bells.closed() => break End::Over,
                _ = looks.tick() => {
                    self.look(link)?;
                    if consumers.len() < opened {
                        // One that was cancelled leaves the set without a word.
                        return Err(AmqpError::Cancelled);
                    }
                    if link.unsettled() > 0 {
                        busy = Instant::now();
                    } else if busy.elapsed() > STALE {
                        break End::Stale;
                    }
                    // Only what was there twice: a slot and what is owed for it are not freed in the same instant.
                    let before = std::mem::replace(&mut room, self.room(link));
                    let lasting = room.min(before);
                    if lasting > prefetch {
                        // A consumer's prefetch can't be changed. One more for the difference keeps the sum exact.
                        consumers.push(self.consume(link, lasting - prefetch).await?);
                        prefetch = lasting;
                        opened += 1;
                    }
                    continue;
                }
                next = consumers.next() => next,
            };
            let delivery = next.ok_or(AmqpError::Cancelled)??;
            self.pulse.beat();
            busy = Instant::now();
            if !self.deliver(link, delivery, stop).await {
                break End::Over;
            }
        };
        self.leave(link, consumers).await;
        Ok(end)
    }

    fn look(&self, link: &Link) -> Result<(), AmqpError> {
        if !link.is_connected() {
            return Err(AmqpError::Gone);
        }
        self.pulse.beat();
        Ok(())
    }

    /// How many messages may be ours at once on this connection: as many as there are slots that no other connection's work holds.
    fn room(&self, link: &Link) -> usize {
        self.slots.available_permits() + link.unsettled()
    }

    async fn consume(&self, link: &Link, prefetch: usize) -> Result<Consumer, AmqpError> {
        // 0 would be without limit.
        let prefetch = u16::try_from(prefetch.max(1)).unwrap_or(u16::MAX);
        within(PATIENCE, async {
            link.channel().basic_qos(prefetch, BasicQosOptions::default()).await?;
            // The server names the consumer.
            link.channel().basic_consume(self.queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await
        })
        .await
        .map_err(AmqpError::of_consuming)
    }

    /// Hands a message on; false: the listener is to end.
    async fn deliver(&self, link: &Arc<Link>, delivery: Delivery, stop: &CancellationToken) -> bool {
        let Some(message) = message::decode(&delivery.data) else {
            tracing::warn!(queue = self.queue, bytes = delivery.data.len(), "a message that is not ours was dropped");
            settled(delivery.acker.ack(BasicAckOptions::default())).await;
            return true;
        };
        let mut receipt = DeliveryReceipt::new(link.clone(), delivery.acker);
        let slot = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            slot = self.slots.clone().acquire_owned() => slot.ok(),
        };
        let Some(slot) = slot else {
            receipt.put_back().await;
            return false;
        };
        // A bell that nobody takes is dropped, and goes back by that.
        self.bells.send(Bell { message, receipt: Box::new(receipt), slot }).await.is_ok()
    }

    /// Ends in order. What was heard before keeps the connection until it is settled.
    async fn leave(&self, link: &Link, consumers: SelectAll<Consumer>) {
        if !matches!(timeout(LEAVE_TIMEOUT, give_back(link, consumers)).await, Ok(Ok(()))) {
            tracing::debug!(lane = %self.lane, "the broker did not answer the leave-taking");
            link.hang_up();
        }
    }
}

/// Ends the consumers and gives back what came and was not looked at.
async fn give_back(link: &Link, mut consumers: SelectAll<Consumer>) -> Result<(), lapin::Error> {
    let tags: Vec<_> = consumers.iter().map(Consumer::tag).collect();
    for tag in tags {
        link.channel().basic_cancel(tag, BasicCancelOptions::default()).await?;
    }
    while let Some(delivery) = consumers.next().await {
        delivery?.acker.nack(REQUEUE).await?;
    }
    Ok(())
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, AmqpError> {
    Ok(timeout(limit, call).await.map_err(|_| AmqpError::Silent)??)
}
