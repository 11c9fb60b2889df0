//! PostgreSQL as a source. A statement runs in a read-only transaction of its own, through a cursor, and is always rolled back.

mod catalogue;
mod connect;
mod errors;
mod idle;
mod probe;
mod run;
mod samples;
mod session;
mod types;

use std::time::Duration;

use async_trait::async_trait;
use datagenie_common::{
    ids::UserId,
    model::{connections::ServerConfig, policies::Limits, schemas::SourceSchema},
};
use tokio_util::sync::CancellationToken;

use self::connect::Sessions;
use super::{Probe, RowSink, RunEnd, SchemaLimits, Source, SourceError, Statement, slots::Slots};

/// A PostgreSQL database and the sessions kept to it.
pub(super) struct PostgresSource {
    sessions: Sessions,
}

impl PostgresSource {
    /// Does not connect.
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, slots: Slots) -> Result<Self, SourceError> {
        Ok(Self { sessions: Sessions::new(config, connect_timeout, slots)? })
    }
}

#[async_trait]
impl Source for PostgresSource {
    async fn probe(&self) -> Result<Probe, SourceError> {
        probe::probe(&self.sessions).await
    }

    async fn schema(&self, limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
        let mut relations = catalogue::read(&self.sessions, limits).await?;
        samples::add(&self.sessions, &mut relations, limits).await;
        Ok(catalogue::assemble(relations))
    }

    async fn run(
        &self,
        user: UserId,
        statement: &Statement,
        limits: &Limits,
        sink: &mut dyn RowSink,
        cancel: &CancellationToken,
    ) -> Result<RunEnd, SourceError> {
        run::run(&self.sessions, user, statement, limits, sink, cancel).await
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}
