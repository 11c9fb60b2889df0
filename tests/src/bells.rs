//! The messages of a broker under a test's hands: copied, doubled, put out of their order, wiped, strangers put among them. Only the
//! lane of questions; what a message says is not looked at.

use anyhow::Context;
use datagenie_common::model::jobs::Lane;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

const LANE: Lane = Lane::Interactive;

/// A message as it lay in the broker.
#[derive(Clone)]
pub enum Copied {
    /// Names and values of a stream's entry.
    Redis(Vec<String>),
    /// What a queue's message held.
    Rabbitmq(Vec<u8>, Box<BasicProperties>),
}

/// A broker's messages. It has no `Debug`: the URL may hold a password.
#[derive(Clone)]
pub struct Bells {
    url: String,
    namespace: String,
}

impl Bells {
    /// Those of the broker at this URL, with the setting `broker.namespace` of the programs.
    #[must_use]
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { url: url.into(), namespace: namespace.into() }
    }

    fn is_redis(&self) -> bool {
        self.url.starts_with("redis")
    }

    fn stream(&self) -> String {
        format!("{}:lane:{LANE}", self.namespace)
    }

    fn queue(&self, lane: Lane) -> String {
        format!("{}.lane.{lane}", self.namespace)
    }

    async fn redis(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.url.as_str()).context("the URL of Redis")?;
        client.get_multiplexed_async_connection().await.context("Redis does not answer")
    }

    async fn rabbitmq(&self) -> anyhow::Result<(Connection, Channel)> {
        let connection =
            Box::pin(Connection::connect(&self.url, ConnectionProperties::default())).await.context("RabbitMQ does not answer")?;
        let channel = connection.create_channel().await.context("a channel of RabbitMQ")?;
        Ok((connection, channel))
    }

    /// How many messages wait to be heard.
    ///
    /// # Errors
    /// If the broker does not answer, or has no such lane.
    pub async fn waiting(&self) -> anyhow::Result<u64> {
        if self.is_redis() {
            return Ok(redis::cmd("XLEN").arg(self.stream()).query_async(&mut self.redis().await?).await?);
        }
        let (connection, channel) = self.rabbitmq().await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(self.queue(LANE).into(), passive, FieldTable::default()).await?;
        let count = u64::from(queue.message_count());
        close(&connection).await;
        Ok(count)
    }

    /// Copies of all messages that wait; they stay where they are. Nobody may listen meanwhile.
    ///
    /// # Errors
    /// If the broker does not answer, or has no such lane.
    pub async fn copies(&self) -> anyhow::Result<Vec<Copied>> {
        if self.is_redis() {
            let mut redis = self.redis().await?;
            let entries: Vec<(String, Vec<String>)> =
                redis::cmd("XRANGE").arg(self.stream()).arg("-").arg("+").query_async(&mut redis).await?;
            return Ok(entries.into_iter().map(|(_, fields)| Copied::Redis(fields)).collect());
        }
        let (connection, channel) = self.rabbitmq().await?;
        let mut copies = Vec::new();
        // Not acknowledged: the end of the connection puts them back.
        while let Some(message) = channel.basic_get(self.queue(LANE).into(), BasicGetOptions::default()).await? {
            copies.push(Copied::Rabbitmq(message.delivery.data.clone(), Box::new(message.delivery.properties.clone())));
        }
        close(&connection).await;
        Ok(copies)
    }

    /// Puts messages into the lane, in this order.
    ///
    /// # Errors
    /// If the broker does not take them.
    pub async fn put(&self, copies: &[Copied]) -> anyhow::Result<()> {
        if self.is_redis() {
            let mut redis = self.redis().await?;
            for copy in copies {
                let Copied::Redis(fields) = copy else { anyhow::bail!("a message of another broker") };
                redis::cmd("XADD").arg(self.stream()).arg("*").arg(fields).exec_async(&mut redis).await?;
            }
            return Ok(());
        }
        let (connection, channel) = self.rabbitmq().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        for copy in copies {
            let Copied::Rabbitmq(data, properties) = copy else { anyhow::bail!("a message of another broker") };
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish("".into(), self.queue(LANE).into(), options, data, properties.as_ref().clone()).await?;
            anyhow::ensure!(sent.await?.is_ack(), "a message was not taken");
        }
        close(&connection).await;
        Ok(())
    }

    /// Puts messages into the lane that no program of ours writes.
    ///
    /// # Errors
    /// If the broker does not take them.
    pub async fn put_strangers(&self) -> anyhow::Result<()> {
        let id = uuid::Uuid::now_v7().to_string();
        let texts = ["", "hello", "{\"j\":1}", "[]", "\u{0}\u{1}", id.as_str()];
        let strangers = texts.map(|text| {
            if self.is_redis() {
                Copied::Redis(vec!["j".to_owned(), text.to_owned(), "k".to_owned(), "paint_the_fence".to_owned()])
            } else {
                Copied::Rabbitmq(text.as_bytes().to_vec(), Box::default())
            }
        });
        self.put(&strangers).await
    }

    /// Removes all that the broker holds, the lanes themselves included.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub async fn wipe(&self) -> anyhow::Result<()> {
        if self.is_redis() {
            redis::cmd("FLUSHALL").exec_async(&mut self.redis().await?).await?;
            return Ok(());
        }
        let (connection, channel) = self.rabbitmq().await?;
        for &lane in Lane::ALL {
            // One that is not there counts as deleted.
            channel.queue_delete(self.queue(lane).into(), QueueDeleteOptions::default()).await?;
        }
        close(&connection).await;
        Ok(())
    }
}

/// In order, so that what was published is there and what was not acknowledged is back.
async fn close(connection: &Connection) {
    let _ = connection.close(200, "done".into()).await;
}
