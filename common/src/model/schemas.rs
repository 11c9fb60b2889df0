//! What a customer database looks like: the catalogue that linking, the guard and the planner work on.
//! Serialises to the design document's shape of `schema_info` (`{"schemas": {"public": {"products": {"columns": {…}, "indexes": […]}}}}`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::word_enum;

/// All relations that the connection's role can read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceSchema {
    /// The schema an unqualified name means (`public`, `main`, the MySQL database).
    #[serde(default)]
    pub default_schema: String,
    /// Schema name → relation name → relation.
    pub schemas: BTreeMap<String, BTreeMap<String, Table>>,
    /// When it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_at: Option<DateTime<Utc>>,
}

/// A table or view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `table`, `view`, `materialized view`, `foreign table`.
    #[serde(default)]
    pub kind: String,
    /// The source's comment on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Column name → column; `position` gives the order.
    pub columns: BTreeMap<String, TableColumn>,
    /// Names of its indexes.
    #[serde(default)]
    pub indexes: Vec<String>,
    /// Where it points to.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// The source's own estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_estimate: Option<u64>,
    /// When its columns were profiled; none: not yet, or not at all (views, foreign tables).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiled_at: Option<DateTime<Utc>>,
}

impl Table {
    /// The columns in their own order.
    #[must_use]
    pub fn ordered_columns(&self) -> Vec<(&str, &TableColumn)> {
        let mut columns: Vec<_> = self.columns.iter().map(|(name, column)| (name.as_str(), column)).collect();
        columns.sort_by_key(|(_, column)| column.position);
        columns
    }
}

/// A column of a table or view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableColumn {
    /// From 1.
    #[serde(default)]
    pub position: u32,
    /// The source's own name of the type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Its default, as the source writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether it is part of the primary key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub primary_key: bool,
    /// The source's comment on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Its values, where there are few (at most 50, of text columns); sampled at the sync. Never of masked columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What a sample of its values looked like. Never of masked columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ColumnProfile>,
}

/// What a sample of a column's values looked like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Rows looked at.
    pub rows: u64,
    /// How many of them are NULL.
    pub nulls: u64,
    /// Different values among the others.
    pub distinct: u64,
    /// The least value, as the source writes it, cut at [`PROFILE_CHARS`] characters; numbers compare as numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// The most frequent values, the first the most frequent; only values that occur more than once, at most [`PROFILE_FREQUENT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<ValueCount>,
    /// What nearly all values look like, where they look alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

/// Characters of a value that a profile keeps.
pub const PROFILE_CHARS: usize = 60;
/// Values that a profile counts by name.
pub const PROFILE_FREQUENT: usize = 5;

/// A value and how often a sample has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCount {
    /// The value, cut at [`PROFILE_CHARS`] characters.
    pub value: String,
    /// Rows that have it.
    pub count: u64,
}

word_enum! {
    /// What the values of a column look like, whatever its type.
    pub enum Shape {
        /// Whole numbers.
        Integer = "integer",
        /// Numbers.
        Number = "number",
        /// `true`, `false` and their kin.
        Boolean = "boolean",
        /// A day.
        Date = "date",
        /// A moment.
        Timestamp = "timestamp",
        /// E-mail addresses.
        Email = "email",
        /// Telephone numbers.
        Phone = "phone",
        /// Numbers of payment cards.
        CardNumber = "card_number",
        /// Names of people.
        PersonName = "person_name",
        /// UUIDs.
        Uuid = "uuid",
        /// Addresses in the web.
        Url = "url",
        /// JSON objects and lists.
        Json = "json",
    }
}

/// A foreign key: `columns` of this table point to `ref_columns` of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Columns of the referring table.
    pub columns: Vec<String>,
    /// Schema of the table referred to.
    pub ref_schema: String,
    /// The table referred to.
    pub ref_table: String,
    /// Its columns.
    pub ref_columns: Vec<String>,
}

impl SourceSchema {
    /// The relation of exactly this name.
    #[must_use]
    pub fn table(&self, schema: &str, table: &str) -> Option<&Table> {
        self.schemas.get(schema)?.get(table)
    }

    /// Every relation, with its schema's and its own name.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &str, &Table)> {
        self.schemas.iter().flat_map(|(schema, tables)| tables.iter().map(move |(name, table)| (schema.as_str(), name.as_str(), table)))
    }

    /// How many columns it has in all: what it takes in memory, some hundred bytes each.
    #[must_use]
    pub fn column_count(&self) -> usize {
        self.tables().map(|(_, _, table)| table.columns.len()).sum()
    }

    /// A name as a person writes it: without the schema if that is the default one.
    #[must_use]
    pub fn display_name(&self, schema: &str, table: &str) -> String {
        if schema == self.default_schema { table.to_owned() } else { format!("{schema}.{table}") }
    }
}
