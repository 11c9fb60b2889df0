//! Every kind of job in one table: how long an attempt may take, how retries are spaced, and what runs it.

use std::time::Duration;

use datagenie_common::{
    jobs::JobKind,
    model::jobs::{JobError, Lane},
    settings::Settings,
    store::{ledger::Outcome, workers::LaneSlots},
};

use crate::{jobs, run::Context};

/// The rules of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// An attempt that takes longer is stopped, and counts.
    pub timeout: Duration,
    /// Wait before the second attempt; doubled before each further one.
    pub backoff: Duration,
    /// The longest wait.
    pub longest_backoff: Duration,
}

impl Rules {
    /// The wait after so many attempts, from 1; with `jitter` (0 to 1) up to half as much more, never less.
    #[must_use]
    pub fn wait(&self, attempts: u32, jitter: f64) -> Duration {
        let doubled = self.backoff.saturating_mul(1_u32 << attempts.saturating_sub(1).min(10));
        let wait = doubled.min(self.longest_backoff);
        wait.mul_f64(1.0 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

/// The rules of a kind.
#[must_use]
pub fn rules(kind: JobKind) -> Rules {
    match kind {
        JobKind::AnswerQuestion | JobKind::AnalyseFile => {
            Rules { timeout: Duration::from_secs(600), backoff: Duration::from_secs(1), longest_backoff: Duration::from_secs(15) }
        }
        JobKind::ProbeConnection | JobKind::SyncSchema => {
            Rules { timeout: Duration::from_secs(300), backoff: Duration::from_secs(5), longest_backoff: Duration::from_secs(60) }
        }
        // The handler names its waits itself, by the schedule of webhooks: these are shorter than the shortest of those.
        JobKind::DeliverWebhook => {
            Rules { timeout: Duration::from_secs(60), backoff: Duration::from_secs(3), longest_backoff: Duration::from_secs(3) }
        }
    }
}

/// What this process offers a lane.
#[must_use]
pub fn slots(settings: &Settings, lane: Lane) -> LaneSlots {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let all = |count: usize| LaneSlots { slots: number(count), share: number(count) };
    // Nobody holds the last fifth: somebody else's job finds a slot, however much one user asks and however slow his webhooks' targets are.
    // While it is free, slots go on with their owners' next jobs.
    let shared = |share: usize| LaneSlots { slots: number(share + share.div_ceil(4)), share: number(share) };
    match lane {
        Lane::Interactive => shared(settings.worker.concurrency),
        // No slot goes on without a bell: a batch whose budget is spent is stopped a moment after the end that spent it.
        Lane::Bulk => all(settings.worker.bulk_concurrency),
        Lane::Maintenance => all(settings.worker.maintenance_concurrency),
        Lane::Webhook => shared(settings.worker.webhook_concurrency),
    }
}

/// Runs one attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    match context.job.kind {
        JobKind::AnswerQuestion => jobs::answer_question::run(context).await,
        JobKind::ProbeConnection => jobs::probe_connection::run(context).await,
        JobKind::SyncSchema => jobs::sync_schema::run(context).await,
        JobKind::AnalyseFile => jobs::analyse_file::run(context).await,
        JobKind::DeliverWebhook => jobs::deliver_webhook::run(context).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_never_shorter_than_asked() {
        let rules = rules(JobKind::AnswerQuestion);
        let waits: Vec<u64> = (1..=6).map(|n| rules.wait(n, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
        assert_eq!(rules.wait(1, 1.0), Duration::from_millis(1500));
        assert_eq!(rules.wait(u32::MAX, 0.0), rules.longest_backoff);
    }

    #[test]
    fn waits_of_deliveries_are_those_of_their_own_schedule() {
        let rules = rules(JobKind::DeliverWebhook);
        assert!((1..10).all(|attempts| rules.wait(attempts, 1.0) < crate::webhooks::schedule::wait(1, 0.0)));
    }
}
