//! What one user may do on one connection: an argument of link, guard, execute, cache key and result reading.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

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
    /// None but those of a permission.
    pub const NONE: Self = Self { max_rows: u64::MAX, max_bytes: u64::MAX, max_seconds: u64::MAX };

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

/// Columns that are looked up by their names, each in one step: a catalogue has tens of thousands of columns, and a connection may have
/// ten thousand masks.
#[derive(Clone, Debug, Default)]
pub struct ColumnSet {
    ignores_case: bool,
    names: HashSet<String>,
}

impl ColumnSet {
    /// Columns, each by its schema, its table and its name. `ignores_case`: names that differ in the case of letters alone are the same.
    #[must_use]
    pub fn new<'n>(columns: impl IntoIterator<Item = [&'n str; 3]>, ignores_case: bool) -> Self {
        let mut set = Self { ignores_case, names: HashSet::new() };
        for column in columns {
            let name = set.name(column);
            set.names.insert(name);
        }
        set
    }

    /// The columns of these masks.
    #[must_use]
    pub fn of<'m>(masks: impl IntoIterator<Item = &'m ColumnMask>, ignores_case: bool) -> Self {
        Self::new(masks.into_iter().map(|mask| [mask.schema.as_str(), mask.table.as_str(), mask.column.as_str()]), ignores_case)
    }

    /// Whether this column is one of them.
    #[must_use]
    pub fn contains(&self, schema: &str, table: &str, column: &str) -> bool {
        !self.names.is_empty() && self.names.contains(&self.name([schema, table, column]))
    }

    // No name holds a NUL.
    fn name(&self, column: [&str; 3]) -> String {
        let mut name = column.join("\0");
        if self.ignores_case {
            name.make_ascii_lowercase();
        }
        name
    }
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
        let reach = Reach::of(self, &schema.default_schema);
        let mut seen =
            SourceSchema { default_schema: schema.default_schema.clone(), schemas: BTreeMap::new(), cached_at: schema.cached_at };
        for (schema_name, table_name, table) in schema.tables() {
            if !reach.allows(schema_name, table_name) {
                continue;
            }
            let mut table = table.clone();
            for (column_name, column) in &mut table.columns {
                if reach.masked.contains(schema_name, table_name, column_name) {
                    column.values.clear();
                    column.profile = None;
                }
            }
            table.foreign_keys.retain(|key| reach.allows(&key.ref_schema, &key.ref_table));
            seen.schemas.entry(schema_name.to_owned()).or_default().insert(table_name.to_owned(), table);
        }
        seen
    }

    // PostgreSQL's `"Secret"` and `secret` are two tables; MySQL and SQLite compare without case.
    fn ignores_case(&self) -> bool {
        match self.db_type {
            DbType::Postgresql => false,
            DbType::Mysql | DbType::Sqlite => true,
        }
    }

    fn same_name(&self, a: &str, b: &str) -> bool {
        if self.ignores_case() { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    /// The form in which names are the same if they mean the same.
    fn folded(&self, name: &str) -> String {
        if self.ignores_case() { name.to_ascii_lowercase() } else { name.to_owned() }
    }
}

/// What a policy allows and masks, for whole catalogues: it decides as [`Policy::allows`] and [`Policy::mask`] do, without going through
/// their lists for each table and column.
struct Reach<'p> {
    policy: &'p Policy,
    default_schema: &'p str,
    schemas: Option<HashSet<String>>,
    tables: Option<HashSet<String>>,
    masked: ColumnSet,
}

impl<'p> Reach<'p> {
    fn of(policy: &'p Policy, default_schema: &'p str) -> Self {
        let set = |names: &Vec<String>| -> HashSet<String> { names.iter().map(|name| policy.folded(name)).collect() };
        let (schemas, tables) = (policy.schemas.as_ref().map(set), policy.tables.as_ref().map(set));
        Self { policy, default_schema, schemas, tables, masked: ColumnSet::of(&policy.masks, policy.ignores_case()) }
    }

