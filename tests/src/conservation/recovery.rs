//! How soon the jobs of a killed worker run again, by the clock of PostgreSQL alone.

use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

/// A job that a worker held when it was killed.
#[derive(Clone, Debug)]
struct Victim {
    job: Uuid,
    lease: Uuid,
    // Seconds since 1970, as PostgreSQL counts.
    killed_at: f64,
    lease_until: f64,
    // Crashes before this one: the first is put back at once, later ones after a backoff.
    crashes: i16,
}

/// All jobs that killed workers held.
#[derive(Clone, Debug, Default)]
pub struct Victims(Vec<Victim>);

/// How the victims of kills fared.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Recovery {
    /// Jobs whose lease ran out with a kill.
    pub crashed: u64,
    /// Those of them for which it was the first time.
    pub first_crashes: u64,
    /// Those of the first that have run again or ended.
    pub recovered: u64,
    /// The longest time from the end of a lease to the next attempt's begin, in seconds; of first crashes.
    pub worst_after_lease: f64,
    /// The longest time from a kill to the next attempt's begin, in seconds; likewise.
    pub worst_after_kill: f64,
}

impl Victims {
    /// Adds what the worker process of this id holds; call it once it is dead: its leases then are what they will be.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn add(&mut self, pool: &PgPool, pid: u32) -> Result<usize, sqlx::Error> {
        // A worker is called worker-PID-WORD, see `boot::instance`.
        let rows: Vec<(Uuid, Uuid, f64, f64, i16)> = sqlx::query_as(
            "SELECT id, lease_id, extract(epoch FROM dg_now())::float8, extract(epoch FROM lease_until)::float8, crashes
             FROM jobs WHERE state = 'running' AND worker LIKE 'worker-' || $1 || '-%'",
        )
        .bind(pid.to_string())
        .fetch_all(pool)
        .await?;
        let held = rows.len();
        self.0.extend(rows.into_iter().map(|(job, lease, killed_at, lease_until, crashes)| Victim {
            job,
            lease,
            killed_at,
            lease_until,
            crashes,
        }));
        Ok(held)
    }

    /// How many jobs were held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads from the tables how they fared.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn recovery(&self, pool: &PgPool) -> Result<Recovery, sqlx::Error> {
        let jobs: Vec<Uuid> = self.0.iter().map(|victim| victim.job).collect();
        let leases: Vec<Uuid> = self.0.iter().map(|victim| victim.lease).collect();
        // An attempt begins after the rescue, and that comes after the end of the lease; a millisecond is for rounding.
        let ends: Vec<f64> = self.0.iter().map(|victim| victim.lease_until - 0.001).collect();
        let rows: Vec<(i64, Option<String>, Option<f64>)> = sqlx::query_as(
            "SELECT v.number,
                    (SELECT a.outcome FROM job_attempts a WHERE a.job_id = v.job AND a.lease_id = v.lease),
                    extract(epoch FROM least(
                        (SELECT min(a.started_at) FROM job_attempts a
                         WHERE a.job_id = v.job AND a.lease_id <> v.lease AND a.started_at >= to_timestamp(v.until)),
                        (SELECT j.claimed_at FROM jobs j WHERE j.id = v.job AND j.claimed_at >= to_timestamp(v.until))))::float8
             FROM unnest($1::uuid[], $2::uuid[], $3::float8[]) WITH ORDINALITY AS v(job, lease, until, number) ORDER BY v.number",
        )
        .bind(&jobs)
        .bind(&leases)
        .bind(&ends)
        .fetch_all(pool)
        .await?;
        let mut recovery = Recovery::default();
        for (victim, (_, outcome, again)) in self.0.iter().zip(rows) {
            // Its end was on its way when it was killed.
            if outcome.as_deref() != Some("crashed") {
                continue;
            }
            recovery.crashed += 1;
            if victim.crashes > 0 {
                continue;
            }
            recovery.first_crashes += 1;
            if let Some(again) = again {
                recovery.recovered += 1;
                recovery.worst_after_lease = recovery.worst_after_lease.max(again - victim.lease_until);
                recovery.worst_after_kill = recovery.worst_after_kill.max(again - victim.killed_at);
            }
        }
        Ok(recovery)
    }
}
