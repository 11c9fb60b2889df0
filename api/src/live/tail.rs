//! The one reader of durable events in this process: in their order, below what is still open, each once, for all who listen.

use std::time::Duration;

use datagenie_common::{
    events::Point,
    store::{StoreError, events},
};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    hub::{Hub, PATIENCE, until},
    inbox::Told,
    wait::LOOK,
};

/// Durable events read at once: fewer than a reader's queue holds.
const PAGE: i64 = 200;
/// Between two reads: what is told of in quick succession is read together.
const GAP: Duration = Duration::from_millis(10);

/// Reads while somebody listens, until `stop`: when woken, and each second, which finds what nobody told of.
pub(super) async fn run(hub: Hub, stop: CancellationToken) {
    let mut tail = Tail { hub, position: None, wanted: 0, pause: GAP };
    let mut woken = true;
    loop {
        let began = Instant::now();
        let next = if tail.hub.has_listeners() {
            Some(began + tail.round(woken).await)
        } else {
            tail.position = None;
            None
        };
        woken = tokio::select! {
            () = tail.hub.woken() => true,
            () = until(next) => false,
            () = stop.cancelled() => return,
        };
        sleep_until(began + GAP).await;
    }
}

struct Tail {
    hub: Hub,
    /// All up to here was handed on; none while nobody listens.
    position: Option<Point>,
    /// What was told of is of a transaction before this one: once all before it are over, it has been read.
    wanted: u64,
    /// Until the next look while some of them are open.
    pause: Duration,
}

impl Tail {
    /// Reads a page and hands it on; how long to wait before the next one, if not woken.
    async fn round(&mut self, woken: bool) -> Duration {
        match timeout(PATIENCE, self.read(woken)).await {
            Ok(Ok(pause)) => pause,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "no look at the events");
                LOOK
            }
            Err(_) => {
                tracing::warn!("no look at the events: the database does not answer");
                LOOK
            }
        }
    }

    async fn read(&mut self, woken: bool) -> Result<Duration, StoreError> {
        let pool = self.hub.pool();
        let position = match self.position {
            Some(position) => position,
            None => events::now(pool).await?,
        };
        // Those who are let in get all that is read from here on.
        self.position = Some(position);
        let users = self.hub.let_join(position);
        let page = events::page(pool, users.as_deref(), position, PAGE).await?;
        self.hub.tell_durable(page.events.iter().filter_map(|(user, event)| Some((*user, Told::durable(event)?))).collect());
        self.position = Some(page.reached);
        if woken {
            self.wanted = page.newest;
            self.pause = GAP;
        }
        if page.full {
            return Ok(Duration::ZERO);
        }
        if page.oldest_open >= self.wanted {
            return Ok(LOOK);
        }
        // What woke us is not to be read yet, since an earlier transaction is still open: mostly for a moment.
        let pause = self.pause;
        self.pause = (pause * 2).min(LOOK);
        Ok(pause)
    }
}
