//! Ringing and counting over RabbitMQ: one connection, opened when it is needed and again after it failed.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use lapin::{
    BasicProperties, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    uri::AMQPUri,
};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{
    link::{AmqpError, Link, REDECLARE_PAUSE, declare},
    message, queue,
};
use crate::{lifecycle, model::jobs::Lane, store::ledger::Ring};

/// How long a ring may take before it is left to the sweep.
const RING_TIMEOUT: Duration = Duration::from_millis(1000);
/// How long declaring the queues may take. The first time in the life of a broker takes longer than a ring may.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(10);
/// Written to disk before it is confirmed.
const PERSISTENT: u8 = 2;

/// Publishes to the queues of a namespace. Any number of calls share its connection.
pub(super) struct Publisher {
    uri: AMQPUri,
    name: String,
    namespace: String,
    link: Arc<Mutex<Option<Arc<Link>>>>,
    // Held while queues that were gone are declared again.
    declaring: Arc<Mutex<()>>,
}

impl Publisher {
    /// Does not connect yet.
    pub(super) fn new(uri: AMQPUri, name: String, namespace: String) -> Self {
        Self { uri, name, namespace, link: Arc::default(), declaring: Arc::default() }
    }

    /// Publishes all and waits for all confirms, for [`RING_TIMEOUT`] at most.
    pub(super) async fn ring(&self, rings: &[Ring]) -> Result<(), AmqpError> {
        let mut used = None;
        let calling = async {
            let link = self.link().await?;
            used = Some(link.clone());
            self.publish(&link, rings).await
        };
        let called = timeout(RING_TIMEOUT, calling).await.unwrap_or(Err(AmqpError::Silent));
        judged(called, used)
    }

    /// Messages in a lane's queue that are with no consumer.
    pub(super) async fn depth(&self, lane: Lane) -> Result<u64, AmqpError> {
        let mut used = None;
        let calling = async {
            let link = self.link().await?;
            used = Some(link.clone());
            Ok::<_, AmqpError>(link.count(&queue(&self.namespace, lane)).await?)
        };
        let called = timeout(RING_TIMEOUT, calling).await;
        // A queue that is slow to be counted is no reason to break the connection under the rings: those judge it for themselves.
        called.map_or(Err(AmqpError::Silent), |called| judged(called, used))
    }

    async fn publish(&self, link: &Arc<Link>, rings: &[Ring]) -> Result<(), AmqpError> {
        let publish = |ring: &Ring| {
            let (queue, body) = (queue(&self.namespace, ring.lane), message::encode(ring));
            async move {
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_content_type("application/json".into());
                let confirm = link.channel().basic_publish("".into(), queue.into(), options, &body, properties).await?;
                confirm.await
            }
        };
        let (mut returned, mut refused) = (false, false);
        let publishing: Vec<_> = rings.iter().map(publish).collect();
        for confirmation in join_all(publishing).await {
            match confirmation? {
                Confirmation::Ack(None) => {}
                // Which of several calls at the same time gets to know it is open: lapin does not match returns with messages. The
                // sweep rings again for the one that was told nothing.
                Confirmation::Ack(Some(_)) => returned = true,
                Confirmation::Nack(_) | Confirmation::NotRequested => refused = true,
            }
        }
        if returned {
            self.declare_later(link);
            return Err(AmqpError::Returned);
        }
        if refused { Err(AmqpError::Refused) } else { Ok(()) }
    }

    /// Declares the queues again, of which one was gone, when everybody who heard it has been told.
    fn declare_later(&self, link: &Arc<Link>) {
        let Ok(declaring) = self.declaring.clone().try_lock_owned() else { return };
        let (link, namespace) = (link.clone(), self.namespace.clone());
        lifecycle::spawn("amqp.declare", async move {
            sleep(REDECLARE_PAUSE).await;
            let declared = timeout(SET_UP_TIMEOUT, declare_all(&link, &namespace)).await;
            if !matches!(declared, Ok(Ok(()))) {
                // The next connection begins by declaring them.
                link.fail();
            }
            drop(declaring);
        });
    }

    /// The connection; made if there is none that stands.
    async fn link(&self) -> Result<Arc<Link>, AmqpError> {
        let mut kept = self.link.clone().lock_owned().await;
        if let Some(link) = kept.as_ref().filter(|link| link.is_connected()) {
            return Ok(link.clone());
        }
        let (uri, name, namespace) = (self.uri.clone(), self.name.clone(), self.namespace.clone());
        // In a task of its own, which ends what a ring has no time to wait for: the next one finds it open.
        let opening = lifecycle::spawn("amqp.open", async move {
            *kept = None;
            let link = Arc::new(Link::open(&uri, &name).await?);
            let set_up = async {
                link.channel().confirm_select(ConfirmSelectOptions::default()).await?;
                declare_all(&link, &namespace).await
            };
            timeout(SET_UP_TIMEOUT, set_up).await.map_err(|_| AmqpError::Silent)??;
            *kept = Some(link.clone());
            Ok::<_, AmqpError>(link)
        });
        opening.await.map_err(|_| AmqpError::Gone)?
    }
}

/// A link on which a call failed, or got no answer, is not used again.
fn judged<T>(called: Result<T, AmqpError>, used: Option<Arc<Link>>) -> Result<T, AmqpError> {
    if let Err(AmqpError::Amqp(_) | AmqpError::Silent) = &called
        && let Some(link) = used
    {
        link.fail();
    }
    called
}

async fn declare_all(link: &Link, namespace: &str) -> Result<(), AmqpError> {
    for &lane in Lane::ALL {
        declare(link.channel(), &queue(namespace, lane)).await?;
    }
    Ok(())
}
