//! Customers' databases: one seam, an engine a folder. Everything here only reads, stops at the limits, and says what went wrong
//! without repeating what the database said, because a database's own words carry its data.
//!
//! Three of the four locks of invariant 9 stand here: the single prepared statement, the read-only session with its limits, and the
//! probe of the role. The first one, the guard, made the [`Statement`].

mod error;
mod metered;
mod postgres;
mod registry;
mod slots;
mod sql_text;
mod sqlite;
mod values;

use std::time::Duration;

use async_trait::async_trait;
use datagenie_common::{
    ids::UserId,
    model::{
        policies::Limits,
        results::{Column, Row},
        schemas::SourceSchema,
    },
};
use tokio_util::sync::CancellationToken;

pub use self::{
    error::{SinkError, SourceError},
    registry::{SourceSettings, Sources},
};
use crate::guard::Guarded;

/// A customer's database, opened for reading.
#[async_trait]
pub trait Source: Send + Sync {
    /// Looks at the server and at what the role could do beyond reading.
    async fn probe(&self) -> Result<Probe, SourceError>;

    /// Reads the catalogue: all relations the role can read, with the few values that their text columns have.
    async fn schema(&self, limits: &SchemaLimits) -> Result<SourceSchema, SourceError>;

    /// Runs one guarded statement for a user, when it is his turn among the sessions that the fleet may have at work on this database,
    /// and feeds its rows to the sink until the end or a limit. The sink is told the columns exactly once
    /// before the first row, also when there is none. Cancelling ends the statement on the server too; dropping the future drops the
    /// session, and the server's own time limit ends what runs there.
    async fn run(
        &self,
        user: UserId,
        statement: &Statement,
        limits: &Limits,
        sink: &mut dyn RowSink,
        cancel: &CancellationToken,
    ) -> Result<RunEnd, SourceError>;

    /// Ends the sessions that are kept open for the next statement.
    async fn close(&self) {}
}

/// SQL that passed the guard. It can be made of nothing else, so there is no unguarded way into a customer's database.
#[derive(Clone)]
pub struct Statement {
    sql: String,
}

impl Statement {
    /// The text that runs: the guard's rendering of the syntax tree it approved.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

impl From<&Guarded> for Statement {
    fn from(guarded: &Guarded) -> Self {
        Self { sql: guarded.sql.clone() }
    }
}

/// Takes the rows of a statement. It is called between two reads of the wire, so it buffers and never waits.
pub trait RowSink: Send {
    /// Told once, before any row.
    fn start(&mut self, columns: Vec<Column>) -> Result<(), SinkError>;

    /// One row, in the order of the columns.
    fn row(&mut self, row: Row) -> Result<Flow, SinkError>;
}

/// Whether a sink wants more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More rows are welcome.
    Continue,
    /// This was the last one wanted.
    Stop,
}

/// Which limit cut a result off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// There are more rows than `max_rows`.
    Rows,
    /// The next row would have gone past `max_bytes`.
    Bytes,
}

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// Rows given to the sink.
    pub rows: u64,
    /// What cut the result off, if anything did.
    pub truncated: Option<Truncation>,
    /// From the call to the last row, waiting for a session included.
    pub elapsed: Duration,
}

/// What a look at a database found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// The server's product and version.
    pub version: String,
    /// What an admin should know, one sentence each.
    pub warnings: Vec<String>,
    /// What the role could do beyond reading, in words; empty: it can only read.
    pub writable: Vec<String>,
}

/// How much of a catalogue is read, and for how long.
#[derive(Clone, Debug)]
pub struct SchemaLimits {
    /// Relations read, in the order of their names.
    pub max_tables: usize,
    /// Time for the catalogue itself, in seconds; passing it is an error.
    pub max_seconds: u64,
    /// Time for the values of text columns, in seconds; what is not sampled by then stays without values. 0: none are.
    pub sample_seconds: u64,
    /// Columns never sampled, as schema, table and column.
    pub masked: Vec<(String, String, String)>,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self { max_tables: 5_000, max_seconds: 60, sample_seconds: 20, masked: Vec::new() }
    }
}

impl SchemaLimits {
    /// Whether a column is masked. Compares without case: a mask too many costs a few sample values, one too few leaks.
    fn is_masked(&self, schema: &str, table: &str, column: &str) -> bool {
        self.masked.iter().any(|(masked_schema, masked_table, masked_column)| {
            masked_schema.eq_ignore_ascii_case(schema)
                && masked_table.eq_ignore_ascii_case(table)
                && masked_column.eq_ignore_ascii_case(column)
        })
    }
}

/// Rows looked at for the values of a column.
const SAMPLED_ROWS: usize = 5_000;
/// A column with more values than this is not a list of choices.
const SAMPLED_VALUES: usize = 50;
/// A column with a value longer than this many characters is not a list of choices.
const SAMPLED_CHARS: usize = 60;

/// The distinct values of a column, sorted, if they are a list of choices: few, short, and not all blank.
fn choices(mut values: Vec<String>) -> Vec<String> {
    let too_many = values.len() > SAMPLED_VALUES;
    let too_long = values.iter().any(|value| value.chars().count() > SAMPLED_CHARS);
    if too_many || too_long {
        return Vec::new();
    }
    values.retain(|value| !value.trim().is_empty());
    values.sort_unstable();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_lists_of_short_values_are_choices() {
        let words = |count: usize| (0..count).map(|n| format!("v{n:03}")).collect::<Vec<_>>();
        assert_eq!(choices(words(50)).len(), 50);
        assert_eq!(choices(words(51)), Vec::<String>::new());
        assert_eq!(choices(vec!["서울".repeat(30), "부산".to_owned()]).len(), 2);
        assert_eq!(choices(vec!["서울".repeat(31)]), Vec::<String>::new());
        assert_eq!(choices(vec!["b".to_owned(), " ".to_owned(), "a".to_owned()]), ["a", "b"]);
    }

    #[test]
    fn masks_compare_without_case() {
        let masked = vec![("public".to_owned(), "Customers".to_owned(), "email".to_owned())];
        let limits = SchemaLimits { masked, ..SchemaLimits::default() };
        assert!(limits.is_masked("public", "customers", "EMAIL"));
        assert!(!limits.is_masked("public", "customers", "city"));
    }
}
