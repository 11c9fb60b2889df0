//! What one user may do on one connection: an argument of link, guard, execute, cache key and result reading.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{connections::DbType, schemas::SourceSchema};
use crate::{
    ids::{ConnectionId, UserId},
    word_enum,
};

/// Changes whenever anything that a [`Policy`] is made of changes; compared for equality only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyVersion(pub String);

/// The permissions, masks and limits of this user on this connection, at this version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Whose.
    pub user_id: UserId,
    /// On what.
    pub connection_id: ConnectionId,
    /// The engine, which decides how names compare.
    pub db_type: DbType,
    /// Of which state of the permissions.
    pub version: PolicyVersion,
    /// Whether the user may query at all.
    pub can_query: bool,
    /// Allowed schemas; none: all. An empty list: none.
    pub schemas: Option<Vec<String>>,
    /// Allowed relations as `table` (of the default schema) or `schema.table`; none: all. An empty list: none.
    pub tables: Option<Vec<String>>,
    /// Columns whose values are masked for this user.
    pub masks: Vec<ColumnMask>,
    /// How much a statement may take and return.
    pub limits: Limits,
}

/// The bounds of one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Rows returned; one more is read to know of a truncation.
    pub max_rows: u64,
    /// Bytes of the result, as stored.
    pub max_bytes: u64,
    /// Time on the customer's database, in seconds.
    pub max_seconds: u64,
}

impl Limits {
    /// The time limit.
    #[must_use]
    pub fn max_time(&self) -> Duration {
        Duration::from_secs(self.max_seconds)
    }
}

/// A masked column, by its catalogue name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMask {
    /// Its schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// How it is masked.
    pub kind: MaskKind,
}

word_enum! {
    /// The kinds of `mask_personal_data()`.
    pub enum MaskKind {
        /// `ab***@example.com`
        Email = "email",
        /// `010***5678`
        Phone = "phone",
        /// `4111****1111`
        CardNumber = "card_number",
        /// `김**`
        Name = "name",
    }
}

impl Policy {
    /// Whether the relation of this catalogue name may be read. Both names must be the catalogue's own, not the query's.
    #[must_use]
    pub fn allows(&self, schema: &str, table: &str, default_schema: &str) -> bool {
        let same = |a: &str, b: &str| self.same_name(a, b);
        let schema_allowed = self.schemas.as_ref().is_none_or(|list| list.iter().any(|allowed| same(allowed, schema)));
        let qualified = format!("{schema}.{table}");
        let table_allowed = self.tables.as_ref().is_none_or(|list| {
            list.iter().any(|allowed| same(allowed, &qualified) || (same(schema, default_schema) && same(allowed, table)))
        });
        self.can_query && schema_allowed && table_allowed
    }

    /// The same policy under limits that may have been lowered since it was read.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits.max_rows = self.limits.max_rows.min(limits.max_rows);
        self.limits.max_bytes = self.limits.max_bytes.min(limits.max_bytes);
        self.limits.max_seconds = self.limits.max_seconds.min(limits.max_seconds);
        self
    }

    /// The mask of a column, if it has one.
    #[must_use]
    pub fn mask(&self, schema: &str, table: &str, column: &str) -> Option<MaskKind> {
        let same = |a: &str, b: &str| self.same_name(a, b);
        self.masks.iter().find(|m| same(&m.schema, schema) && same(&m.table, table) && same(&m.column, column)).map(|m| m.kind)
    }

    /// Whether the policy hides nothing of a catalogue.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.can_query && self.schemas.is_none() && self.tables.is_none() && self.masks.is_empty()
    }

    /// The part of a catalogue that this user may see; masked columns keep their names and lose their sample values.
    #[must_use]
    pub fn visible(&self, schema: &SourceSchema) -> SourceSchema {
        let mut seen = SourceSchema { schemas: Default::default(), ..schema.clone() };
        for (schema_name, table_name, table) in schema.tables() {
            if !self.allows(schema_name, table_name, &schema.default_schema) {
                continue;
            }
            let mut table = table.clone();
            for (column_name, column) in &mut table.columns {
                if self.mask(schema_name, table_name, column_name).is_some() {
                    column.values.clear();
                    column.profile = None;
                }
            }
            table.foreign_keys.retain(|key| self.allows(&key.ref_schema, &key.ref_table, &schema.default_schema));
            seen.schemas.entry(schema_name.to_owned()).or_default().insert(table_name.to_owned(), table);
        }
        seen
    }

    // PostgreSQL's `"Secret"` and `secret` are two tables; MySQL and SQLite compare without case.
    fn same_name(&self, a: &str, b: &str) -> bool {
        match self.db_type {
            DbType::Postgresql => a == b,
            DbType::Mysql | DbType::Sqlite => a.eq_ignore_ascii_case(b),
        }
    }
}
