//! One look a second for all who wait for an end: it finds what nobody told of, as when Redis is away.

use std::collections::HashSet;

use datagenie_common::store::events;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    hub::{Hub, PATIENCE},
    wait::LOOK,
};

/// Looks while somebody waits, until `stop`.
pub(super) async fn run(hub: Hub, stop: CancellationToken) {
    loop {
        let (questions, jobs) = tokio::select! {
            awaited = hub.awaited() => awaited,
            () = stop.cancelled() => return,
        };
        look(&hub, &questions, &jobs).await;
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(hub: &Hub, questions: &[uuid::Uuid], jobs: &[uuid::Uuid]) {
    let pending = match timeout(PATIENCE, events::pending_among(hub.pool(), questions, jobs)).await {
        Ok(Ok(pending)) => pending,
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "no look at what is waited for");
            return;
        }
        Err(_) => {
            tracing::warn!("no look at what is waited for: the database does not answer");
            return;
        }
    };
    let mut ended: HashSet<uuid::Uuid> = questions.iter().chain(jobs).copied().collect();
    for id in pending {
        ended.remove(&id);
    }
    if !ended.is_empty() {
        hub.wake(&ended);
    }
}
