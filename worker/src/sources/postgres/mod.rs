//! PostgreSQL as a source, over a small client of our own. A statement runs in a read-only transaction of its own, through a cursor, and
//! is always rolled back.

mod catalogue;
mod connect;
mod errors;
mod explain;
mod plan;
mod probe;
mod run;
mod sample;
mod session;
mod types;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use datagenie_common::{
    ids::UserId,
    model::{connections::ServerConfig, policies::Limits, schemas::SourceSchema},
};
use tokio_util::sync::CancellationToken;

use self::{connect::Sessions, types::Types};
use super::{Plan, Probe, RowSink, RunEnd, Sample, SampledRow, SchemaLimits, Source, SourceError, Statement, slots::Slots};

/// A PostgreSQL database, the sessions kept to it, and the types that were met there.
pub(super) struct PostgresSource {
    sessions: Sessions,
    types: Types,
}

impl PostgresSource {
    /// Does not connect.
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, slots: Slots) -> Result<Self, SourceError> {
        Ok(Self { sessions: Sessions::new(config, connect_timeout, slots)?, types: Types::default() })
    }
}

#[async_trait]
impl Source for PostgresSource {
    async fn probe(&self) -> Result<Probe, SourceError> {
        probe::probe(&self.sessions).await
    }

    async fn schema(&self, limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
        catalogue::read(&self.sessions, limits).await
    }

    async fn sample(&self, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
        sample::sample(&self.sessions, sample).await
    }

    async fn explain(
        &self,
        user: UserId,
        statement: &Statement,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<Option<Plan>, SourceError> {
        explain::explain(&self.sessions, user, statement, limits, cancel).await
    }

    async fn run(
        &self,
        user: UserId,
        statement: &Statement,
        limits: &Limits,
        sink: &mut dyn RowSink,
        cancel: &CancellationToken,
    ) -> Result<RunEnd, SourceError> {
        run::run(&self.sessions, &self.types, user, statement, limits, sink, cancel).await
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}
