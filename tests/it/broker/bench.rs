//! A broker's server under the test's hands, and listeners on it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use datagenie_common::{
    broker::{self, Bell, Broker, Pulse},
    ids::JobId,
    jobs::JobKind,
    lifecycle,
    model::jobs::Lane,
    store::ledger::Ring,
};
use datagenie_local::with_servers::TempFolder;
use datagenie_tests::{DEADLINE, TestRedis, until};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::rabbitmq::TestRabbit;

/// The server of a broker.
pub enum Bench {
    /// On a folder of its own. The order of the fields is that of their end.
    Redis { redis: TestRedis, _folder: TempFolder },
    /// A namespace of the node that all tests share.
    RabbitMq(TestRabbit),
}

// How the Redis broker names its things: a test that plays a stranger must know it.
const GROUP: &str = "workers";
const NAMESPACE: &str = "suite";

fn stream(lane: Lane) -> String {
    format!("{NAMESPACE}:lane:{lane}")
}

impl Bench {
    /// Redis Streams.
    pub async fn redis() -> Self {
        let folder = TempFolder::new("broker").expect("a temporary folder");
        let redis = TestRedis::start(folder.path()).await;
        Self::Redis { redis, _folder: folder }
    }

    /// RabbitMQ. The queues are there when it is given: making them takes longer than a ring may.
    pub async fn rabbitmq() -> Self {
        let bench = Self::RabbitMq(TestRabbit::start().await);
        bench.connected().await;
        bench
    }

    /// A broker that has its connection: connecting on a busy machine must not be what a ring has no time for.
    pub async fn connected(&self) -> Arc<dyn Broker> {
        let broker = self.open();
        until(|| async { broker.depth(Lane::Interactive).await.ok() }, "the broker answers").await;
        broker
    }

    /// A broker as one process opens it, without a connection yet.
    pub fn open(&self) -> Arc<dyn Broker> {
        self.open_with("")
    }

    /// The same with something added to the URL.
    pub fn open_with(&self, parameters: &str) -> Arc<dyn Broker> {
        let (url, namespace) = match self {
            Self::Redis { redis, .. } => (redis.url(), NAMESPACE),
            Self::RabbitMq(rabbit) => (rabbit.url(), rabbit.namespace()),
        };
        broker::open(&format!("{url}{parameters}"), namespace, "test").expect("the URL is one of ours")
    }

    /// Puts messages into a lane that no program of ours writes.
    pub async fn foreign_messages(&self, lane: Lane) {
        match self {
            Self::Redis { redis, .. } => foreign_entries(redis, lane).await,
            Self::RabbitMq(rabbit) => {
                let bodies: [&[u8]; 5] = [
                    b"",
                    b"hello world",
                    br#"{"j":"no id","k":"answer_question"}"#,
                    br#"{"j":"0190c6a8-0000-7000-8000-000000000001","k":"paint_the_fence"}"#,
                    br#"{"k":"answer_question"}"#,
                ];
                rabbit.publish(lane, &bodies).await;
            }
        }
    }

    /// Lets so much time pass for the messages that were heard and not decided that their listeners count as dead. RabbitMQ needs
    /// none: it gives them to others when their connection ends, or they are given back.
    pub async fn let_time_pass(&self, lane: Lane) {
        let Self::Redis { redis, .. } = self else { return };
        let pending = pending(redis, lane).await;
        assert!(!pending.is_empty(), "nothing is undecided");
        let mut connection = redis.connect().await;
        for (id, consumer, _, _) in pending {
            let mut claim = redis::cmd("XCLAIM");
            claim.arg(stream(lane)).arg(GROUP).arg(consumer).arg(0).arg(id).arg("IDLE").arg(3_600_000).arg("JUSTID");
            claim.exec_async(&mut connection).await.expect("a message is made old");
        }
    }

    /// How many messages of a Redis stream are in some reader's hands, be it a dead one's.
    pub async fn undecided(&self, lane: Lane) -> usize {
        let Self::Redis { redis, .. } = self else { panic!("only Redis tells") };
        pending(redis, lane).await.len()
    }

    /// Reads a message of a Redis stream in the name of its one listener: as a read of its own does whose answer it never gets.
    pub async fn read_unseen(&self, lane: Lane) {
        let Self::Redis { redis, .. } = self else { panic!("only Redis has readers with names") };
        let mut connection = redis.connect().await;
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(stream(lane)).arg(GROUP);
        let mut consumers: Vec<HashMap<String, redis::Value>> =
            command.query_async(&mut connection).await.expect("the consumers are listed");
        let name = consumers.pop().and_then(|mut consumer| consumer.remove("name")).expect("there is a consumer");
        assert!(consumers.is_empty(), "there is one");
        let name: String = redis::from_redis_value(name).expect("a name");
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(name).arg("COUNT").arg(1).arg("STREAMS").arg(stream(lane)).arg(">");
        let read: redis::Value = command.query_async(&mut connection).await.expect("it reads");
        assert!(!matches!(read, redis::Value::Nil), "there was nothing to read");
    }

    /// Ends the connections of those who listened through them, as the death of their processes does. Redis does not care.
    pub fn cut(&self) {
        if let Self::RabbitMq(rabbit) = self {
            rabbit.proxy().cut();
        }
    }

