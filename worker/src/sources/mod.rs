//! Customers' databases: one seam, an engine a folder. Everything here only reads, stops at the limits, and says what went wrong
//! without repeating what the database said, because a database's own words carry its data.
//!
//! Three of the four locks of invariant 9 stand here: the single prepared statement, the read-only session with its limits, and the
//! probe of the role. The first one, the guard, made the [`Statement`].

mod error;
mod foreign_keys;
mod idle;
mod metered;
mod mysql;
mod postgres;
mod registry;
mod slots;
mod sql_text;
mod sqlite;
mod values;
pub mod withdrawn;

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
use crate::guard::{Guarded, Relation};

/// A customer's database, opened for reading.
#[async_trait]
pub trait Source: Send + Sync {
    /// Looks at the server and at what the role could do beyond reading.
    async fn probe(&self) -> Result<Probe, SourceError>;

    /// Reads the catalogue: all relations the role can read. No values: those come by [`Source::sample`].
    async fn schema(&self, limits: &SchemaLimits) -> Result<SourceSchema, SourceError>;

    /// Reads some rows of some columns as text, for the profile of a table. NULL is none; every other value is cut at the asked
    /// number of characters. The rows are a sample: where the engine can, spread over a large table, else the first ones.
    async fn sample(&self, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError>;

    /// Asks the server what a guarded statement would read and cost, without running it. None: the engine has no such answer, or the
    /// role may not ask for it (a view whose tables it can't read, on MySQL).
    async fn explain(
        &self,
        user: UserId,
        statement: &Statement,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<Option<Plan>, SourceError>;

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
    relations: Vec<Relation>,
    extra_functions: Vec<String>,
}

impl Statement {
    /// The text that runs: the guard's rendering of the syntax tree it approved.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What the guard found it to read, by catalogue names.
    #[must_use]
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// The same statement, which may call the functions that an administrator added for its connection.
    #[must_use]
    pub fn calling(mut self, extra_functions: &[String]) -> Self {
        self.extra_functions = extra_functions.to_vec();
        self
    }

    /// The functions that it may call besides the guard's own list.
    #[must_use]
    pub fn extra_functions(&self) -> &[String] {
        &self.extra_functions
    }

    /// Whether it may call one of them: its text holds the name of one.
    fn may_call_extra_functions(&self) -> bool {
        let sql = self.sql.to_lowercase();
        self.extra_functions.iter().any(|name| sql.contains(&name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_lowercase()))
    }

    /// A statement that no guard has seen, to try the other locks; its relations as schema and table.
    #[cfg(test)]
    fn unguarded(sql: &str, relations: &[(&str, &str)]) -> Self {
        let relation = |(schema, table): &(&str, &str)| Relation { schema: (*schema).to_owned(), table: (*table).to_owned() };
        Self { sql: sql.to_owned(), relations: relations.iter().map(relation).collect(), extra_functions: Vec::new() }
    }
}

impl From<&Guarded> for Statement {
    fn from(guarded: &Guarded) -> Self {
        Self { sql: guarded.sql.clone(), relations: guarded.relations.clone(), extra_functions: Vec::new() }
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

/// What a server says that a statement would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What it would read beyond the relations that the guard allowed and what these are made of (the tables below a view, the
    /// partitions of a table), as `schema.table`. Anything here means that guard and server understand the statement differently.
    pub outside: Vec<String>,
    /// What it would cost, in the planner's own units: PostgreSQL's total cost, MySQL's query cost, the rows that MariaDB expects to
    /// look at. None: the server does not say.
    pub cost: Option<f64>,
}

/// How much of a catalogue is read, and for how long.
#[derive(Clone, Debug)]
pub struct SchemaLimits {
    /// Relations read, in the order of their names.
    pub max_tables: usize,
    /// Seconds for it; passing them is an error.
    pub max_seconds: u64,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self { max_tables: 5_000, max_seconds: 60 }
    }
}

/// A sample of a table's values that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The table's schema, by its catalogue name.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// Its columns, at most some dozens.
    pub columns: &'a [String],
    /// The source's estimate of the table's rows.
    pub row_estimate: Option<u64>,
    /// Rows wanted.
    pub rows: usize,
    /// Characters after which a value is cut.
    pub chars: usize,
    /// Time for it; passing it is an error.
    pub time: Duration,
}

/// The values of a sampled row, in the order of the asked columns.
pub type SampledRow = Vec<Option<String>>;
