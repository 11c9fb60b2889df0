//! The foreign keys of a catalogue, the same for every server.

use datagenie_common::model::schemas::SourceSchema;

/// Leaves out keys that touch what the role cannot read: they could not be joined over.
pub(super) fn keep_readable(schema: &mut SourceSchema) {
    let readable = schema.clone();
    for table in schema.schemas.values_mut().flat_map(|tables| tables.values_mut()) {
        let columns = &table.columns;
        table.foreign_keys.retain(|key| {
            let target = readable.table(&key.ref_schema, &key.ref_table);
            key.columns.iter().all(|name| columns.contains_key(name))
                && target.is_some_and(|target| key.ref_columns.iter().all(|name| target.columns.contains_key(name)))
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datagenie_common::model::schemas::{ForeignKey, Table, TableColumn};

    use super::*;

    fn table(columns: &[&str], keys: &[(&str, &str, &str)]) -> Table {
        let foreign_keys = keys.iter().map(|(column, table, target)| ForeignKey {
            columns: vec![(*column).to_owned()],
            ref_schema: "shop".to_owned(),
            ref_table: (*table).to_owned(),
            ref_columns: vec![(*target).to_owned()],
        });
        Table {
            columns: columns.iter().map(|name| ((*name).to_owned(), TableColumn::default())).collect(),
            foreign_keys: foreign_keys.collect(),
            ..Table::default()
        }
    }

    #[test]
    fn keys_to_what_cannot_be_read_are_left_out() {
        let keys = [("customer_id", "customers", "id"), ("secret_id", "secrets", "id"), ("customer_id", "customers", "hidden")];
        let tables = [("customers", table(&["id"], &[])), ("orders", table(&["id", "customer_id", "secret_id"], &keys))];
        let tables = tables.into_iter().map(|(name, table)| (name.to_owned(), table)).collect();
        let mut schema = SourceSchema { schemas: BTreeMap::from([("shop".to_owned(), tables)]), ..SourceSchema::default() };
        keep_readable(&mut schema);
        let orders = schema.table("shop", "orders").expect("it was given");
        assert_eq!(orders.foreign_keys.iter().map(|key| key.ref_table.as_str()).collect::<Vec<_>>(), ["customers"]);
    }
}
