//! Looks at a connection: does it answer, can its role only read, what does it hold. Ends with the connection `ready`, `refused` or
//! `unreachable`; also what `POST …/test` runs.

use datagenie_common::{
    jobs::LookAtConnection,
    model::{
        connections::ConnectionState,
        jobs::JobError,
        questions::{Failure, FailureCode, Stage},
    },
    store::{
        connections::{self, Found, Target},
        ledger::Outcome,
        permissions,
    },
};

use crate::{
    question::{failures, target},
    run::Context,
    sources::{SchemaLimits, Source, SourceError},
};

/// One attempt.
///
/// # Errors
/// What the ledger is to do about an attempt without a result.
pub async fn run(context: &Context) -> Result<Outcome, JobError> {
    let payload: LookAtConnection = context.payload()?;
    look(context, &payload).await
}

/// Probes the connection and reads its catalogue.
pub(super) async fn look(context: &Context, payload: &LookAtConnection) -> Result<Outcome, JobError> {
    context.stage(Stage::Probing);
    let id = payload.connection_id;
    let connection = connections::target(&context.env.pool, id)
        .await
        .map_err(|error| failures::store(context, &error))?
        .ok_or_else(|| JobError::Fail(Failure::new(FailureCode::ConnectionNotReady, "the connection was deleted")))?;
    let found = match target::open(&context.env, id, &connection).await {
        Ok(source) => {
            let limits = schema_limits(context, payload).await?;
            examine(source.as_ref(), &connection, &limits).await.unwrap_or_else(|error| unusable(&error))
        }
        Err(target::OpenError::Sealing(error)) => {
            let failure = target::unsealable(&error).failure().clone();
            Found::Unusable { state: ConnectionState::Refused, error: failure, role_warnings: Vec::new() }
        }
        Err(target::OpenError::Source(error)) => unusable(&error),
    };
    Ok(Outcome::Looked { config_version: connection.config_version, found: Box::new(found) })
}

async fn schema_limits(context: &Context, payload: &LookAtConnection) -> Result<SchemaLimits, JobError> {
    let masked =
        permissions::masked_columns(&context.env.pool, payload.connection_id).await.map_err(|error| failures::store(context, &error))?;
    Ok(SchemaLimits {
        max_tables: context.env.settings.sources.sync_max_tables,
        masked: masked.into_iter().map(|mask| (mask.schema, mask.table, mask.column)).collect(),
        ..SchemaLimits::default()
    })
}

async fn examine(source: &dyn Source, connection: &Target, limits: &SchemaLimits) -> Result<Found, SourceError> {
    let probe = source.probe().await?;
    if !probe.writable.is_empty() && !connection.allow_writable_role {
        let error = Failure::new(FailureCode::SourceRefused, format!("the role can do more than read: {}", probe.writable.join("; ")))
            .hint("use a role that can only SELECT, or register with allow_writable_role");
        return Ok(Found::Unusable { state: ConnectionState::Refused, error, role_warnings: probe.writable });
    }
    let schema = source.schema(limits).await?;
    Ok(Found::Ready { server_version: probe.version, role_warnings: probe.writable, schema })
}

fn unusable(error: &SourceError) -> Found {
    let state = if error.is_outage() { ConnectionState::Unreachable } else { ConnectionState::Refused };
    tracing::info!(error = %error, state = state.as_str(), "the connection can't be used");
    Found::Unusable { state, error: error.failure().at(Stage::Probing), role_warnings: Vec::new() }
}
