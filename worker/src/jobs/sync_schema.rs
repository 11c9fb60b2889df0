//! Reads a connection's schema again, and profiles what has changed or was profiled a day ago. What a sync finds out about the connection
//! (gone, no longer read-only) holds as a probe's does.

use datagenie_common::{jobs::LookAtConnection, model::jobs::JobError, store::ledger::Outcome};

use super::probe_connection;
use crate::run::Context;

/// One attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    let payload: LookAtConnection = context.payload()?;
    probe_connection::look(context, &payload).await
}
