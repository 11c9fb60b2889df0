//! Closes the sources of connections that were changed, switched off or deleted: nobody need ask again for their sessions to go.

use std::{sync::Arc, time::Duration};

use datagenie_common::store::connections;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::env::Env;

/// How often it is looked after, while any source is open.
const EVERY: Duration = Duration::from_secs(2);
/// How long the look may take; the next one comes anyway.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks until `stop` is cancelled.
pub async fn keep(env: Arc<Env>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        look(&env).await;
    }
}

async fn look(env: &Env) {
    let open = env.sources.versions();
    if open.is_empty() {
        return;
    }
    let ids: Vec<_> = open.iter().map(|(id, _)| *id).collect();
    let current = match timeout(PATIENCE, connections::config_versions(&env.pool, &ids)).await {
        Ok(Ok(current)) => current,
        // What is not known to be withdrawn stays.
        Ok(Err(error)) => return tracing::debug!(error = %error, "open sources are not compared with their connections; trying again"),
        Err(_) => return tracing::debug!("open sources are not compared with their connections in time; trying again"),
    };
    for (id, version) in open {
        // A newer configuration than the one that was open may be in use by the next statement already: only the old one is closed.
        if current.get(&id) != Some(&version) {
            env.sources.forget(id, version).await;
        }
    }
}
