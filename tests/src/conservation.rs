//! What no fault may change: everything accepted ends, with one result and one terminal event, and costs no more attempts than it may.
//!
//! [`Asker`] submits questions through faults, [`EventReader`] hears their events through faults, and [`Conservation::of`] compares
//! both with the tables at the end. The database must be the test's own: every job in it is counted.

mod asker;
mod reader;
mod recovery;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::wait::DEADLINE;

pub use self::{
    asker::{Addresses, Asked, Asker, Plan},
    reader::{EventReader, Heard},
    recovery::{Recovery, Victims},
};

const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A look counts for no more: a machine that stands still for an hour and goes on has not waited for an hour.
const LONGEST_LOOK: Duration = Duration::from_secs(6);

/// What the tables say of everything that was accepted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Questions that were answered 202 or 200.
    pub accepted: u64,
    /// Those of them that are not stored.
    pub lost: u64,
    /// Questions that are stored; more than accepted where an answer got lost on its way.
    pub questions: u64,
    /// Questions with an answer.
    pub succeeded: u64,
    /// Questions that still wait for their end.
    pub pending: u64,
    /// Questions with an idempotency key that are stored more than once.
    pub stored_twice: u64,
    /// Answered questions without the answer.
    pub without_result: u64,
    /// Questions with more than one answer.
    pub doubled_results: u64,
    /// Questions that were not answered and have an answer nevertheless.
    pub stray_results: u64,
    /// Questions whose status is not that of their job.
    pub contradictions: u64,
    /// All jobs, those of connections included.
    pub jobs: u64,
    /// Jobs that are over.
    pub terminal: u64,
    /// Jobs that are not.
    pub open: u64,
    /// How the first ten of these stand.
    pub left: Vec<serde_json::Value>,
    /// Jobs that count as running or hold a lease, and are not over.
    pub leases: u64,
    /// Jobs that ended without a terminal event.
    pub without_event: u64,
    /// Jobs with more than one.
    pub doubled_events: u64,
    /// Jobs with one that is not of their state, or before their end.
    pub wrong_events: u64,
    /// Jobs that cost more attempts than they may.
    pub overspent: u64,
    /// Jobs that ended in more than one of their attempts.
    pub doubled_ends: u64,
    /// All attempts that are over.
    pub attempts: u64,
    /// Those whose lease ran out.
    pub crashes: u64,
    /// Jobs that are dead.
    pub dead: u64,
}

