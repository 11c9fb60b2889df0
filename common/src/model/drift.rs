//! What changed between two readings of a customer database's catalogue: tables, columns, their types, nullability and keys. Comments,
//! estimates and profiles change all the time and are no drift.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schemas::{SourceSchema, Table, TableColumn};

/// Entries of each list; the totals tell how many there are in all.
pub const DRIFT_ENTRIES: usize = 100;
/// Characters of a name or type that an entry shows: SQLite's may have thousands.
const SHOWN_CHARS: usize = 200;

/// What changed. Tables are named as people write them: without the schema if that is the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Tables and views that came.
    pub tables_added: Vec<String>,
    /// Tables and views that went.
    pub tables_removed: Vec<String>,
    /// Columns that came, of tables that there were before.
    pub columns_added: Vec<ColumnName>,
    /// Columns that went, of tables that there still are.
    pub columns_removed: Vec<ColumnName>,
    /// Columns whose type, nullability or keys changed.
    pub columns_changed: Vec<ColumnChange>,
    /// How many there are of each.
    pub total: Totals,
}

/// How many entries there are, however many a [`Drift`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Of [`Drift::tables_added`].
    pub tables_added: usize,
    /// Of [`Drift::tables_removed`].
    pub tables_removed: usize,
    /// Of [`Drift::columns_added`].
    pub columns_added: usize,
    /// Of [`Drift::columns_removed`].
    pub columns_removed: usize,
    /// Of [`Drift::columns_changed`].
    pub columns_changed: usize,
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnName {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

/// A column that is not what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnChange {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What it was, such as `integer not null references customers(id)`.
    pub from: String,
    /// What it is.
    pub to: String,
}

/// What changed from one reading to the next; none: nothing that counts.
#[must_use]
pub fn between(old: &SourceSchema, new: &SourceSchema) -> Option<Drift> {
    let mut drift = Drift::default();
    for (schema, name, table) in new.tables() {
        let shown = cut(&new.display_name(schema, name));
        match old.table(schema, name) {
            None => note(&mut drift.tables_added, &mut drift.total.tables_added, || shown.clone()),
            Some(before) => drift.compare(&shown, (old, before), (new, table)),
        }
    }
    for (schema, name, _) in old.tables().filter(|(schema, name, _)| new.table(schema, name).is_none()) {
        note(&mut drift.tables_removed, &mut drift.total.tables_removed, || cut(&old.display_name(schema, name)));
    }
    (drift.total != Totals::default()).then_some(drift)
}

impl Drift {
    fn compare(&mut self, table: &str, (old, before): (&SourceSchema, &Table), (new, now): (&SourceSchema, &Table)) {
        let named = |column: &str| ColumnName { table: table.to_owned(), column: cut(column) };
        let (keys_before, keys_now) = (references(old, before), references(new, now));
        for (name, column) in &now.columns {
            let Some(was) = before.columns.get(name) else {
                note(&mut self.columns_added, &mut self.total.columns_added, || named(name));
                continue;
            };
            let (from, to) = (described(name, was, &keys_before), described(name, column, &keys_now));
            if from != to {
                note(&mut self.columns_changed, &mut self.total.columns_changed, || {
                    let ColumnName { table, column } = named(name);
                    ColumnChange { table, column, from: cut(&from), to: cut(&to) }
                });
            }
        }
        for name in before.columns.keys().filter(|name| !now.columns.contains_key(*name)) {
            note(&mut self.columns_removed, &mut self.total.columns_removed, || named(name));
        }
    }
}

// Counts all, and lists the first ones.
fn note<T>(list: &mut Vec<T>, total: &mut usize, entry: impl FnOnce() -> T) {
    *total += 1;
    if list.len() < DRIFT_ENTRIES {
        list.push(entry());
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Where the columns of a table point to, by column; in one order, however the source lists its keys.
fn references<'a>(schema: &SourceSchema, table: &'a Table) -> BTreeMap<&'a str, Vec<String>> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for key in &table.foreign_keys {
        let to = schema.display_name(&key.ref_schema, &key.ref_table);
        for (column, target) in key.columns.iter().zip(&key.ref_columns) {
            found.entry(column).or_default().push(format!("{to}({target})"));
        }
    }
    found.values_mut().for_each(|targets| targets.sort_unstable());
    found
}

