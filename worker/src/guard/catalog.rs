//! Relations of the catalogue, as the policy lets them be seen.

use datagenie_common::model::{connections::DbType, policies::MaskKind, schemas::Table};
use sqlparser::ast::{Ident, ObjectName};

use super::{
    GuardInput, Relation, names,
    refusal::{Checked, Refusal},
    scope::Column,
};

// Schemas that hold the engine's own tables.
fn is_system_schema(db: DbType, schema: &str) -> bool {
    match db {
        DbType::Postgresql => schema.starts_with("pg_") || schema == "information_schema",
        DbType::Mysql => ["mysql", "information_schema", "performance_schema", "sys", "ndbinfo"].contains(&schema),
        DbType::Sqlite => schema == "temp",
    }
}

/// The catalogue under a policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Catalog<'a> {
    input: &'a GuardInput<'a>,
}

/// A relation that may be read.
#[derive(Clone, Debug)]
pub(super) struct Readable<'a> {
    pub schema: &'a str,
    pub name: &'a str,
    pub table: &'a Table,
}

impl<'a> Catalog<'a> {
    pub fn new(input: &'a GuardInput<'a>) -> Self {
        Self { input }
    }

    fn db(self) -> DbType {
        self.input.policy.db_type
    }

    /// The schema an unqualified name means.
    pub fn default_schema(self) -> &'a str {
        let schema = self.input.schema;
        if !schema.default_schema.is_empty() {
            return &schema.default_schema;
        }
        match self.db() {
            DbType::Mysql => schema.schemas.keys().next().map_or("", String::as_str),
            other => other.default_schema(""),
        }
    }

    /// The relation a name means. One that is not allowed is answered exactly as one that does not exist: nobody learns the names
    /// of tables he may not see.
    pub fn relation(self, name: &ObjectName) -> Checked<Readable<'a>> {
        let (schema, table) = self.split(name)?;
        self.refuse_system(schema, table)?;
        self.find(schema, table).ok_or_else(|| self.unknown(name, table))
    }

    /// Whether the catalogue has a relation of this unqualified name, allowed or not.
    pub fn has(self, table: &Ident) -> bool {
        self.lookup(None, table).is_some()
    }

    fn split(self, name: &ObjectName) -> Checked<(Option<&Ident>, &Ident)> {
        let parts = names::parts(name)?;
        for part in &parts {
            let quotes_a_literal = match self.db() {
                DbType::Postgresql => false,
                DbType::Mysql => matches!(part.quote_style, Some('"' | '\'')),
                DbType::Sqlite => part.quote_style == Some('\''),
            };
            if quotes_a_literal {
                return Err(Refusal::invalid(format!("{part} is a text, not the name of a table."))
                    .hint("Write the name without quotes, or in backticks.")
                    .at(part.span));
            }
        }
        match parts.as_slice() {
            [table] => Ok((None, *table)),
            [schema, table] => Ok((Some(*schema), *table)),
            _ => Err(Refusal::invalid(format!("`{name}` has too many parts.")).hint("Write `table` or `schema.table`.")),
        }
    }

    // The engines' own catalogues are refused by name, whatever the schema cache holds.
    fn refuse_system(self, schema: Option<&Ident>, table: &Ident) -> Checked<()> {
        let table_name = names::text(table).to_ascii_lowercase();
        let by_schema = schema.is_some_and(|schema| is_system_schema(self.db(), &names::text(schema).to_ascii_lowercase()));
        let by_name = match self.db() {
            DbType::Postgresql => schema.is_none() && table_name.starts_with("pg_"),
            DbType::Mysql => false,
            DbType::Sqlite => ["sqlite_", "pragma_", "dbstat"].iter().any(|prefix| table_name.starts_with(prefix)),
        };
        if by_schema || by_name {
            return Err(Refusal::refused("The database's own catalogue can't be queried.")
                .hint("Ask about the tables that hold your data.")
                .at(table.span));
        }
        Ok(())
    }

    fn find(self, schema: Option<&Ident>, table: &Ident) -> Option<Readable<'a>> {
        let found = self.lookup(schema, table)?;
        self.allowed(found.schema, found.name).then_some(found)
    }

    fn lookup(self, schema: Option<&Ident>, table: &Ident) -> Option<Readable<'a>> {
        let db = self.db();
        let schemas = &self.input.schema.schemas;
        let (schema, tables) = match schema {
            None => schemas.get_key_value(self.default_schema()).map(|(name, tables)| (name.as_str(), tables))?,
            Some(ident) => by_name(db, schemas, ident)?,
        };
        let (name, table) = by_name(db, tables, table)?;
        Some(Readable { schema, name, table })
    }

    fn allowed(self, schema: &str, table: &str) -> bool {
        self.input.policy.allows(schema, table, self.default_schema())
    }

    fn unknown(self, name: &ObjectName, table: &Ident) -> Refusal {
        let wanted = names::text(table);
        let visible: Vec<String> = self
            .input
            .schema
            .tables()
            .filter(|(schema, table, _)| self.allowed(schema, table))
            .map(|(schema, table, _)| self.input.schema.display_name(schema, table))
            .collect();
        let message = format!("There is no table `{name}` that you may query.");
        // Where the policy hides anything, a hidden table and an unknown one are answered alike: nobody learns what else there is.
        let policy = self.input.policy;
        let refusal =
            if policy.schemas.is_some() || policy.tables.is_some() { Refusal::denied(message) } else { Refusal::invalid(message) };
        let refusal = refusal.at(table.span);
        match names::nearest(&wanted, visible.iter().map(String::as_str)) {
            Some(near) => refusal.hint(format!("Did you mean `{near}`?")),
            None => refusal.hint("Use only the tables of the schema you were given."),
        }
    }

    /// The relation's columns, in order, with their masks.
    pub fn columns(self, relation: &Readable<'_>) -> Vec<Column> {
        let db = self.db();
        relation
            .table
            .ordered_columns()
            .into_iter()
            .map(|(name, _)| Column {
                key: names::catalog_key(db, name),
                shown: name.to_owned(),
                mask: self.mask(relation, name),
                certain: true,
                hidden: false,
            })
            .collect()
    }

    fn mask(self, relation: &Readable<'_>, column: &str) -> Option<MaskKind> {
        if self.input.policy.masks.is_empty() {
            return None;
        }
        self.input.policy.mask(relation.schema, relation.name, column)
    }

    /// Whether the policy masks anything of this relation.
    pub fn has_masks(self, relation: &Readable<'_>) -> bool {
        let same = |a: &str, b: &str| names::catalog_key(self.db(), a) == names::catalog_key(self.db(), b);
        self.input.policy.masks.iter().any(|mask| same(&mask.schema, relation.schema) && same(&mask.table, relation.name))
    }

    /// Whether the policy masks anything at all.
    pub fn any_masks(self) -> bool {
        !self.input.policy.masks.is_empty()
    }
}

impl Readable<'_> {
    pub fn relation(&self) -> Relation {
        Relation { schema: self.schema.to_owned(), table: self.name.to_owned() }
    }
}

// The entry of exactly this name; else, where the engine ignores case, the only one of this name.
fn by_name<'m, V>(db: DbType, map: &'m std::collections::BTreeMap<String, V>, ident: &Ident) -> Option<(&'m str, &'m V)> {
    let wanted = match db {
        DbType::Postgresql => names::key(db, ident),
        DbType::Mysql | DbType::Sqlite => names::text(ident),
    };
    if let Some((name, value)) = map.get_key_value(wanted.as_str()) {
        return Some((name.as_str(), value));
    }
    if db == DbType::Postgresql {
        return None;
    }
    let mut same = map.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&wanted));
    match (same.next(), same.next()) {
        (Some((name, value)), None) => Some((name.as_str(), value)),
        _ => None,
    }
}
