//! The statements that make the tables and their indexes.

use std::collections::{HashMap, HashSet};

use datagenie_common::{
    analyses::{Analysis, PRIMARY_KEY, REFERENCE},
    model::workbooks::SheetColumnType,
};

use crate::tables::{Table, TypedColumn};

/// A table and a column by their names.
type Name = (String, String);

/// The keys and references that an analysis found.
pub(super) struct Keys {
    primary: HashSet<Name>,
    references: HashMap<Name, Name>,
}

impl Keys {
    pub(super) fn of(analysis: &Analysis) -> Self {
        let mut keys = Self { primary: HashSet::new(), references: HashMap::new() };
        for relation in &analysis.relations {
            let name = (relation.table.clone(), relation.column.clone());
            match (relation.kind.as_str(), &relation.other_table, &relation.other_column) {
                (PRIMARY_KEY, _, _) => {
                    keys.primary.insert(name);
                }
                (REFERENCE, Some(table), Some(column)) => {
                    keys.references.insert(name, (table.clone(), column.clone()));
                }
                _ => {}
            }
        }
        keys
    }

    pub(super) fn is_primary(&self, table: &str, column: &str) -> bool {
        self.primary.contains(&(table.to_owned(), column.to_owned()))
    }

    pub(super) fn target(&self, table: &str, column: &str) -> Option<&Name> {
        self.references.get(&(table.to_owned(), column.to_owned()))
    }
}

/// A name as SQL writes it. A NUL would end the statement, and is no part of a name on a sheet that people see.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "\u{FFFD}").replace('"', "\"\""))
}

/// Makes an empty table.
pub(super) fn create(table: &Table, keys: &Keys) -> String {
    let column = |column: &TypedColumn| {
        let mut sql = format!("{} {}", quoted(&column.name), declared(column.kind));
        if keys.is_primary(&table.name, &column.name) {
            sql.push_str(" PRIMARY KEY NOT NULL");
        }
        if let Some((other, key)) = keys.target(&table.name, &column.name) {
            sql.push_str(&format!(" REFERENCES {} ({})", quoted(other), quoted(key)));
        }
        sql
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    format!("CREATE TABLE {} ({})", quoted(&table.name), columns.join(", "))
}

/// Indexes on the columns that refer to keys; keys have theirs already.
pub(super) fn indexes(tables: &[Table], keys: &Keys) -> String {
    // Names of tables and indexes share one space.
    let taken: HashSet<String> = tables.iter().map(|table| table.name.to_lowercase()).collect();
    let mut sql = String::new();
    for (number, table) in tables.iter().enumerate() {
        for column in table.columns.iter().filter(|column| keys.target(&table.name, &column.name).is_some()) {
            if keys.is_primary(&table.name, &column.name) {
                continue;
            }
            let mut name = format!("ix_{}_{}", number + 1, column.col + 1);
            while taken.contains(&name) {
                name.push('_');
            }
            sql.push_str(&format!("CREATE INDEX {} ON {} ({});", quoted(&name), quoted(&table.name), quoted(&column.name)));
        }
    }
    sql
}

fn declared(kind: SheetColumnType) -> &'static str {
    match kind {
        SheetColumnType::Integer => "INTEGER",
        SheetColumnType::Number => "REAL",
        SheetColumnType::Text | SheetColumnType::Mixed | SheetColumnType::Empty => "TEXT",
        SheetColumnType::Date => "DATE",
        SheetColumnType::Timestamp => "DATETIME",
        SheetColumnType::Time => "TIME",
        SheetColumnType::Boolean => "BOOLEAN",
    }
}