    /// Takes the server away at once.
    pub fn kill(&self) {
        match self {
            Self::Redis { redis, .. } => redis.kill(),
            Self::RabbitMq(rabbit) => rabbit.proxy().refuse(),
        }
    }

    /// Has it there again; what it held may be gone.
    pub async fn restart(&self) {
        match self {
            Self::Redis { redis, .. } => redis.restart().await,
            Self::RabbitMq(rabbit) => rabbit.proxy().allow(),
        }
    }

    /// Removes all that it holds while it runs.
    pub async fn wipe(&self) {
        match self {
            Self::Redis { redis, .. } => {
                let mut connection = redis.connect().await;
                redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("it is wiped");
            }
            Self::RabbitMq(rabbit) => rabbit.wipe().await,
        }
    }

    /// Lets it stand still: connections stay open, nothing is answered.
    pub fn pause(&self) {
        match self {
            Self::Redis { redis, .. } => redis.pause(),
            Self::RabbitMq(rabbit) => rabbit.proxy().stall(),
        }
    }

    /// Lets it go on.
    pub fn resume(&self) {
        match self {
            Self::Redis { redis, .. } => redis.resume(),
            Self::RabbitMq(rabbit) => rabbit.proxy().resume(),
        }
    }
}

/// Messages that were read and not acknowledged: id, reader, for how long, how often.
async fn pending(redis: &TestRedis, lane: Lane) -> Vec<(String, String, u64, u64)> {
    let mut command = redis::cmd("XPENDING");
    command.arg(stream(lane)).arg(GROUP).arg("-").arg("+").arg(100);
    command.query_async(&mut redis.connect().await).await.expect("the pending messages are listed")
}

async fn foreign_entries(redis: &TestRedis, lane: Lane) {
    let mut connection = redis.connect().await;
    let fields: [&[(&[u8], &[u8])]; 5] = [
        &[(b"hello", b"world")],
        &[(b"j", b"no id"), (b"k", b"answer_question")],
        &[(b"j", b"0190c6a8-0000-7000-8000-000000000001"), (b"k", b"paint_the_fence")],
        &[(b"k", b"answer_question")],
        &[(&[0xff, 0xfe], &[0xfd])],
    ];
    for message in fields {
        let mut add = redis::cmd("XADD");
        add.arg(stream(lane)).arg("*").arg(message);
        add.exec_async(&mut connection).await.expect("a foreign message is added");
    }
}

/// A bell for a new job.
pub fn ring(lane: Lane) -> Ring {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    Ring { job_id: JobId::new(), kind: JobKind::AnswerQuestion, lane, traceparent: Some(traceparent) }
}

/// Rings until the broker takes it: the first try after an outage may find a broken connection.
pub async fn ring_until_taken(broker: &Arc<dyn Broker>, rings: &[Ring]) {
    until(|| async { broker.ring(rings).await.ok() }, "the broker takes a ring").await;
}

/// What the job runner does for a bell whose job is done, or for which there was none to claim.
pub async fn settle(mut bell: Bell) {
    bell.receipt.decided().await;
    bell.receipt.freed().await;
}

/// Somebody who hears a lane.
pub struct Listener {
    bells: mpsc::Receiver<Bell>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    /// Hears a lane with so many slots.
    pub fn new(broker: &Arc<dyn Broker>, lane: Lane, slots: usize) -> Self {
        let (sender, bells) = mpsc::channel(slots);
        let stop = CancellationToken::new();
        let slots = Arc::new(Semaphore::new(slots));
        let pulse = Arc::new(Pulse::new(slots.clone()));
        let (broker, beating, stopped) = (broker.clone(), pulse.clone(), stop.clone());
        let task = lifecycle::spawn("test.listen", async move { broker.listen(lane, slots, sender, beating, stopped).await });
        Self { bells, pulse, stop, task }
    }

    /// Waits until it is known that it fetches, or that it does not. It lives at least every two seconds.
    pub async fn fetches(&self, wanted: bool) {
        let known = || async { (self.pulse.is_fetching(Duration::from_millis(2500)) == wanted).then_some(()) };
        until(known, if wanted { "the listener fetches" } else { "the listener is known not to fetch" }).await;
    }

    /// Whether it fetches, for somebody who is content with a sign of life `within` that time.
    pub fn is_fetching(&self, within: Duration) -> bool {
        self.pulse.is_fetching(within)
    }

    /// The next bell.
    pub async fn hear(&mut self) -> Bell {
        timeout(DEADLINE, self.bells.recv()).await.expect("a bell is heard in time").expect("the listener listens")
    }

    /// Hears and settles bells until one of this job comes: after an outage others may come before it, or it may come twice.
    pub async fn hear_of(&mut self, job: JobId) -> Bell {
        loop {
            let bell = self.hear().await;
            if bell.message.job_id == job {
                return bell;
            }
            settle(bell).await;
        }
    }

    /// Stops it in order.
    pub async fn stop(self) -> mpsc::Receiver<Bell> {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("it ends in time").expect("it does not panic");
        self.bells
    }

    /// Ends it as a crash would.
    pub fn crash(self) {
        self.task.abort();
    }

    /// Takes no more bells; ends when the listener has found out.
    pub async fn turn_away(self) {
        drop(self.bells);
        timeout(DEADLINE, self.task).await.expect("it ends in time").expect("it does not panic");
    }
}