fn described(name: &str, column: &TableColumn, references: &BTreeMap<&str, Vec<String>>) -> String {
    let mut text = column.data_type.clone();
    if !column.nullable {
        text.push_str(" not null");
    }
    if column.primary_key {
        text.push_str(" primary key");
    }
    for target in references.get(name).into_iter().flatten() {
        text.push_str(" references ");
        text.push_str(target);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schemas::{ColumnProfile, ForeignKey};

    fn column(data_type: &str) -> TableColumn {
        TableColumn { data_type: data_type.to_owned(), nullable: true, ..TableColumn::default() }
    }

    fn schema(tables: &[(&str, &[(&str, &str)])]) -> SourceSchema {
        let mut made = SourceSchema { default_schema: "public".to_owned(), ..SourceSchema::default() };
        for (name, columns) in tables {
            let columns = columns.iter().map(|(name, data_type)| ((*name).to_owned(), column(data_type))).collect();
            let table = Table { kind: "table".to_owned(), columns, ..Table::default() };
            made.schemas.entry("public".to_owned()).or_default().insert((*name).to_owned(), table);
        }
        made
    }

    fn table<'a>(schema: &'a mut SourceSchema, name: &str) -> &'a mut Table {
        schema.schemas.get_mut("public").and_then(|tables| tables.get_mut(name)).expect("the table was made")
    }

    #[test]
    fn what_is_found_out_by_looking_at_rows_is_no_drift() {
        let old = schema(&[("orders", &[("id", "integer")])]);
        let mut new = old.clone();
        let orders = table(&mut new, "orders");
        (orders.row_estimate, orders.comment) = (Some(7), Some("주문".to_owned()));
        orders.indexes.push("orders_pkey".to_owned());
        let id = orders.columns.get_mut("id").expect("a column");
        (id.values, id.profile) = (vec!["1".to_owned()], Some(ColumnProfile::default()));
        assert_eq!(between(&old, &new), None);
        assert_eq!(between(&old, &old), None);
    }

    #[test]
    fn tables_and_columns_come_go_and_change() {
        let old = schema(&[("orders", &[("id", "integer"), ("note", "text")]), ("gone", &[("id", "integer")])]);
        let mut new = schema(&[("orders", &[("id", "bigint"), ("paid", "boolean")]), ("returns", &[("id", "integer")])]);
        new.schemas.insert("hr".to_owned(), BTreeMap::from([("pay".to_owned(), Table::default())]));
        let drift = between(&old, &new).expect("it changed");
        let named = |column: &str| ColumnName { table: "orders".to_owned(), column: column.to_owned() };
        assert_eq!(drift.tables_added, ["hr.pay", "returns"]);
        assert_eq!(drift.tables_removed, ["gone"]);
        assert_eq!((drift.columns_added, drift.columns_removed), (vec![named("paid")], vec![named("note")]));
        let [changed] = &drift.columns_changed[..] else { panic!("one column changed: {:?}", drift.columns_changed) };
        assert_eq!((changed.column.as_str(), changed.from.as_str(), changed.to.as_str()), ("id", "integer", "bigint"));
        let total = Totals { tables_added: 2, tables_removed: 1, columns_added: 1, columns_removed: 1, columns_changed: 1 };
        assert_eq!(drift.total, total);
    }

    #[test]
    fn nullability_and_keys_count() {
        let old = schema(&[("orders", &[("id", "integer"), ("customer_id", "integer")]), ("customers", &[("id", "integer")])]);
        let mut new = old.clone();
        let orders = table(&mut new, "orders");
        orders.columns.get_mut("id").expect("a column").primary_key = true;
        orders.columns.get_mut("customer_id").expect("a column").nullable = false;
        orders.foreign_keys.push(ForeignKey {
            columns: vec!["customer_id".to_owned()],
            ref_schema: "public".to_owned(),
            ref_table: "customers".to_owned(),
            ref_columns: vec!["id".to_owned()],
        });
        let drift = between(&old, &new).expect("it changed");
        let to: Vec<&str> = drift.columns_changed.iter().map(|change| change.to.as_str()).collect();
        assert_eq!(to, ["integer not null references customers(id)", "integer primary key"]);
        // The same keys in another order are the same.
        let mut turned = new.clone();
        let key = ForeignKey { ref_table: "others".to_owned(), ..table(&mut new, "orders").foreign_keys[0].clone() };
        table(&mut new, "orders").foreign_keys.push(key.clone());
        table(&mut turned, "orders").foreign_keys.insert(0, key);
        assert_eq!(between(&new, &turned), None);
    }

    #[test]
    fn lists_are_bounded_and_totals_are_whole() {
        let names: Vec<String> = (0..DRIFT_ENTRIES + 50).map(|n| format!("t{n:03}")).collect();
        let tables: Vec<(&str, &[(&str, &str)])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
        let drift = between(&SourceSchema::default(), &schema(&tables)).expect("it changed");
        assert_eq!((drift.tables_added.len(), drift.total.tables_added), (DRIFT_ENTRIES, DRIFT_ENTRIES + 50));
        let long = between(&SourceSchema::default(), &schema(&[("한".repeat(500).as_str(), &[])])).expect("it changed");
        assert_eq!(long.tables_added[0].chars().count(), SHOWN_CHARS + 1);
    }
}