    fn allows(&self, schema: &str, table: &str) -> bool {
        let has = |names: &HashSet<String>, name: &str| names.contains(&self.policy.folded(name));
        let schema_allowed = self.schemas.as_ref().is_none_or(|names| has(names, schema));
        let table_allowed = self.tables.as_ref().is_none_or(|names| {
            has(names, &format!("{schema}.{table}")) || (self.policy.same_name(schema, self.default_schema) && has(names, table))
        });
        self.policy.can_query && schema_allowed && table_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schemas::{ColumnProfile, ForeignKey, Table, TableColumn};

    const SCHEMAS: [&str; 3] = ["public", "hr", "HR"];
    const TABLES: [&str; 4] = ["orders", "Orders", "pay", "hr.pay"];

    fn policy(db_type: DbType, schemas: Option<&[&str]>, tables: Option<&[&str]>) -> Policy {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let [schema, table, column] = ["public", "orders", "phone"].map(str::to_owned);
        Policy {
            user_id: UserId::new(),
            connection_id: ConnectionId::new(),
            db_type,
            version: PolicyVersion("u1.c1.p1".to_owned()),
            can_query: true,
            schemas: schemas.map(list),
            tables: tables.map(list),
            masks: vec![ColumnMask { schema, table, column, kind: MaskKind::Phone }],
            limits: Limits { max_rows: 1, max_bytes: 1, max_seconds: 1 },
        }
    }

    /// Every table has these columns, with values, and a key to every table.
    fn catalogue() -> SourceSchema {
        let key =
            |schema: &str, table: &str| ForeignKey { ref_schema: schema.to_owned(), ref_table: table.to_owned(), ..ForeignKey::default() };
        let column = TableColumn { values: vec!["010".to_owned()], profile: Some(ColumnProfile::default()), ..TableColumn::default() };
        let columns = ["id", "phone", "Phone"].map(|name| (name.to_owned(), column.clone()));
        let foreign_keys = SCHEMAS.iter().flat_map(|schema| TABLES.map(|table| key(schema, table))).collect();
        let table = Table { columns: columns.into(), foreign_keys, ..Table::default() };
        let tables: BTreeMap<String, Table> = TABLES.map(|name| (name.to_owned(), table.clone())).into();
        let schemas = SCHEMAS.map(|name| (name.to_owned(), tables.clone())).into();
        SourceSchema { default_schema: "public".to_owned(), schemas, cached_at: None }
    }

    #[test]
    fn what_is_visible_of_a_catalogue_is_what_may_be_read_and_is_not_masked() {
        let schema = catalogue();
        let schemas: [Option<&[&str]>; 4] = [None, Some(&[]), Some(&["hr"]), Some(&["public", "HR"])];
        let tables: [Option<&[&str]>; 6] =
            [None, Some(&[]), Some(&["orders"]), Some(&["hr.pay"]), Some(&["HR.Orders", "pay"]), Some(&["public.hr.pay"])];
        for db_type in [DbType::Postgresql, DbType::Mysql, DbType::Sqlite] {
            for (schemas, tables) in schemas.iter().flat_map(|schemas| tables.iter().map(move |tables| (*schemas, *tables))) {
                let policy = policy(db_type, schemas, tables);
                let seen = policy.visible(&schema);
                for (schema_name, name, table) in schema.tables() {
                    let allowed = policy.allows(schema_name, name, "public");
                    let what = format!("{db_type} {schemas:?} {tables:?}: {schema_name} {name}");
                    let Some(shown) = seen.table(schema_name, name) else {
                        assert!(!allowed, "{what} is hidden");
                        continue;
                    };
                    assert!(allowed, "{what} is shown");
                    for (column_name, column) in &shown.columns {
                        let masked = policy.mask(schema_name, name, column_name).is_some();
                        assert_eq!((column.values.is_empty(), column.profile.is_none()), (masked, masked), "{what} {column_name}");
                    }
                    let keys = table.foreign_keys.iter().filter(|key| policy.allows(&key.ref_schema, &key.ref_table, "public"));
                    assert_eq!(shown.foreign_keys.iter().collect::<Vec<_>>(), keys.collect::<Vec<_>>(), "{what}");
                }
            }
            let closed = Policy { can_query: false, ..policy(db_type, None, None) };
            assert!(closed.visible(&schema).schemas.is_empty(), "{db_type}: who may not query sees nothing");
        }
    }
}
