//! How columns and tables belong together: keys, references to them, and numbers that move together.

mod affinity;
mod correlations;
mod keys;
mod references;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use datagenie_common::{
    analyses::{AnalysedTable, CORRELATION, PRIMARY_KEY, REFERENCE, Relation},
    model::language::Language,
};

pub(super) use self::keys::is_running_number;
use crate::tables::Tables;

/// A column of a table, by its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) table: usize,
    pub(super) column: usize,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// In the order keys, references, correlations.
    pub(super) relations: Vec<Relation>,
    /// The key of each table.
    pub(super) keys: Vec<Option<usize>>,
    /// Columns that refer to a key.
    pub(super) referring: HashSet<Place>,
    /// The two columns of each correlation, the strongest first, and Pearson's r.
    pub(super) correlations: Vec<(Place, Place, f64)>,
    /// What was not looked at, in a sentence.
    pub(super) note: Option<String>,
}

/// Finds all relations.
pub(super) fn find(tables: &Tables, analysed: &[AnalysedTable], language: Language) -> Found {
    let mut found = Found {
        keys: analysed.iter().zip(&tables.tables).map(|(seen, table)| keys::find(seen, table, &tables.texts)).collect(),
        ..Found::default()
    };
    let name = |place: Place| analysed.get(place.table).and_then(|table| table.columns.get(place.column)).map(|column| column.name.clone());
    let relation = |kind: &str, place: Place, other: Option<Place>, strength: Option<f64>, rows: u64| {
        let table = |place: Place| analysed.get(place.table).map(|table| table.name.clone());
        Some(Relation {
            kind: kind.to_owned(),
            table: table(place)?,
            column: name(place)?,
            other_table: other.and_then(table),
            other_column: other.and_then(name),
            strength,
            rows,
        })
    };
    for (table, key) in found.keys.iter().enumerate() {
        let rows = analysed.get(table).map_or(0, |table| table.rows);
        found.relations.extend(key.and_then(|column| relation(PRIMARY_KEY, Place { table, column }, None, None, rows)));
    }
    let references = references::find(tables, analysed, &found.keys);
    found.note = references.gave_up.then(|| gave_up(language));
    for reference in references.found {
        found.relations.extend(relation(REFERENCE, reference.from, Some(reference.to), Some(reference.share), reference.rows));
        found.referring.insert(reference.from);
    }
    for pair in correlations::find(tables, &found) {
        found.relations.extend(relation(CORRELATION, pair.a, Some(pair.b), Some(pair.r), pair.rows));
        found.correlations.push((pair.a, pair.b, pair.r));
    }
    found
}

fn gave_up(language: Language) -> String {
    match language {
        Language::Korean => "표와 열이 많아 표 사이의 참조는 일부 열에서만 찾았습니다.",
        Language::English => {
            "There are so many tables and columns that references between tables were looked for in some of the columns only."
        }
    }
    .to_owned()
}
