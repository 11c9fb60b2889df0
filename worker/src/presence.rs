//! Tells the fleet that this process is there: what it serves, whether it takes jobs, how many it has under way.

use std::{collections::BTreeMap, time::Duration};

use datagenie_common::{
    model::jobs::Lane,
    store::workers::{self, LaneSlots, Presence, WorkerState},
};
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often it tells.
const EVERY: Duration = Duration::from_secs(2);
/// How long the database may take for it; the next time comes anyway.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where Linux keeps the machine's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// What this process tells of itself, to begin with.
#[must_use]
pub fn of_this_process(instance: &str, lanes: BTreeMap<Lane, LaneSlots>) -> Presence {
    Presence {
        instance: instance.to_owned(),
        host: host_name(),
        pid: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        lanes,
        state: WorkerState::Up,
        running: 0,
    }
}

fn host_name() -> String {
    let told = std::fs::read_to_string(HOST_NAME).or_else(|_| std::env::var("HOSTNAME"));
    told.ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// Tells of this process every two seconds, and at once that it drains when `draining` is cancelled; takes it off the list when `stop`
/// is. `running` counts the attempts under way. What can't be told now is told the next time: nothing waits for it.
pub async fn keep(
    pool: PgPool,
    mut presence: Presence,
    running: impl Fn() -> usize + Send + Sync,
    draining: CancellationToken,
    stop: CancellationToken,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = draining.cancelled(), if presence.state == WorkerState::Up => presence.state = WorkerState::Draining,
            _ = ticks.tick() => {}
        }
        presence.running = i32::try_from(running()).unwrap_or(i32::MAX);
        // Not broken off by a stop: it could arrive after the leave.
        tell(&pool, &presence).await;
    }
    match timeout(PATIENCE, workers::leave(&pool, &presence.instance)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "this worker stays on the list of workers for a while"),
        Err(_) => tracing::debug!("this worker stays on the list of workers for a while: the database does not answer"),
    }
}

async fn tell(pool: &PgPool, presence: &Presence) {
    match timeout(PATIENCE, workers::tell(pool, presence)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "the presence of this worker is not told; trying again"),
        Err(_) => tracing::debug!("the presence of this worker is not told in time; trying again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_who_and_where_it_is() {
        let lanes = BTreeMap::from([(Lane::Bulk, LaneSlots { slots: 4, share: 3 })]);
        let presence = of_this_process("worker-1", lanes);
        assert_eq!((presence.instance.as_str(), presence.state, presence.running), ("worker-1", WorkerState::Up, 0));
        assert!(presence.pid > 0 && !presence.host.is_empty() && !presence.version.is_empty());
        assert_eq!(serde_json::json!(presence.lanes), serde_json::json!({ "bulk": { "slots": 4, "share": 3 } }));
    }
}
