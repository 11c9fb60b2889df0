//! A broker's server under the test's hands, and listeners on it.

use std::sync::Arc;

use datagenie_common::{
    broker::{self, Bell, Broker},
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

/// The server of a broker, on a folder of its own. The order of the fields is that of their end.
pub struct Bench {
    server: Server,
    _folder: TempFolder,
}

enum Server {
    Redis(TestRedis),
}

// How the Redis broker names its things: a test that plays a stranger must know it.
const GROUP: &str = "workers";

fn stream(lane: Lane) -> String {
    format!("datagenie:lane:{lane}")
}

impl Bench {
    /// Redis Streams.
    pub async fn redis() -> Self {
        let folder = TempFolder::new("broker").expect("a temporary folder");
        let redis = TestRedis::start(folder.path()).await;
        Self { server: Server::Redis(redis), _folder: folder }
    }

    /// A broker as one process opens it.
    pub fn open(&self) -> Arc<dyn Broker> {
        let Server::Redis(redis) = &self.server;
        broker::open(redis.url(), "test").expect("the URL is one of ours")
    }

    /// Puts messages into a lane that no program of ours writes.
    pub async fn foreign_messages(&self, lane: Lane) {
        let Server::Redis(redis) = &self.server;
        let mut connection = redis.connect().await;
        let fields: [&[(&str, &str)]; 4] = [
            &[("hello", "world")],
            &[("j", "no id"), ("k", "answer_question")],
            &[("j", "0190c6a8-0000-7000-8000-000000000001"), ("k", "paint_the_fence")],
            &[("k", "answer_question")],
        ];
        for message in fields {
            redis::cmd("XADD")
                .arg(stream(lane))
                .arg("*")
                .arg(message)
                .exec_async(&mut connection)
                .await
                .expect("a foreign message is added");
        }
    }

    /// Lets so much time pass for the messages that were heard and not decided that their listeners count as dead.
    pub async fn let_time_pass(&self, lane: Lane) {
        let Server::Redis(redis) = &self.server;
        let mut connection = redis.connect().await;
        let pending: Vec<(String, String, u64, u64)> = redis::cmd("XPENDING")
            .arg(stream(lane))
            .arg(GROUP)
            .arg("-")
            .arg("+")
            .arg(100)
            .query_async(&mut connection)
            .await
            .expect("the pending messages are listed");
        assert!(!pending.is_empty(), "nothing is undecided");
        for (id, consumer, _, _) in pending {
            let mut claim = redis::cmd("XCLAIM");
            claim.arg(stream(lane)).arg(GROUP).arg(consumer).arg(0).arg(id).arg("IDLE").arg(3_600_000).arg("JUSTID");
            claim.exec_async(&mut connection).await.expect("a message is made old");
        }
    }

    /// Stops the server at once.
    pub fn kill(&self) {
        let Server::Redis(redis) = &self.server;
        redis.kill();
    }

    /// Starts it again; what it held may be gone.
    pub async fn restart(&self) {
        let Server::Redis(redis) = &self.server;
        redis.restart().await;
    }

    /// Removes all that it holds while it runs.
    pub async fn wipe(&self) {
        let Server::Redis(redis) = &self.server;
        let mut connection = redis.connect().await;
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("it is wiped");
    }

    /// Lets it stand still: connections stay open, nothing is answered.
    pub fn pause(&self) {
        let Server::Redis(redis) = &self.server;
        redis.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        let Server::Redis(redis) = &self.server;
        redis.resume();
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

/// Somebody who hears a lane.
pub struct Listener {
    bells: mpsc::Receiver<Bell>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    /// Hears a lane with so many slots.
    pub fn new(broker: &Arc<dyn Broker>, lane: Lane, slots: usize) -> Self {
        let (sender, bells) = mpsc::channel(slots);
        let stop = CancellationToken::new();
        let (broker, stopped) = (broker.clone(), stop.clone());
        let task =
            lifecycle::spawn("test.listen", async move { broker.listen(lane, Arc::new(Semaphore::new(slots)), sender, stopped).await });
        Self { bells, stop, task }
    }

    /// The next bell.
    pub async fn hear(&mut self) -> Bell {
        timeout(DEADLINE, self.bells.recv()).await.expect("a bell is heard in time").expect("the listener listens")
    }

    /// Hears and decides bells until one of this job comes: after an outage others may come before it, or it may come twice.
    pub async fn hear_of(&mut self, job: JobId) -> Bell {
        loop {
            let mut bell = self.hear().await;
            if bell.message.job_id == job {
                return bell;
            }
            bell.receipt.decided().await;
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
