//! A SQLite file's catalogue. SQLite keeps no comments, and its types are the words of the CREATE statements.

use std::collections::BTreeMap;

use datagenie_common::model::schemas::{ForeignKey, SourceSchema, Table, TableColumn};
use rusqlite::{Connection, ErrorCode, Result};

use crate::sources::{SchemaLimits, sql_text::quote_identifier};

/// The schema of the file itself; nothing is ever attached.
pub(super) const SCHEMA: &str = "main";

/// Shadow tables of full-text indexes and SQLite's own tables are left out.
const RELATIONS: &str = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT ?1";

/// 1 marks the hidden columns of virtual tables; generated columns are like others.
const COLUMNS: &str = "SELECT cid, name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
const FOREIGN_KEYS: &str = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
const INDEXES: &str = "SELECT name FROM pragma_index_list(?1) WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/// Reads the catalogue. Relations that SQLite itself cannot resolve (a view over a dropped table) are left out.
pub(super) fn read(connection: &Connection, limits: &SchemaLimits) -> Result<SourceSchema> {
    let most = i64::try_from(limits.max_tables).unwrap_or(i64::MAX);
    let mut statement = connection.prepare(RELATIONS)?;
    let relations: Vec<(String, String)> = statement.query_map([most], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let statistics = statistics(connection);
    let mut tables = BTreeMap::new();
    for (name, kind) in relations {
        match table(connection, &name, &kind, &statistics) {
            Ok(table) => {
                tables.insert(name, table);
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => {
                tracing::debug!("a relation that SQLite cannot resolve is left out of the catalogue");
            }
            Err(error) => return Err(error),
        }
    }
    resolve_keys(&mut tables);
    let schemas = BTreeMap::from([(SCHEMA.to_owned(), tables)]);
    Ok(SourceSchema { default_schema: SCHEMA.to_owned(), schemas, cached_at: None })
}

fn table(connection: &Connection, name: &str, kind: &str, statistics: &BTreeMap<String, u64>) -> Result<Table> {
    let kind = if kind == "view" { "view" } else { "table" };
    let mut table = Table { kind: kind.to_owned(), ..Table::default() };
    let mut statement = connection.prepare_cached(COLUMNS)?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let (position, not_null, key): (u32, bool, u32) = (row.get(0)?, row.get(3)?, row.get(5)?);
        let column = TableColumn {
            position: position + 1,
            data_type: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            nullable: !not_null && key == 0,
            default: row.get(4)?,
            primary_key: key > 0,
            ..TableColumn::default()
        };
        table.columns.insert(row.get(1)?, column);
    }
    table.foreign_keys = foreign_keys(connection, name)?;
    let mut statement = connection.prepare_cached(INDEXES)?;
    table.indexes = statement.query_map([name], |row| row.get(0))?.collect::<Result<_>>()?;
    if kind == "table" {
        table.row_estimate = statistics.get(name).copied().or_else(|| highest_rowid(connection, name));
    }
    Ok(table)
}

fn foreign_keys(connection: &Connection, name: &str) -> Result<Vec<ForeignKey>> {
    let mut statement = connection.prepare_cached(FOREIGN_KEYS)?;
    let mut rows = statement.query([name])?;
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key = keys.entry(row.get(0)?).or_default();
        key.ref_schema = SCHEMA.to_owned();
        key.ref_table = row.get(1)?;
        key.columns.push(row.get(2)?);
        // None: the primary key of the other table, which is filled in when all tables are known.
        key.ref_columns.extend(row.get::<_, Option<String>>(3)?);
    }
    Ok(keys.into_values().collect())
}

/// Gives keys the catalogue's own spelling and the primary keys they leave unsaid. Keys to tables that are not there are dropped.
fn resolve_keys(tables: &mut BTreeMap<String, Table>) {
    let primary_keys: BTreeMap<String, (String, Vec<String>)> = tables
        .iter()
        .map(|(name, table)| {
            let key = table.ordered_columns().into_iter().filter(|(_, column)| column.primary_key);
            (name.to_ascii_lowercase(), (name.clone(), key.map(|(name, _)| name.to_owned()).collect()))
        })
        .collect();
    for table in tables.values_mut() {
        table.foreign_keys.retain_mut(|key| {
            let Some((name, primary_key)) = primary_keys.get(&key.ref_table.to_ascii_lowercase()) else { return false };
            key.ref_table.clone_from(name);
            if key.ref_columns.is_empty() {
                key.ref_columns.clone_from(primary_key);
            }
            key.ref_columns.len() == key.columns.len()
        });
    }
}

/// Row counts of the last ANALYZE, if there was one.
fn statistics(connection: &Connection) -> BTreeMap<String, u64> {
    let read = || -> Result<Vec<(String, Option<String>)>> {
        let mut statement = connection.prepare("SELECT tbl, stat FROM sqlite_stat1")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    // No such table: never analysed.
    let lines = read().unwrap_or_default();
    let first = |stat: Option<String>| stat.and_then(|stat| stat.split(' ').next().and_then(|rows| rows.parse().ok()));
    lines.into_iter().filter_map(|(table, stat)| Some((table, first(stat)?))).collect()
}

/// A look at the end of the table's tree. Too high where rows were deleted; none for tables without row ids.
fn highest_rowid(connection: &Connection, name: &str) -> Option<u64> {
    let sql = format!("SELECT max(rowid) FROM {}", quote_identifier(name));
    let highest: Option<i64> = connection.query_row(&sql, [], |row| row.get(0)).ok()?;
    Some(u64::try_from(highest.unwrap_or(0)).unwrap_or(0))
}
