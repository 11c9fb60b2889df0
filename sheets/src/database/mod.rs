//! Writes the tables as a SQLite file that questions are asked of.

mod fill;
mod schema;

#[cfg(test)]
mod tests;

use std::{io, path::Path};

use datagenie_common::{
    analyses::Analysis,
    model::workbooks::{Prepared, PreparedColumn, PreparedTable, SheetColumnType},
};
use rusqlite::{Connection, OpenFlags};

use self::schema::Keys;
use crate::{
    analyse::tally::{most_frequent, present},
    error::ReadError,
    tables::{Table, Tables, TypedColumn, Values},
    texts::{TextId, Texts},
};

/// A column of more different values has too many to be told.
const MOST_VALUES: usize = 50;
/// Longer values are no names.
const LONGEST_VALUE: usize = 100;

/// Nobody reads the file before it is whole, and a half-written one is thrown away: no journal, no waiting for the disk. References are
/// what the analysis found, of which some values may have no key, so they are not enforced.
const SETTINGS: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; \
    PRAGMA cache_size = -16384; PRAGMA foreign_keys = OFF;";

/// Writes the SQLite file at `path`, which must not exist yet, and tells what it holds. Keys and references are those that the analysis
/// found; they are declared, and indexed. Days are texts `2024-03-05`, moments `2024-03-05 10:00:00`, times `10:00:00`, truth values 0
/// and 1.
///
/// # Errors
/// [`ReadError::Io`] if the file exists, [`ReadError::Database`]. What was written until then is no database.
pub fn write(tables: &Tables, analysis: &Analysis, path: &Path) -> Result<Prepared, ReadError> {
    if path.try_exists().map_err(ReadError::Io)? {
        return Err(ReadError::Io(io::ErrorKind::AlreadyExists.into()));
    }
    let keys = Keys::of(analysis);
    written(tables, &keys, path).map_err(ReadError::Database)?;
    Ok(Prepared { tables: tables.tables.iter().map(|table| prepared(table, &keys, &tables.texts)).collect() })
}

fn written(tables: &Tables, keys: &Keys, path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(SETTINGS)?;
    let transaction = connection.transaction()?;
    for table in &tables.tables {
        transaction.execute_batch(&schema::create(table, keys))?;
        fill::fill(&transaction, table, &tables.texts)?;
    }
    transaction.execute_batch(&schema::indexes(&tables.tables, keys))?;
    transaction.execute_batch("ANALYZE")?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn prepared(table: &Table, keys: &Keys, texts: &Texts) -> PreparedTable {
    let column = |column: &TypedColumn| PreparedColumn {
        name: column.name.clone(),
        kind: column.kind,
        primary_key: keys.is_primary(&table.name, &column.name),
        references: keys.target(&table.name, &column.name).cloned(),
        values: values(column, texts),
    };
    PreparedTable {
        name: table.name.clone(),
        sheet: table.sheet.clone(),
        range: table.range.to_string(),
        rows: table.rows.len() as u64,
        columns: table.columns.iter().map(column).collect(),
    }
}

// The values of a column of few different texts, the most frequent first.
fn values(column: &TypedColumn, texts: &Texts) -> Vec<String> {
    let Values::Texts(ids) = &column.values else { return Vec::new() };
    if column.kind != SheetColumnType::Text {
        return Vec::new();
    }
    let mut ids: Vec<TextId> = present(ids, &column.present).collect();
    ids.sort_unstable();
    if ids.chunk_by(|a, b| a == b).nth(MOST_VALUES).is_some() {
        return Vec::new();
    }
    let frequent = most_frequent(&ids, MOST_VALUES, |a, b| texts.get(a).cmp(texts.get(b)));
    let names = frequent.into_iter().map(|(id, _)| texts.get(id)).filter(|text| text.chars().count() <= LONGEST_VALUE);
    names.map(str::to_owned).collect()
}
