//! Looks again at connections that did not answer: nobody should have to press a button when a database is back.

use datagenie_common::{
    ids::{ConnectionId, JobId, UserId},
    jobs::{JobKind, LookAtConnection, PAYLOAD_VERSION},
    store::{
        Result, connections,
        ledger::{NewJob, intake},
    },
};

use crate::start::Scheduler;

/// Connections that one round takes at most.
const STEP: i64 = 100;
/// Seconds that a look has; the next one comes anyway.
const DEADLINE: f64 = 120.0;

/// One round.
///
/// # Errors
/// If the database fails.
pub async fn run(scheduler: &Scheduler) -> Result<()> {
    for (connection, user) in connections::to_look_at(&scheduler.pool, STEP).await? {
        look(scheduler, connection, user, JobKind::ProbeConnection).await?;
    }
    Ok(())
}

/// Makes a job that looks at a connection.
///
/// # Errors
/// If the database fails.
pub async fn look(scheduler: &Scheduler, connection_id: ConnectionId, user_id: UserId, kind: JobKind) -> Result<()> {
    let payload = LookAtConnection { v: PAYLOAD_VERSION, connection_id };
    let job = NewJob {
        id: JobId::new(),
        kind,
        user_id,
        connection_id: Some(connection_id),
        batch_id: None,
        subject_id: Some(connection_id.0),
        replay_of: None,
        deadline_seconds: DEADLINE,
        run_seconds: None,
        max_attempts: 1,
        payload: serde_json::json!(payload),
        traceparent: None,
    };
    let mut tx = scheduler.pool.begin().await?;
    intake::insert(&mut tx, &job).await?;
    tx.commit().await?;
    scheduler.dispatch.let_in(job.flow());
    Ok(())
}
