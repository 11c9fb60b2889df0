//! RabbitMQ under a test's hands: the one node of the whole run, a namespace of the test's own, and a proxy that breaks connections.

use std::{net::ToSocketAddrs, time::Duration};

use datagenie_common::model::jobs::Lane;
use datagenie_tests::{Proxy, amqp_url, word};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions},
    uri::AMQPUri,
};
use tokio::time::timeout;

/// A namespace on the node, and the proxy before it. Dropping it deletes the namespace's queues.
pub struct TestRabbit {
    direct: AMQPUri,
    url: String,
    namespace: String,
    proxy: Proxy,
}

impl TestRabbit {
    pub async fn start() -> Self {
        let direct: AMQPUri = amqp_url().parse().expect("the URL is one of RabbitMQ");
        let mut addresses = (direct.authority.host.as_str(), direct.authority.port).to_socket_addrs().expect("the node's host is known");
        let proxy = Proxy::start(addresses.next().expect("the node has an address")).await;
        let mut through = direct.clone();
        through.authority.host = proxy.address().ip().to_string();
        through.authority.port = proxy.address().port();
        Self { direct, url: through.to_string(), namespace: format!("dg-{}", word()), proxy }
    }

    /// Where it is, through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Publishes bodies into a lane's queue, past the proxy.
    pub async fn publish(&self, lane: Lane, bodies: &[&[u8]]) {
        let connection = connect(&self.direct).await;
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms are given");
        for body in bodies {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let queue = queue(&self.namespace, lane);
            let published = channel.basic_publish("".into(), queue.into(), options, body, BasicProperties::default()).await;
            let confirmed = published.expect("a foreign message is sent").await.expect("a foreign message is confirmed");
            assert!(confirmed.is_ack() && confirmed.take_message().is_none(), "a foreign message is taken");
        }
        connection.close(200, "OK".into()).await.expect("a connection closes");
    }

    /// Deletes all queues of the namespace.
    pub async fn wipe(&self) {
        delete_queues(&self.direct, &self.namespace).await;
    }
}

impl Drop for TestRabbit {
    fn drop(&mut self) {
        let (direct, namespace) = (self.direct.clone(), self.namespace.clone());
        // A destructor can't await, and the test's runtime may be ending: a thread with one of its own does it.
        let deleting = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else { return };
            let _ = runtime.block_on(async { timeout(Duration::from_secs(5), delete_queues(&direct, &namespace)).await });
            runtime.shutdown_background();
        });
        let _ = deleting.join();
    }
}

// How the RabbitMQ broker names its things: a test that plays a stranger must know it.
fn queue(namespace: &str, lane: Lane) -> String {
    format!("{namespace}.lane.{lane}")
}

async fn connect(uri: &AMQPUri) -> Connection {
    Box::pin(Connection::connect_uri(uri.clone(), ConnectionProperties::default())).await.expect("RabbitMQ answers")
}

async fn delete_queues(uri: &AMQPUri, namespace: &str) {
    let connection = connect(uri).await;
    let channel = connection.create_channel().await.expect("a channel");
    for &lane in Lane::ALL {
        // RabbitMQ counts the deletion of what is not there as done.
        let deleted = channel.queue_delete(queue(namespace, lane).into(), QueueDeleteOptions::default()).await;
        deleted.expect("a queue is deleted");
    }
    connection.close(200, "OK".into()).await.expect("a connection closes");
}
