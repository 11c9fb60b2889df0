//! The leases of this process: one statement at a time asks for what is wanted, renews what is held, and gives back what is not needed
//! or what others want. Nothing is asked while nothing is held or wanted.

use std::{collections::HashMap, time::Duration};

use datagenie_common::store::{
    StoreError,
    capacity::{self, Ask, Others, Standing},
};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{Capacity, TICK, units::Plan};

/// Time to give everything back at the end.
const FAREWELL: Duration = Duration::from_secs(2);

impl Capacity {
    /// Leases units and keeps them until `stop`, then gives everything back.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut next_tick = Instant::now();
        let mut is_away = false;
        loop {
            let is_idle = self.lock().is_empty();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = sleep_until(next_tick), if !is_idle => {}
                () = stop.cancelled() => break,
            }
            let tick = Instant::now() >= next_tick;
            if tick {
                next_tick = Instant::now() + TICK;
            }
            match self.round(tick).await {
                Ok(()) => is_away = false,
                Err(error) => {
                    if !is_away {
                        tracing::warn!(error = %error, "capacity can't be leased; what is held is used until its leases run out");
                    }
                    is_away = true;
                    // What failed is asked again with the next tick, not at once.
                    tokio::select! {
                        () = sleep_until(next_tick) => {}
                        () = stop.cancelled() => break,
                    }
                }
            }
        }
        self.give_back().await;
    }

    async fn round(&self, tick: bool) -> Result<(), StoreError> {
        let (asks, looks) = self.plans(tick);
        if !asks.is_empty() {
            let sent = Instant::now();
            let shared = &self.shared;
            let settling = capacity::settle(&shared.pool, &shared.instance, &asks, shared.lease.as_secs_f64());
            let standings = self.in_time(settling).await?;
            self.settled(&asks, standings, sent);
        }
        if !looks.is_empty() {
            let looking = capacity::look(&self.shared.pool, &self.shared.instance, &looks);
            let others = self.in_time(looking).await?;
            self.looked(&others);
        }
        Ok(())
    }

    async fn in_time<T>(&self, statement: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match timeout(self.shared.lease / 4, statement).await {
            Ok(answered) => answered,
            Err(_elapsed) => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
        }
    }

    fn plans(&self, tick: bool) -> (Vec<Ask>, Vec<String>) {
        let (mut asks, mut looks) = (Vec::new(), Vec::new());
        let now = Instant::now();
        self.lock().retain(|resource, units| {
            match units.plan(resource.name(), now, tick) {
                Plan::Settle(ask) => asks.push(ask),
                Plan::Look => looks.push(resource.name().to_owned()),
                Plan::Nothing => {}
            }
            !units.is_over()
        });
        (asks, looks)
    }

    fn settled(&self, asks: &[Ask], standings: Vec<Standing>, sent: Instant) {
        let mut standings: HashMap<String, Standing> =
            standings.into_iter().map(|standing| (standing.resource.clone(), standing)).collect();
        let asks: HashMap<&str, &Ask> = asks.iter().map(|ask| (ask.resource.as_str(), ask)).collect();
        let now = Instant::now();
        let mut is_urgent = false;
        self.lock().retain(|resource, units| {
            if let (Some(ask), Some(standing)) = (asks.get(resource.name()), standings.remove(resource.name())) {
                units.settled(ask, standing.held, standing.others, sent, self.shared.lease, now);
                is_urgent |= units.is_urgent(now);
            }
            !units.is_over()
        });
        // Those who came while the statement ran.
        if is_urgent {
            self.shared.wake.notify_one();
        }
    }

    fn looked(&self, others: &[(String, Others)]) {
        let others: HashMap<&str, Others> = others.iter().map(|(name, others)| (name.as_str(), *others)).collect();
        let now = Instant::now();
        let mut is_urgent = false;
        for (resource, units) in self.lock().iter_mut() {
            if let Some(others) = others.get(resource.name()) {
                units.looked(*others, now);
                is_urgent |= units.is_urgent(now);
            }
        }
        // Units that are idle and wanted elsewhere.
        if is_urgent {
            self.shared.wake.notify_one();
        }
    }

    async fn give_back(&self) {
        let given = timeout(FAREWELL, capacity::give_back(&self.shared.pool, &self.shared.instance)).await;
        if !matches!(given, Ok(Ok(()))) {
            tracing::warn!("capacity could not be given back; its leases run out by themselves");
        }
    }
}
