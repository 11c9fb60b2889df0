//! A MySQL server's catalogue, as far as the role can read: what it cannot select from is not there, column by column. The default
//! schema is the connection's database; others that the role can read are there too, because a statement may name them.
//!
//! The server's views on its own tables are quick only for one database at a time, so each is asked for by itself.

use std::{collections::BTreeMap, time::Duration};

use datagenie_common::model::schemas::{ForeignKey, SourceSchema, Table, TableColumn};
use futures::{FutureExt as _, TryStreamExt as _};
use mysql_async::{Conn, Error, Row, prelude::Queryable as _};

use super::{cells, connect::Sessions, server::Bounds};
use crate::sources::{SchemaLimits, SourceError, foreign_keys};

/// The databases that are the server's own. Spelt as in `guard/catalog.rs`, which refuses them by name.
const SYSTEM: [&str; 5] = ["mysql", "information_schema", "performance_schema", "sys", "ndbinfo"];

const SCHEMAS: &str = "SELECT SCHEMA_NAME, DATABASE() FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME";

const TABLES: &str = "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, TABLE_COMMENT FROM information_schema.TABLES \
    WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME LIMIT ?";
/// Engines whose tables are on other servers or in files.
const FOREIGN: [&str; 5] = ["FEDERATED", "CONNECT", "SPIDER", "OQGRAPH", "S3"];

const COLUMNS: &str = "SELECT TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLUMN_KEY, \
    COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND FIND_IN_SET('select', PRIVILEGES)";

const KEYS: &str = "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
    REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = ? AND REFERENCED_TABLE_NAME IS NOT NULL \
    ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION";

const INDEXES: &str = "SELECT DISTINCT TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? ORDER BY 1, 2";

/// Reads the catalogue.
pub(super) async fn read(sessions: &Sessions, limits: &SchemaLimits) -> Result<SourceSchema, SourceError> {
    let time = Duration::from_secs(limits.max_seconds);
    let session = sessions.begin_to_look(&Bounds::look(time)).await?;
    let most = limits.max_tables;
    session.look(time, move |conn| schemas(conn, most).boxed()).await
}

async fn schemas(conn: &mut Conn, most: usize) -> Result<SourceSchema, Error> {
    let rows: Vec<Row> = conn.query(SCHEMAS).await?;
    let database = rows.first().and_then(|row| cells::text(row, 1)).unwrap_or_default();
    let names = own_first(rows.iter().filter_map(|row| cells::text(row, 0)).collect(), &database);
    let mut found = SourceSchema { default_schema: names.first().cloned().unwrap_or(database), ..SourceSchema::default() };
    let mut left = most;
    for name in names {
        if SYSTEM.iter().any(|system| name.eq_ignore_ascii_case(system)) || left == 0 {
            continue;
        }
        let tables = tables(conn, &name, left).await?;
        left -= tables.len().min(left);
        if !tables.is_empty() {
            found.schemas.insert(name, tables);
        }
    }
    foreign_keys::keep_readable(&mut found);
    Ok(found)
}

/// The names with the connection's own database first: it is what a limit leaves. It is told as the server writes it, which may be
/// another case than the configuration's.
fn own_first(mut names: Vec<String>, database: &str) -> Vec<String> {
    let exactly = names.iter().position(|name| name == database);
    let own = exactly.or_else(|| names.iter().position(|name| name.eq_ignore_ascii_case(database)));
    let own = own.map_or_else(|| database.to_owned(), |place| names.remove(place));
    names.insert(0, own);
    names
}

type Tables = BTreeMap<String, Table>;

async fn tables(conn: &mut Conn, schema: &str, most: usize) -> Result<Tables, Error> {
    let mut tables = Tables::new();
    let rows: Vec<Row> = conn.exec(TABLES, (schema, u64::try_from(most).unwrap_or(u64::MAX))).await?;
    for row in &rows {
        if let Some(name) = cells::text(row, 0) {
            tables.insert(name, table(row));
        }
    }
    let readers: [(&'static str, AddRow); 3] = [(COLUMNS, add_column), (KEYS, add_key), (INDEXES, add_index)];
    for (sql, add) in readers {
        let mut result = conn.exec_iter(sql, (schema,)).await?;
        let Some(mut rows) = result.stream::<Row>().await? else { continue };
        let mut adding = Adding::default();
        while let Some(row) = rows.try_next().await? {
            if let Some(table) = cells::text(&row, 0).and_then(|name| tables.get_mut(&name)) {
                add(table, &row, &mut adding);
            }
        }
    }
    // The list of tables has those that the role may do anything with; only those that it can read have columns.
    tables.retain(|_, table| !table.columns.is_empty());
    Ok(tables)
}

/// What adding a row must know of the row before.
#[derive(Default)]
struct Adding {
    /// The table and the constraint of the last key.
    key: Option<(String, String)>,
}

type AddRow = fn(&mut Table, &Row, &mut Adding);

fn table(row: &Row) -> Table {
    let cell = |column| cells::text(row, column).filter(|text| !text.is_empty());
    let is_view = cell(1).is_some_and(|kind| kind == "VIEW");
    let is_foreign = cell(2).is_some_and(|engine| FOREIGN.iter().any(|foreign| engine.eq_ignore_ascii_case(foreign)));
    let kind = match (is_view, is_foreign) {
        (true, _) => "view",
        (false, true) => "foreign table",
        (false, false) => "table",
    };
    Table {
        kind: kind.to_owned(),
        row_estimate: if is_view { None } else { cells::count(row, 3) },
        // Of a view the server says that it is one.
        comment: cell(4).filter(|_| !is_view),
        ..Table::default()
    }
}

fn add_column(table: &mut Table, row: &Row, _adding: &mut Adding) {
    let cell = |column| cells::text(row, column);
    let Some(name) = cell(1) else { return };
    let column = TableColumn {
        position: cells::count(row, 2).and_then(|position| u32::try_from(position).ok()).unwrap_or_default(),
        data_type: cell(3).unwrap_or_default(),
        nullable: cell(4).is_none_or(|nullable| !nullable.eq_ignore_ascii_case("NO")),
        // MariaDB writes the lack of one in words.
        default: cell(5).filter(|default| default != "NULL"),
        primary_key: cell(6).is_some_and(|key| key == "PRI"),
        comment: cell(7).filter(|comment| !comment.is_empty()),
        ..TableColumn::default()
    };
    table.columns.insert(name, column);
}

fn add_key(table: &mut Table, row: &Row, adding: &mut Adding) {
    let cell = |column| cells::text(row, column);
    let (Some(name), Some(constraint), Some(column)) = (cell(0), cell(1), cell(2)) else { return };
    let (Some(ref_schema), Some(ref_table), Some(ref_column)) = (cell(3), cell(4), cell(5)) else { return };
    let this = Some((name, constraint));
    if adding.key != this {
        adding.key = this;
        table.foreign_keys.push(ForeignKey { ref_schema, ref_table, ..ForeignKey::default() });
    }
    if let Some(key) = table.foreign_keys.last_mut() {
        key.columns.push(column);
        key.ref_columns.push(ref_column);
    }
}

fn add_index(table: &mut Table, row: &Row, _adding: &mut Adding) {
    table.indexes.extend(cells::text(row, 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_own_database_comes_first() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(own_first(names(&["Shop", "a", "shop"]), "shop"), ["shop", "Shop", "a"]);
        assert_eq!(own_first(names(&["a", "shop"]), "SHOP"), ["shop", "a"]);
        assert_eq!(own_first(names(&["a"]), "shop"), ["shop", "a"]);
    }
}
