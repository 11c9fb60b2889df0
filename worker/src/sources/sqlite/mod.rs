//! SQLite files as a source. A statement gets a connection of its own, on a blocking thread, read-only, behind limits and an
//! authorizer; opening one costs less than keeping it clean would.

mod authorise;
mod catalogue;
mod defined;
mod errors;
mod open;
mod run;
mod sample;
mod values;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use datagenie_common::{
    ids::UserId,
    model::{policies::Limits, schemas::SourceSchema},
};
use tokio::task;
use tokio_util::sync::CancellationToken;

use self::open::Watch;
use super::{Plan, Probe, RowSink, RunEnd, Sample, SampledRow, SchemaLimits, Source, SourceError, Statement, slots::Slots};

/// Time for a probe.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// A SQLite file, and the folders it must lie in.
pub(super) struct SqliteSource {
    file: Arc<DatabaseFile>,
    slots: Slots,
}

/// Where the file is said to be. Checked anew at every opening: a link may point elsewhere by then.
struct DatabaseFile {
    path: PathBuf,
    roots: Vec<PathBuf>,
}

impl SqliteSource {
    /// Does not look at the file.
    pub(super) fn new(path: &Path, roots: &[PathBuf], slots: Slots) -> Self {
        let file = DatabaseFile { path: path.to_owned(), roots: roots.to_vec() };
        Self { file: Arc::new(file), slots }
    }

    /// Runs one of our own readings on a blocking thread. It ends with its time, or when nobody waits for it any more.
    async fn read<T, F>(&self, read: F) -> Result<T, SourceError>
    where
        T: Send + 'static,
        F: FnOnce(&DatabaseFile, CancellationToken) -> Result<T, SourceError> + Send + 'static,
    {
        let slot = self.slots.take_to_look().await?;
        let file = Arc::clone(&self.file);
        let stop = CancellationToken::new();
        let _stop_when_dropped = stop.clone().drop_guard();
        let thread = task::spawn_blocking(move || {
            let _slot = slot;
            read(&file, stop)
        });
        thread.await.map_err(|_panicked| SourceError::internal("reading the file ended unexpectedly"))?
    }
}

#[async_trait]
impl Source for SqliteSource {
    async fn probe(&self) -> Result<Probe, SourceError> {
        self.read(|file, stop| {
            let watch = Watch { deadline: Instant::now() + PROBE_TIME, stop };
            let connection = open::internal(file, watch)?;
            // Opening reads nothing; this reads the header and the whole list of tables.
            let count = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
            count.map_err(|error| errors::reading(&error))?;
            // It is opened read-only, so there is nothing the role could change.
            Ok(Probe { version: format!("SQLite {}", rusqlite::version()), ..Probe::default() })
        })
        .await
    }

    async fn schema(&self, limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
        let limits = limits.clone();
        self.read(move |file, stop| {
            let watch = Watch { deadline: Instant::now() + Duration::from_secs(limits.max_seconds), stop };
            catalogue::read(&open::internal(file, watch)?, &limits).map_err(|error| match error {
                error if errors::is_interrupted(&error) => SourceError::Timeout { seconds: limits.max_seconds },
                error => errors::reading(&error),
            })
        })
        .await
    }

    async fn sample(&self, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
        let (sql, columns, time) = (sample::statement(sample), sample.columns.len(), sample.time);
        self.read(move |file, stop| {
            let watch = Watch { deadline: Instant::now() + time, stop };
            sample::read(&open::limited(file, watch)?, &sql, columns).map_err(|error| match error {
                error if errors::is_interrupted(&error) => SourceError::Timeout { seconds: time.as_secs() },
                error => errors::sampling(&error),
            })
        })
        .await
    }

    /// SQLite plans without counting costs, and its second opinion is the authorizer, which every statement passes.
    async fn explain(
        &self,
        _user: UserId,
        _statement: &Statement,
        _limits: &Limits,
        _cancel: &CancellationToken,
    ) -> Result<Option<Plan>, SourceError> {
        Ok(None)
    }

    async fn run(
        &self,
        user: UserId,
        statement: &Statement,
        limits: &Limits,
        sink: &mut dyn RowSink,
        cancel: &CancellationToken,
    ) -> Result<RunEnd, SourceError> {
        let slot = cancel.run_until_cancelled(self.slots.take(user)).await.ok_or(SourceError::Cancelled)??;
        run::run(Arc::clone(&self.file), slot, statement, limits, sink, cancel).await
    }
}

#[cfg(test)]
mod tests;
