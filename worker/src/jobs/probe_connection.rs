//! Looks at a connection: does it answer, can its role only read, what does it hold, what looks personal in it. Ends with the connection
//! `ready`, `refused` or `unreachable`; also what `POST …/test` runs.

use std::time::Duration;

use datagenie_common::{
    ids::ConnectionId,
    jobs::LookAtConnection,
    model::{
        connections::ConnectionState,
        jobs::JobError,
        policies::ColumnMask,
        questions::{Failure, FailureCode, Stage},
        schemas::SourceSchema,
    },
    store::{
        connections::{self, Found, Target},
        ledger::Outcome,
        permissions,
    },
};
use tokio::time::Instant;

use crate::{
    profile::{self, ProfileLimits, proposals},
    question::{failures, target},
    registry,
    run::Context,
    sources::{SchemaLimits, Source, SourceError},
};

/// What an attempt keeps of its time for the commit of a large catalogue.
const FOR_THE_END: Duration = Duration::from_secs(15);

/// One attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    let payload: LookAtConnection = context.payload()?;
    look(context, &payload).await
}

/// Probes the connection, reads its catalogue and profiles its tables.
pub(super) async fn look(context: &Context, payload: &LookAtConnection) -> Result<Outcome, JobError> {
    let began = Instant::now();
    context.stage(Stage::Probing);
    let id = payload.connection_id;
    let connection = connections::target(&context.env.pool, id)
        .await
        .map_err(|error| failures::store(context, &error))?
        .ok_or_else(|| JobError::Fail(Failure::new(FailureCode::ConnectionNotReady, "the connection was deleted")))?;
    let found = match target::open(&context.env, id, &connection).await {
        Ok(source) => {
            let limits = SchemaLimits { max_tables: context.env.settings.sources.sync_max_tables, ..SchemaLimits::default() };
            let mut found = examine(source.as_ref(), &connection, &limits).await.unwrap_or_else(|error| unusable(&error));
            if let Found::Ready { schema, proposed_masks, .. } = &mut found {
                *proposed_masks = describe(context, id, &connection, source.as_ref(), schema, began).await?;
            }
            found
        }
        Err(target::OpenError::Sealing(error)) => {
            let failure = target::unsealable(&error).failure().clone();
            Found::Unusable { state: ConnectionState::Refused, error: failure, role_warnings: None }
        }
        Err(target::OpenError::Source(error)) => unusable(&error),
    };
    Ok(Outcome::Looked { config_version: connection.config_version, found: Box::new(found) })
}

async fn examine(source: &dyn Source, connection: &Target, limits: &SchemaLimits) -> Result<Found, SourceError> {
    let probe = source.probe().await?;
    if !probe.writable.is_empty() && !connection.allow_writable_role {
        let error = Failure::new(FailureCode::SourceRefused, format!("the role can do more than read: {}", probe.writable.join("; ")))
            .hint("use a role that can only SELECT, or register with allow_writable_role");
        return Ok(Found::Unusable { state: ConnectionState::Refused, error, role_warnings: Some(probe.writable) });
    }
    let schema = source.schema(limits).await?;
    Ok(Found::Ready {
        server_version: probe.version,
        role_warnings: probe.writable,
        notes: probe.warnings,
        schema,
        proposed_masks: Vec::new(),
    })
}

/// Profiles the tables of a catalogue, but for masked columns; gives those that ought to be masked as well.
async fn describe(
    context: &Context,
    id: ConnectionId,
    connection: &Target,
    source: &dyn Source,
    schema: &mut SourceSchema,
    began: Instant,
) -> Result<Vec<ColumnMask>, JobError> {
    let pool = &context.env.pool;
    let masked = permissions::masked_columns(pool, id).await.map_err(|error| failures::store(context, &error))?;
    let previous = connections::earlier_schema(pool, id, connection.config_version).await;
    let previous = previous.map_err(|error| failures::store(context, &error))?;
    let limits = ProfileLimits { seconds: context.env.settings.sources.profile_seconds.min(seconds_left(context, began)) };
    let now = context.env.clock.now();
    profile::fill(source, connection.db_type, schema, previous.as_ref(), &masked, &limits, now, &context.stop).await;
    Ok(proposals::proposed_masks(schema, &masked))
}

/// What is left of the attempt's time and of the job's, whichever is less, without what its end needs; at least one second, because none
/// would mean that nobody wants profiles.
fn seconds_left(context: &Context, began: Instant) -> u64 {
    let job = Duration::try_from_secs_f64(context.job.seconds_left).unwrap_or(Duration::MAX);
    let whole = registry::rules(context.job.kind).timeout.min(job);
    whole.saturating_sub(began.elapsed() + FOR_THE_END).as_secs().max(1)
}

fn unusable(error: &SourceError) -> Found {
    let state = if error.is_outage() { ConnectionState::Unreachable } else { ConnectionState::Refused };
    tracing::info!(error = %error, state = state.as_str(), "the connection can't be used");
    Found::Unusable { state, error: error.failure().at(Stage::Probing), role_warnings: None }
}
