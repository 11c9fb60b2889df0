//! A PostgreSQL database's catalogue, as far as the role can read: what it cannot select from is not there.

use std::collections::HashMap;

use datagenie_common::model::schemas::{ForeignKey, SourceSchema, Table, TableColumn};
use tokio::time::{Duration, timeout};

use super::{
    connect::Sessions,
    errors,
    session::Session,
    wire::{Batch, OwnRow, WireError},
};
use crate::sources::{SchemaLimits, SourceError, foreign_keys};

/// The schema that unqualified names mean: sessions have a fixed search path.
const DEFAULT_SCHEMA: &str = "public";

/// Partitions are left out, their parents stand for them. Of comments and defaults, which may be of any size, a beginning is read.
const RELATIONS: &str = "SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, \
    c.reltuples::float8 AS rows, left(obj_description(c.oid, 'pg_class'), 1000) AS comment \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND has_schema_privilege(n.oid, 'USAGE') \
    AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')) \
    ORDER BY 2, 3 LIMIT $1";

const COLUMNS: &str = "SELECT a.attrelid AS oid, a.attnum AS position, a.attname::text AS name, \
    format_type(a.atttypid, a.atttypmod) AS type, NOT (a.attnotnull OR t.typnotnull) AS nullable, \
    left(pg_get_expr(d.adbin, d.adrelid), 1000) AS default, left(col_description(a.attrelid, a.attnum), 1000) AS comment \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') \
    ORDER BY a.attrelid, a.attnum";

const KEYS: &str = "SELECT k.conrelid AS oid, k.contype::text AS kind, \
    to_json(ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(number, place) \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place)) AS columns, \
    n.nspname::text AS ref_schema, c.relname::text AS ref_table, \
    to_json(ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(number, place) \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place)) AS ref_columns \
    FROM pg_catalog.pg_constraint k \
    LEFT JOIN pg_catalog.pg_class c ON c.oid = k.confrelid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE k.conrelid = ANY($1) AND k.contype IN ('p', 'f') ORDER BY k.conrelid, k.conname";

const INDEXES: &str = "SELECT i.indrelid AS oid, c.relname::text AS name FROM pg_catalog.pg_index i \
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = ANY($1) ORDER BY 1, 2";

/// A relation that was read.
struct Relation {
    schema: String,
    name: String,
    table: Table,
}

/// Reads the catalogue in one transaction.
pub(super) async fn read(sessions: &Sessions, limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
    let time = Duration::from_secs(limits.max_seconds);
    let most = limits.max_tables.to_string();
    let mut batch = Batch::default();
    batch.query(RELATIONS, &[&most])?;
    let mut session = sessions.begin_to_look(time, &batch).await?;
    let Ok(found) = timeout(time, relations(&mut session)).await else {
        session.abort().await;
        return Err(SourceError::Timeout { seconds: limits.max_seconds });
    };
    let found = found.map_err(|error| errors::looking(&error, limits.max_seconds))?;
    session.finish().await;
    Ok(assemble(found))
}

async fn relations(session: &mut Session) -> Result<Vec<Relation>, WireError> {
    let wire = session.wire().map_err(|_over| WireError::Closed)?;
    let mut places = HashMap::new();
    let mut relations = Vec::new();
    wire.each(|mut row| {
        places.insert(row.number::<u32>()?, relations.len());
        relations.push(relation(&mut row)?);
        Ok(())
    })
    .await?;
    let oids = places.keys().map(u32::to_string).collect::<Vec<_>>().join(",");
    let oids = format!("{{{oids}}}");
    let readers: [(&str, AddRow); 3] = [(COLUMNS, add_column), (KEYS, add_key), (INDEXES, add_index)];
    let mut batch = Batch::default();
    for (sql, _) in readers {
        batch.query(sql, &[&oids]).map_err(|_unsendable| WireError::Protocol)?;
    }
    batch.rollback().map_err(|_unsendable| WireError::Protocol)?;
    wire.send(&batch).await?;
    for (_, add) in readers {
        wire.each(|mut row| {
            let oid: u32 = row.number()?;
            match places.get(&oid).and_then(|place| relations.get_mut(*place)) {
                Some(relation) => add(relation, &mut row),
                None => Ok(()),
            }
        })
        .await?;
    }
    Ok(relations)
}

type AddRow = fn(&mut Relation, &mut OwnRow) -> Result<(), WireError>;

fn relation(row: &mut OwnRow) -> Result<Relation, WireError> {
    let (schema, name, kind): (String, String, String) = (row.text()?, row.text()?, row.text()?);
    let rows: f64 = row.number()?;
    let table = Table {
        kind: match kind.as_str() {
            "v" => "view",
            "m" => "materialized view",
            "f" => "foreign table",
            _ => "table",
        }
        .to_owned(),
        comment: row.maybe()?,
        // -1: never analysed. A view has no rows of its own.
        row_estimate: (kind != "v" && rows >= 0.0).then_some(rows as u64),
        ..Table::default()
    };
    Ok(Relation { schema, name, table })
}

fn add_column(relation: &mut Relation, row: &mut OwnRow) -> Result<(), WireError> {
    let position = row.number()?;
    let name = row.text()?;
    let column = TableColumn {
        position,
        data_type: row.text()?,
        nullable: row.flag()?,
        default: row.maybe()?,
        comment: row.maybe()?,
        ..TableColumn::default()
    };
    relation.table.columns.insert(name, column);
    Ok(())
}

fn add_key(relation: &mut Relation, row: &mut OwnRow) -> Result<(), WireError> {
    let kind = row.text()?;
    let columns = row.list()?;
    if kind == "p" {
        for name in columns {
            if let Some(column) = relation.table.columns.get_mut(&name) {
                column.primary_key = true;
            }
        }
        return Ok(());
    }
    if let (Some(ref_schema), Some(ref_table)) = (row.maybe()?, row.maybe()?) {
        let ref_columns = row.list()?;
        relation.table.foreign_keys.push(ForeignKey { columns, ref_schema, ref_table, ref_columns });
    }
    Ok(())
}

fn add_index(relation: &mut Relation, row: &mut OwnRow) -> Result<(), WireError> {
    relation.table.indexes.push(row.text()?);
    Ok(())
}

/// The catalogue as it is stored.
fn assemble(relations: Vec<Relation>) -> SourceSchema {
    let mut schema = SourceSchema { default_schema: DEFAULT_SCHEMA.to_owned(), ..SourceSchema::default() };
    for relation in relations {
        schema.schemas.entry(relation.schema).or_default().insert(relation.name, relation.table);
    }
    foreign_keys::keep_readable(&mut schema);
    schema
}
