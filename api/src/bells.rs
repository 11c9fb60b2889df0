//! Rings after a commit, without keeping anybody waiting: what comes together goes in one pipeline.

use std::sync::Arc;

use datagenie_common::{
    broker::{Broker, ring_or_leave},
    lifecycle,
    store::ledger::Ring,
};
use tokio::sync::mpsc;

/// Batches of bells that may wait for the broker.
const WAITING: usize = 8192;
/// Batches rung in one pipeline.
const PIPELINE: usize = 512;

/// The way to the broker.
#[derive(Clone)]
pub struct Bells {
    queue: mpsc::Sender<Vec<Ring>>,
}

impl Bells {
    /// Starts the ringer; it ends with the last handle.
    #[must_use]
    pub fn start(broker: Arc<dyn Broker>) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Vec<Ring>>(WAITING);
        lifecycle::spawn("bells.ring", async move {
            let mut batches = Vec::new();
            while waiting.recv_many(&mut batches, PIPELINE).await > 0 {
                let rings: Vec<Ring> = batches.drain(..).flatten().collect();
                ring_or_leave(broker.as_ref(), &rings).await;
            }
        });
        Self { queue }
    }

    /// Rings soon; what can't be taken is left to the sweep.
    pub fn ring(&self, rings: Vec<Ring>) {
        if self.queue.try_send(rings).is_err() {
            metrics::counter!("datagenie_rings_total", "outcome" => "left_to_sweep").increment(1);
        }
    }
}
