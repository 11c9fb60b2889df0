//! Profiles of a customer's tables: what a sample of each column's values looks like. They tell linking and drafting what a column
//! holds, and an administrator what might have to be masked. Pure, but for [`Source::sample`].

mod column;
mod names_of_people;
mod number;
mod phones;
pub mod proposals;
mod said;
mod shape;
#[cfg(test)]
mod tests;
mod textual;
mod turns;

use std::time::Duration;

use chrono::{DateTime, Utc};
use datagenie_common::model::{
    connections::DbType,
    policies::{ColumnMask, ColumnSet},
    schemas::{SourceSchema, Table},
};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    column::{Described, describe},
    textual::is_textual,
    turns::{carry_over, turn},
};
use crate::sources::{Sample, Source, SourceError};

/// Rows of a sample.
const ROWS: usize = 2_000;
/// Characters of a sampled value.
const CHARS: usize = 200;
/// Columns of a sample, so that a wide table is not held whole.
const COLUMNS_AT_ONCE: usize = 50;
/// Time for one table.
const TABLE_TIME: Duration = Duration::from_secs(3);
/// Less time than this is not worth beginning a sample.
const LEAST_TIME: Duration = Duration::from_millis(50);
/// How long a source may take beyond its time to say that it is over.
const GRACE: Duration = Duration::from_secs(1);

/// How much is profiled.
#[derive(Clone, Copy, Debug)]
pub struct ProfileLimits {
    /// Time for all tables of a database, in seconds; 0: none are, and profiles that there were are dropped.
    pub seconds: u64,
}

impl Default for ProfileLimits {
    fn default() -> Self {
        Self { seconds: 20 }
    }
}

/// Profiles the tables of a catalogue that was just read, until the time is over or somebody wants it stopped. A table that is as it
/// was in `previous` keeps its profile for a day. What can't be sampled stays as it is: a profile is a courtesy.
#[expect(clippy::too_many_arguments, reason = "each is a thing of its own, and there is one caller")]
pub async fn fill(
    source: &dyn Source,
    db_type: DbType,
    schema: &mut SourceSchema,
    previous: Option<&SourceSchema>,
    masked: &[ColumnMask],
    limits: &ProfileLimits,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) {
    if limits.seconds == 0 {
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(limits.seconds);
    for place in due(schema, db_type, previous, masked, now) {
        let time = deadline.saturating_duration_since(Instant::now()).min(TABLE_TIME);
        if time < LEAST_TIME || stop.is_cancelled() {
            tracing::debug!("profiling ended before the last table; the others come first the next time");
            return;
        }
        let described = sampled(source, &place, time, stop).await;
        let Some(table) = place.table_of(schema) else { continue };
        match described {
            Ok(columns) => keep(table, columns),
            // The server is away or full, or nobody waits any more: asking on would only disturb it.
            Err(error) if error.is_outage() || matches!(error, SourceError::Cancelled) => {
                tracing::debug!(%error, "profiling ended");
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "a table could not be profiled");
                drop_halves(table, &place.columns);
            }
        }
        // One that could not be counts as looked at: it must not come first every time, and use up the time of the others.
        table.profiled_at = Some(now);
    }
}

/// A table that is due, and its columns that may be sampled.
struct Place {
    schema: String,
    table: String,
    columns: Vec<String>,
    /// Which of the columns may be lists of choices, in their order.
    textual: Vec<bool>,
    row_estimate: Option<u64>,
}

impl Place {
    fn table_of<'a>(&self, schema: &'a mut SourceSchema) -> Option<&'a mut Table> {
        schema.schemas.get_mut(&self.schema)?.get_mut(&self.table)
    }
}

/// Carries over what still holds, and gives the tables that are due, the next one first.
fn due(
    schema: &mut SourceSchema,
    db_type: DbType,
    previous: Option<&SourceSchema>,
    masked: &[ColumnMask],
    now: DateTime<Utc>,
) -> Vec<Place> {
    // Without case: a mask too many costs a profile, one too few leaks.
    let masked = ColumnSet::of(masked, true);
    let mut due = Vec::new();
    for (schema_name, tables) in &mut schema.schemas {
        for (name, table) in tables.iter_mut().filter(|(_, table)| matches!(table.kind.as_str(), "table" | "materialized view")) {
            let is_masked = |column: &str| masked.contains(schema_name, name, column);
            let before = previous.and_then(|previous| previous.table(schema_name, name));
            carry_over(table, before, &is_masked);
            let Some(turn) = turn(table, before, &is_masked, now) else { continue };
            let open = table.ordered_columns().into_iter().filter(|(column, _)| !is_masked(column));
            let (columns, textual) = open.map(|(column, kept)| (column.to_owned(), is_textual(db_type, &kept.data_type))).unzip();
            let place = Place { schema: schema_name.clone(), table: name.clone(), columns, textual, row_estimate: table.row_estimate };
            due.push((turn, place));
        }
    }
    // Stable: tables whose turn is the same stay in the order of their names.
    due.sort_by_key(|(turn, _)| *turn);
    due.into_iter().map(|(_, place)| place).collect()
}

/// Samples a table and describes its columns, some at a time; only those are held.
async fn sampled(
    source: &dyn Source,
    place: &Place,
    time: Duration,
    stop: &CancellationToken,
) -> Result<Vec<(String, Described)>, SourceError> {
    let ends = Instant::now() + time;
    let over = || SourceError::Timeout { seconds: time.as_secs() };
    let mut described = Vec::with_capacity(place.columns.len());
    for (columns, textual) in place.columns.chunks(COLUMNS_AT_ONCE).zip(place.textual.chunks(COLUMNS_AT_ONCE)) {
        let time = ends.saturating_duration_since(Instant::now());
        if time < LEAST_TIME {
            return Err(over());
        }
        let sample = Sample {
            schema: &place.schema,
            table: &place.table,
            columns,
            row_estimate: place.row_estimate,
            rows: ROWS,
            chars: CHARS,
            time,
        };
        let rows = timeout(time + GRACE, stop.run_until_cancelled(source.sample(&sample))).await.map_err(|_elapsed| over())?;
        let rows = rows.ok_or(SourceError::Cancelled)??;
        for (at, (name, textual)) in columns.iter().zip(textual).enumerate() {
            let values = rows.iter().map(|row| row.get(at).and_then(Option::as_deref));
            described.push((name.clone(), describe(values, *textual)));
        }
    }
    Ok(described)
}

fn keep(table: &mut Table, described: Vec<(String, Described)>) {
    for (name, Described { profile, values }) in described {
        if let Some(column) = table.columns.get_mut(&name) {
            column.profile = Some(profile);
            column.values = values;
        }
    }
}

/// Drops what a table was known by, if that is not all of it: half a profile would bring it before the others every time.
fn drop_halves(table: &mut Table, columns: &[String]) {
    let whole = columns.iter().all(|name| table.columns.get(name).is_some_and(|column| column.profile.is_some()));
    if !whole {
        for column in table.columns.values_mut() {
            column.profile = None;
            column.values.clear();
        }
    }
}
