//! A PostgreSQL database's catalogue, as far as the role can read: what it cannot select from is not there.

use std::collections::HashMap;

use datagenie_common::model::schemas::{ForeignKey, SourceSchema, Table, TableColumn};
use futures::TryStreamExt as _;
use sqlx::{
    PgConnection, Row as _,
    postgres::{PgRow, types::Oid},
};
use tokio::time::{Duration, timeout};

use super::{connect::Sessions, errors};
use crate::sources::{SchemaLimits, SourceError};

/// The schema that unqualified names mean: sessions have a fixed search path.
const DEFAULT_SCHEMA: &str = "public";

/// Partitions are left out, their parents stand for them.
const RELATIONS: &str = "SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, \
    c.reltuples::float8 AS rows, obj_description(c.oid, 'pg_class') AS comment \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND has_schema_privilege(n.oid, 'USAGE') \
    AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')) \
    ORDER BY 2, 3 LIMIT $1";

const COLUMNS: &str = "SELECT a.attrelid AS oid, a.attnum::int4 AS position, a.attname::text AS name, \
    format_type(a.atttypid, a.atttypmod) AS type, NOT (a.attnotnull OR t.typnotnull) AS nullable, \
    pg_get_expr(d.adbin, d.adrelid) AS default, col_description(a.attrelid, a.attnum) AS comment, \
    t.typcategory IN ('S', 'E') AS textual \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') \
    ORDER BY a.attrelid, a.attnum";

const KEYS: &str = "SELECT k.conrelid AS oid, k.contype::text AS kind, \
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(number, place) \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place) AS columns, \
    n.nspname::text AS ref_schema, c.relname::text AS ref_table, \
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(number, place) \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place) AS ref_columns \
    FROM pg_catalog.pg_constraint k \
    LEFT JOIN pg_catalog.pg_class c ON c.oid = k.confrelid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE k.conrelid = ANY($1) AND k.contype IN ('p', 'f') ORDER BY k.conrelid, k.conname";

const INDEXES: &str = "SELECT i.indrelid AS oid, c.relname::text AS name FROM pg_catalog.pg_index i \
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = ANY($1) ORDER BY 1, 2";

/// A relation with what sampling needs to know of it.
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) table: Table,
    /// Columns of string types and enums, in their order.
    pub(super) textual: Vec<String>,
    /// Whether its rows are stored: a view may compute for minutes, a foreign table asks another server.
    pub(super) stored: bool,
}

/// Reads the catalogue in one transaction.
pub(super) async fn read(sessions: &Sessions, limits: &SchemaLimits) -> Result<Vec<Relation>, SourceError> {
    let time = Duration::from_secs(limits.max_seconds);
    let mut session = sessions.begin_to_look(time).await?;
    let most = i64::try_from(limits.max_tables).unwrap_or(i64::MAX);
    let found = match timeout(time, relations(session.connection()?, most)).await {
        Ok(found) => found.map_err(|error| errors::beginning(&error)),
        Err(_elapsed) => {
            session.abort().await;
            return Err(SourceError::Timeout { seconds: limits.max_seconds });
        }
    }?;
    session.finish().await;
    Ok(found)
}