const STANDING: &str = "
WITH accepted AS (
    SELECT DISTINCT unnest($1::uuid[]) AS id
), asked AS (
    SELECT q.status, j.state, (SELECT count(*) FROM analysis_results r WHERE r.query_history_id = q.id) AS results
    FROM query_history q LEFT JOIN jobs j ON j.id = q.job_id
), told AS (
    SELECT j.state, j.finished_at, count(e.id) AS events, coalesce(bool_and(e.type LIKE '%.' || j.state), true) AS fits
    FROM jobs j LEFT JOIN events e ON e.job_id = j.id GROUP BY j.id
), tried AS (
    SELECT j.attempt, j.max_attempts,
           count(*) FILTER (WHERE a.outcome IN ('succeeded', 'failed', 'retry', 'crashed')) AS spent,
           count(*) FILTER (WHERE a.outcome IN ('succeeded', 'failed', 'cancelled')) AS ends
    FROM jobs j LEFT JOIN job_attempts a ON a.job_id = j.id GROUP BY j.id
)
SELECT jsonb_build_object(
    'accepted', (SELECT count(*) FROM accepted),
    'lost', (SELECT count(*) FROM accepted a WHERE NOT EXISTS (SELECT FROM query_history q WHERE q.id = a.id)),
    'questions', (SELECT count(*) FROM asked),
    'succeeded', (SELECT count(*) FROM asked WHERE status = 'success'),
    'pending', (SELECT count(*) FROM asked WHERE status = 'pending'),
    'stored_twice', (SELECT count(*) FROM (SELECT FROM query_history WHERE question LIKE '%' || $2 GROUP BY question HAVING count(*) > 1) d),
    'without_result', (SELECT count(*) FROM asked WHERE status = 'success' AND results = 0),
    'doubled_results', (SELECT count(*) FROM asked WHERE results > 1),
    'stray_results', (SELECT count(*) FROM asked WHERE status <> 'success' AND results > 0),
    'contradictions', (SELECT count(*) FROM asked WHERE state IS NULL OR (status = 'success') <> (state = 'succeeded')
        OR (status = 'cancelled') <> (state = 'cancelled') OR (status IN ('error', 'timeout')) <> (state = 'failed')),
    'jobs', (SELECT count(*) FROM jobs),
    'terminal', (SELECT count(*) FROM jobs WHERE state IN ('succeeded', 'failed', 'cancelled')),
    'open', (SELECT count(*) FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')),
    'left', (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM (
        SELECT id, lane, state, attempt, crashes, worker, stage, run_at, rung_at, claimed_at, lease_until, deadline, dg_now() AS now, error,
            (SELECT jsonb_object_agg(outcome, tries) FROM (
                SELECT outcome, count(*) AS tries FROM job_attempts a WHERE a.job_id = jobs.id GROUP BY outcome) o) AS tries
        FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') ORDER BY id LIMIT 10) l),
    'leases', (SELECT count(*) FROM jobs WHERE finished_at IS NULL AND (state = 'running' OR lease_id IS NOT NULL)),
    'without_event', (SELECT count(*) FROM told WHERE finished_at IS NOT NULL AND events = 0),
    'doubled_events', (SELECT count(*) FROM told WHERE events > 1),
    'wrong_events', (SELECT count(*) FROM told WHERE NOT fits OR (finished_at IS NULL AND events > 0)),
    'overspent', (SELECT count(*) FROM tried WHERE attempt > max_attempts OR spent > max_attempts),
    'doubled_ends', (SELECT count(*) FROM tried WHERE ends > 1),
    'attempts', (SELECT count(*) FROM job_attempts),
    'crashes', (SELECT count(*) FROM job_attempts WHERE outcome = 'crashed'),
    'dead', (SELECT count(*) FROM jobs WHERE dead))";

impl Standing {
    /// Counts. Questions whose text ends with [`Asker::KEYED`] are those with an idempotency key.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn of(pool: &PgPool, accepted: &[Uuid]) -> Result<Self, sqlx::Error> {
        let counted: serde_json::Value = sqlx::query_scalar(STANDING).bind(accepted).bind(Asker::KEYED).fetch_one(pool).await?;
        serde_json::from_value(counted).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }

    /// Waits until every job is over, at most so long while the machine runs, and counts. What is not over then is among the counts.
    ///
    /// # Errors
    /// If the database does not answer in the end.
    pub async fn settled(pool: &PgPool, accepted: &[Uuid], limit: Duration) -> Result<Self, sqlx::Error> {
        let mut left = limit;
        loop {
            let began = Instant::now();
            let open: Result<i64, sqlx::Error> =
                sqlx::query_scalar("SELECT count(*) FROM jobs WHERE finished_at IS NULL").fetch_one(pool).await;
            if matches!(open, Ok(0)) || left.is_zero() {
                return Self::of(pool, accepted).await;
            }
            sleep(LOOK_AGAIN).await;
            left = left.saturating_sub(began.elapsed().min(LONGEST_LOOK));
        }
    }

    /// What is not as it must be, each with its count.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let counts = [
            ("accepted questions are not stored", self.lost),
            ("questions have no end", self.pending),
            ("questions with a key are stored twice", self.stored_twice),
            ("answered questions have no result", self.without_result),
            ("questions have two results", self.doubled_results),
            ("questions that failed have a result", self.stray_results),
            ("questions and their jobs contradict each other", self.contradictions),
            ("jobs are not over", self.open),
            ("leases are left", self.leases),
            ("jobs have no terminal event", self.without_event),
            ("jobs have two terminal events", self.doubled_events),
            ("jobs have a wrong terminal event", self.wrong_events),
            ("jobs cost more attempts than they may", self.overspent),
            ("jobs ended twice", self.doubled_ends),
            ("jobs are over or not and both are counted", self.jobs.abs_diff(self.terminal + self.open)),
        ];
        counts.into_iter().filter(|&(_, count)| count > 0).map(|(what, count)| format!("{count} {what}")).collect()
    }
}

/// The whole account: what was asked, what the tables say, what was heard.
#[derive(Clone, Debug, Serialize)]
pub struct Conservation {
    /// What the clients were told.
    pub asked: Asked,
    /// What is stored.
    pub standing: Standing,
    /// What a reader of the event stream got.
    pub heard: Heard,
}

impl Conservation {
    /// Waits for the end of everything, at most so long, and compares.
    ///
    /// # Errors
    /// If the database does not answer in the end.
    pub async fn of(pool: &PgPool, asked: Asked, reader: EventReader, limit: Duration) -> Result<Self, sqlx::Error> {
        let standing = Standing::settled(pool, &asked.ids, limit).await?;
        let heard = reader.compare(pool, DEADLINE).await?;
        Ok(Self { asked, standing, heard })
    }

    /// What is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.asked.faults();
        faults.extend(self.standing.faults());
        faults.extend(self.heard.faults());
        if self.asked.accepted != self.standing.accepted {
            faults.push(format!("{} answers of 202 name {} questions", self.asked.accepted, self.standing.accepted));
        }
        // Without a key, a question whose answer got lost was asked once more; nothing else may be stored that was not accepted.
        let surplus = self.standing.questions.saturating_sub(self.standing.accepted);
        if surplus > self.asked.unknown {
            faults.push(format!("{surplus} questions are stored that nobody was told of, {} answers got lost", self.asked.unknown));
        }
        faults
    }

    /// Checks that nothing was lost and nothing happened twice.
    ///
    /// # Panics
    /// With every fault and all counts.
    #[track_caller]
    pub fn assert(&self) {
        let faults = self.faults();
        assert!(faults.is_empty(), "{}\n{self:#?}", faults.join("\n"));
    }

    /// The same, and every question was answered.
    ///
    /// # Panics
    /// With every fault and all counts.
    #[track_caller]
    pub fn assert_all_answered(&self) {
        self.assert();
        assert_eq!(self.standing.succeeded, self.standing.questions, "every question is answered\n{self:#?}");
    }
}
