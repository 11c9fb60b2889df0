//! Which column tells the rows of a table apart.

use datagenie_common::{
    analyses::{AnalysedColumn, AnalysedTable},
    model::workbooks::SheetColumnType,
    wording::names::{is_calendar, is_identifier},
};

use super::affinity::{KeyNames, Named, affinity};
use crate::{
    tables::{Table, Values},
    texts::Texts,
};

/// A table of fewer rows tells nothing: any column differs.
const LEAST_ROWS: u64 = 3;
/// A column with a longer text in it is one of remarks.
const LONGEST_TEXT: usize = 80;
/// Names of running numbers, as a whole.
const RUNNING: &[&str] = &["#", "no", "no.", "nr", "nr.", "id", "key", "index", "idx", "seq", "순번", "연번", "번호", "일련번호", "순서"];

/// The column whose values are all there and all differ, and that looks like a key rather than a measure: named like one, or the first
/// column with names, codes, days or running numbers. None: no column does.
pub(super) fn find(seen: &AnalysedTable, table: &Table, texts: &Texts) -> Option<usize> {
    if seen.rows < LEAST_ROWS {
        return None;
    }
    let unique = |column: &AnalysedColumn| column.nulls == 0 && column.errors == 0 && column.distinct == seen.rows;
    let candidates = seen.columns.iter().enumerate().filter(|(_, column)| unique(column));
    let scored = candidates.filter_map(|(at, column)| Some((score(seen, table, texts, at, column)?, at)));
    // Of equals the one on the left.
    scored.max_by_key(|(score, at)| (*score, std::cmp::Reverse(*at))).map(|(_, at)| at)
}

/// Whether a column of this name counts rows.
pub(in crate::analyse) fn is_running_number(name: &str) -> bool {
    RUNNING.contains(&name.trim().to_lowercase().as_str())
}

fn score(seen: &AnalysedTable, table: &Table, texts: &Texts, at: usize, column: &AnalysedColumn) -> Option<u32> {
    let first = at == 0;
    let named = is_identifier(&column.name) || is_running_number(&column.name);
    match column.kind {
        SheetColumnType::Integer | SheetColumnType::Text if named => {
            let own = affinity(&Named::new(&column.name), &KeyNames::new(&column.name, &seen.name, &seen.sheet)) > 2;
            Some(100 + u32::from(own) * 20 + u32::from(first) * 10)
        }
        SheetColumnType::Integer if first && (is_running(column, seen.rows) || is_calendar(&column.name)) => Some(60),
        SheetColumnType::Text if is_short(table, at, texts) => Some(if first { 50 } else { 20 }),
        SheetColumnType::Date if first => Some(40),
        SheetColumnType::Integer
        | SheetColumnType::Number
        | SheetColumnType::Text
        | SheetColumnType::Date
        | SheetColumnType::Timestamp
        | SheetColumnType::Time
        | SheetColumnType::Boolean
        | SheetColumnType::Mixed
        | SheetColumnType::Empty => None,
    }
}

// Neighbours differ by one.
fn is_running(column: &AnalysedColumn, rows: u64) -> bool {
    let end = |value: &Option<serde_json::Value>| value.as_ref().and_then(serde_json::Value::as_i64);
    match (end(&column.min), end(&column.max)) {
        (Some(min), Some(max)) => i128::from(max) - i128::from(min) + 1 == i128::from(rows),
        _ => false,
    }
}

// Names and codes are short; remarks are not.
fn is_short(table: &Table, at: usize, texts: &Texts) -> bool {
    let Some(column) = table.columns.get(at) else { return false };
    let Values::Texts(ids) = &column.values else { return false };
    ids.iter().all(|id| texts.get(*id).chars().nth(LONGEST_TEXT).is_none())
}