async fn relations(connection: &mut PgConnection, most: i64) -> Result<Vec<Relation>, sqlx::Error> {
    let rows = sqlx::query(RELATIONS).persistent(false).bind(most).fetch_all(&mut *connection).await?;
    let mut oids = Vec::with_capacity(rows.len());
    let mut relations = Vec::with_capacity(rows.len());
    for row in &rows {
        oids.push(row.try_get::<Oid, _>("oid")?);
        relations.push(relation(row)?);
    }
    drop(rows);
    let places: HashMap<u32, usize> = oids.iter().enumerate().map(|(place, oid)| (oid.0, place)).collect();
    let readers: [(&'static str, AddRow); 3] = [(COLUMNS, add_column), (KEYS, add_key), (INDEXES, add_index)];
    for (sql, add) in readers {
        let mut rows = sqlx::query(sql).persistent(false).bind(oids.as_slice()).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let oid: Oid = row.try_get("oid")?;
            if let Some(relation) = places.get(&oid.0).and_then(|place| relations.get_mut(*place)) {
                add(relation, &row)?;
            }
        }
    }
    Ok(relations)
}

type AddRow = fn(&mut Relation, &PgRow) -> Result<(), sqlx::Error>;

fn relation(row: &PgRow) -> Result<Relation, sqlx::Error> {
    let kind: String = row.try_get("kind")?;
    let rows: f64 = row.try_get("rows")?;
    let (words, stored) = match kind.as_str() {
        "v" => ("view", false),
        "m" => ("materialized view", true),
        "f" => ("foreign table", false),
        _ => ("table", true),
    };
    let table = Table {
        kind: words.to_owned(),
        comment: row.try_get("comment")?,
        // -1: never analysed. A view has no rows of its own.
        row_estimate: (kind != "v" && rows >= 0.0).then_some(rows as u64),
        ..Table::default()
    };
    Ok(Relation { schema: row.try_get("schema")?, name: row.try_get("name")?, table, textual: Vec::new(), stored })
}

fn add_column(relation: &mut Relation, row: &PgRow) -> Result<(), sqlx::Error> {
    let name: String = row.try_get("name")?;
    let position: i32 = row.try_get("position")?;
    let column = TableColumn {
        position: u32::try_from(position).unwrap_or_default(),
        data_type: row.try_get("type")?,
        nullable: row.try_get("nullable")?,
        default: row.try_get("default")?,
        comment: row.try_get("comment")?,
        ..TableColumn::default()
    };
    if row.try_get("textual")? {
        relation.textual.push(name.clone());
    }
    relation.table.columns.insert(name, column);
    Ok(())
}

fn add_key(relation: &mut Relation, row: &PgRow) -> Result<(), sqlx::Error> {
    let kind: String = row.try_get("kind")?;
    let columns: Vec<String> = row.try_get("columns")?;
    if kind == "p" {
        for name in columns {
            if let Some(column) = relation.table.columns.get_mut(&name) {
                column.primary_key = true;
            }
        }
        return Ok(());
    }
    let (ref_schema, ref_table): (Option<String>, Option<String>) = (row.try_get("ref_schema")?, row.try_get("ref_table")?);
    if let (Some(ref_schema), Some(ref_table)) = (ref_schema, ref_table) {
        let ref_columns = row.try_get("ref_columns")?;
        relation.table.foreign_keys.push(ForeignKey { columns, ref_schema, ref_table, ref_columns });
    }
    Ok(())
}

fn add_index(relation: &mut Relation, row: &PgRow) -> Result<(), sqlx::Error> {
    relation.table.indexes.push(row.try_get("name")?);
    Ok(())
}

/// The catalogue as it is stored. Foreign keys that touch what the role cannot read are left out: they could not be joined over.
pub(super) fn assemble(relations: Vec<Relation>) -> SourceSchema {
    let mut schema = SourceSchema { default_schema: DEFAULT_SCHEMA.to_owned(), ..SourceSchema::default() };
    for relation in relations {
        schema.schemas.entry(relation.schema).or_default().insert(relation.name, relation.table);
    }
    let readable = schema.clone();
    for table in schema.schemas.values_mut().flat_map(|tables| tables.values_mut()) {
        let columns = &table.columns;
        table.foreign_keys.retain(|key| {
            let target = readable.table(&key.ref_schema, &key.ref_table);
            key.columns.iter().all(|name| columns.contains_key(name))
                && target.is_some_and(|target| key.ref_columns.iter().all(|name| target.columns.contains_key(name)))
        });
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(name: &str, columns: &[&str], keys: &[(&str, &str, &str)]) -> Relation {
        let columns = columns.iter().map(|name| ((*name).to_owned(), TableColumn::default())).collect();
        let foreign_keys = keys
            .iter()
            .map(|(column, table, target)| ForeignKey {
                columns: vec![(*column).to_owned()],
                ref_schema: "public".to_owned(),
                ref_table: (*table).to_owned(),
                ref_columns: vec![(*target).to_owned()],
            })
            .collect();
        let table = Table { columns, foreign_keys, ..Table::default() };
        Relation { schema: "public".to_owned(), name: name.to_owned(), table, textual: Vec::new(), stored: true }
    }

    #[test]
    fn keys_to_what_cannot_be_read_are_left_out() {
        let keys = [("customer_id", "customers", "id"), ("secret_id", "secrets", "id"), ("customer_id", "customers", "hidden")];
        let schema = assemble(vec![relation("customers", &["id"], &[]), relation("orders", &["id", "customer_id", "secret_id"], &keys)]);
        let orders = schema.table("public", "orders").expect("it was given");
        assert_eq!(orders.foreign_keys.len(), 1);
        assert_eq!(orders.foreign_keys[0].ref_table, "customers");
        assert_eq!(schema.default_schema, "public");
    }
}
