//! The shapes of what is stored as JSON and shown as it is stored: only for the document, never made.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use super::words::{ColumnKind, FailureCode, InsightKind, Stage};

/// Why there is no result.
#[derive(ToSchema)]
pub struct Failure {
    /// The kind, for programs.
    pub code: FailureCode,
    /// Where in the pipeline.
    pub stage: Option<Stage>,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether asking again may help.
    pub retryable: Option<bool>,
    /// Where in the SQL.
    pub position: Option<Position>,
    /// What to answer so that it can be answered (`needs_clarification`).
    pub clarification: Option<String>,
}

/// A place in a statement, both counted from 1.
#[derive(ToSchema)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// How far a job is.
#[derive(ToSchema)]
pub struct Progress {
    /// So much is done.
    pub done: Option<u64>,
    /// Of so much, where that is known.
    pub total: Option<u64>,
    /// Of what.
    pub unit: Option<String>,
}

/// A column of a result. Names may repeat.
#[derive(ToSchema)]
pub struct ResultColumn {
    /// As the statement names it.
    pub name: String,
    /// The source's own name of the type.
    pub r#type: String,
    /// What its values are.
    pub kind: ColumnKind,
}

/// An observation, computed from the rows.
#[derive(ToSchema)]
pub struct Insight {
    /// What it is about.
    pub kind: InsightKind,
    /// The sentence, in the language of the question.
    pub text: String,
    /// The numbers behind it, by name.
    pub evidence: Value,
}

/// Where an answer comes from.
#[derive(ToSchema)]
pub struct Provenance {
    /// The model's name, or `offline-planner`, or `given` for `sql`.
    pub model: String,
    /// The tables read, as `schema.table`.
    pub tables: Vec<String>,
    /// Every draft of the statement, the last one is the answer's.
    pub attempts: Vec<DraftAttempt>,
}

/// One draft of a statement.
#[derive(ToSchema)]
pub struct DraftAttempt {
    /// The statement.
    pub sql: Option<String>,
    /// What was wrong with it; not there: it ran.
    pub error: Option<Failure>,
}

/// What the calls to a model cost.
#[derive(ToSchema)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// In the currency of the configured prices.
    pub cost: f64,
}

/// The catalogue of a connection: schema, table, columns.
#[derive(ToSchema)]
pub struct SchemaView {
    /// The schema that an unqualified name means.
    pub default_schema: String,
    /// Tables by schema and name.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, SchemaTable>>)]
    pub schemas: BTreeMap<String, BTreeMap<String, SchemaTable>>,
    /// When it was read.
    #[schema(format = DateTime)]
    pub cached_at: Option<String>,
}

/// A table or view.
#[derive(ToSchema)]
pub struct SchemaTable {
    /// `table`, `view`, `materialized view`, `foreign table`.
    pub kind: String,
    /// The source's comment on it.
    pub comment: Option<String>,
    /// Columns by name; `position` gives the order.
    #[schema(value_type = BTreeMap<String, SchemaColumn>)]
    pub columns: BTreeMap<String, SchemaColumn>,
    /// Names of its indexes.
    pub indexes: Vec<String>,
    /// Where it points to.
    #[schema(value_type = Vec<Object>)]
    pub foreign_keys: Vec<Value>,
    /// The source's own estimate of its rows.
    pub row_estimate: Option<u64>,
}

/// A column of a table or view.
#[derive(ToSchema)]
pub struct SchemaColumn {
    /// From 1.
    pub position: u32,
    /// The source's own name of the type.
    pub r#type: String,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// The source's comment on it.
    pub comment: Option<String>,
    /// Its values, where there are few; never of masked columns.
    pub values: Option<Vec<String>>,
}
