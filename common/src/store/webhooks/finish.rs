//! Deliveries that worked, many in one commit: they end by the thousand a second. It writes exactly what
//! [`finish`](crate::store::ledger::finish::finish) writes for one, fenced the same way.

use sqlx::PgExecutor;
use uuid::Uuid;

use super::Attempt;
use crate::{
    model::jobs::JobState,
    store::{
        Result,
        ledger::{Claimed, finish::Ended, finish_many::Written},
    },
};

/// A delivery that worked.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The attempt's job.
    pub job: &'a Claimed,
    /// What came of it.
    pub attempt: &'a Attempt,
}

/// Writes the ends of deliveries in one commit; one answer for each, in their order.
///
/// # Errors
/// If the database fails: then none is written; send them one by one.
pub async fn delivered_many(executor: impl PgExecutor<'_>, ends: &[Delivered<'_>]) -> Result<Vec<Written>> {
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<Uuid> = ends.iter().map(|end| end.job.lease.job_id.0).collect();
    let leases: Vec<Uuid> = ends.iter().map(|end| end.job.lease.lease_id.0).collect();
    let durations: Vec<i32> = ends.iter().map(|end| end.attempt.duration_ms).collect();
    let statuses: Vec<Option<i16>> = ends.iter().map(|end| end.attempt.status_code).collect();
    let rows = sqlx::query!(
        r#"WITH input AS (
               SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::int4[], $4::int2[]) AS t(job_id, lease_id, duration_ms, status_code)
           ), ended AS (
               UPDATE jobs SET state = 'succeeded', in_flight = NULL, finished_at = dg_now(), error = NULL, dead = false, stage = NULL,
                   progress = NULL
               FROM input i WHERE jobs.id = i.job_id AND jobs.lease_id = i.lease_id AND jobs.state = 'running'
               RETURNING jobs.id, jobs.lane, jobs.user_id, jobs.subject_id, jobs.lease_id, jobs.attempt, jobs.worker, jobs.claimed_at,
                   i.duration_ms, i.status_code
           ), noted AS (
               INSERT INTO job_attempts (job_id, lease_id, attempt, worker, started_at, outcome)
               SELECT e.id, e.lease_id, e.attempt, e.worker, coalesce(e.claimed_at, dg_now()), 'succeeded' FROM ended e
               ON CONFLICT (job_id, lease_id) DO NOTHING
           ), taken AS (
               -- Of what a replay has taken over meanwhile only the attempt is noted.
               UPDATE webhook_deliveries d SET state = CASE WHEN d.job_id = e.id THEN 'delivered' ELSE d.state END,
                   finished_at = CASE WHEN d.job_id = e.id THEN dg_now() ELSE d.finished_at END
               FROM ended e WHERE d.id = e.subject_id
               RETURNING d.id, d.endpoint_id, e.id AS job_id, e.lease_id, e.attempt, e.duration_ms, e.status_code
           ), tried AS (
               INSERT INTO webhook_attempts (delivery_id, lease_id, job_id, attempt, started_at, duration_ms, status_code)
               SELECT t.id, t.lease_id, t.job_id, t.attempt, dg_now() - t.duration_ms * interval '1 millisecond', t.duration_ms, t.status_code
               FROM taken t
               ON CONFLICT (delivery_id, lease_id) DO NOTHING
           ), sound AS (
               UPDATE webhook_endpoints w SET failing_since = NULL
               FROM (SELECT DISTINCT endpoint_id FROM taken) t WHERE w.id = t.endpoint_id AND w.failing_since IS NOT NULL
           ), owners AS (
               -- Target by target, since most that waits is not due: retries of what is away.
               SELECT user_id, (
                   WITH RECURSIVE targets(target) AS (
                       (SELECT coalesce(w.batch_id, w.user_id) FROM jobs w WHERE NOT w.in_flight AND w.lane = o.lane AND w.user_id = o.user_id
                        ORDER BY coalesce(w.batch_id, w.user_id) LIMIT 1)
                       UNION ALL
                       SELECT (SELECT coalesce(w.batch_id, w.user_id) FROM jobs w WHERE NOT w.in_flight AND w.lane = o.lane
                                   AND w.user_id = o.user_id AND coalesce(w.batch_id, w.user_id) > targets.target
                               ORDER BY coalesce(w.batch_id, w.user_id) LIMIT 1)
                       FROM targets WHERE targets.target IS NOT NULL
                   )
                   SELECT true FROM targets t WHERE t.target IS NOT NULL
                       AND (SELECT true FROM jobs w WHERE NOT w.in_flight AND w.lane = o.lane AND w.user_id = o.user_id
                                AND coalesce(w.batch_id, w.user_id) = t.target AND w.run_at <= dg_now() LIMIT 1) LIMIT 1) IS NOT NULL AS more
               FROM (SELECT DISTINCT user_id, lane FROM ended) o
           )
           SELECT e.id AS "id!", o.more AS "more!" FROM ended e JOIN owners o ON o.user_id = e.user_id"#,
        &jobs,
        &leases,
        &durations,
        &statuses as &[Option<i16>]
    )
    .fetch_all(executor)
    .await?;
    let written = ends.iter().map(|end| {
        let id = end.job.lease.job_id;
        let row = rows.iter().find(|row| row.id == id.0);
        row.map_or(Written::NotRunning, |row| {
            let subject = end.job.subject_id.unwrap_or(id.0).to_string();
            let ended = Ended { job_id: id, user_id: end.job.user_id, subject, state: JobState::Succeeded, tells_webhooks: false };
            Written::Ended { ended, more_wait: row.more }
        })
    });
    Ok(written.collect())
}
