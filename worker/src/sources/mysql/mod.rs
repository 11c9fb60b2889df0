//! MySQL and MariaDB as a source. A statement runs prepared, in a read-only transaction of its own, on a connection that is reset after it.

mod catalogue;
mod cells;
mod connect;
mod errors;
mod explain;
mod grants;
mod places;
mod prepared;
mod probe;
mod references;
mod run;
mod samples;
mod server;
mod session;
mod tls;
mod tokens;
mod types;
mod values;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use datagenie_common::{
    ids::UserId,
    model::{connections::ServerConfig, policies::Limits, schemas::SourceSchema},
};
use tokio_util::sync::CancellationToken;

use self::connect::Sessions;
use super::{Plan, Probe, RowSink, RunEnd, Sample, SampledRow, SchemaLimits, Source, SourceError, Statement, slots::Slots};

/// A database of a MySQL or MariaDB server, and the sessions kept to it.
pub(super) struct MysqlSource {
    sessions: Sessions,
}

impl MysqlSource {
    /// Does not connect.
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, slots: Slots) -> Result<Self, SourceError> {
        Ok(Self { sessions: Sessions::new(config, connect_timeout, slots)? })
    }
}

#[async_trait]
impl Source for MysqlSource {
    async fn probe(&self) -> Result<Probe, SourceError> {
        probe::probe(&self.sessions).await
    }

    async fn schema(&self, limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
        catalogue::read(&self.sessions, limits).await
    }

    async fn sample(&self, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
        samples::read(&self.sessions, sample).await
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
        run::run(&self.sessions, user, statement, limits, sink, cancel).await
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}
