//! Which columns hold the keys of another table.

use std::collections::HashSet;

use datagenie_common::{analyses::AnalysedTable, model::workbooks::SheetColumnType};

use super::{
    Place,
    affinity::{KeyNames, Named, affinity},
};
use crate::{
    analyse::tally::present,
    tables::{Tables, TypedColumn, Values},
};

/// So much of the different values must be keys.
const LEAST_SHARE: f64 = 0.95;
/// Fewer different values may be among the keys by chance.
const LEAST_DISTINCT: u64 = 3;
/// Whole numbers and days are told to be keys by their name, unless the keys lie so far apart that none is met by chance: at most one in
/// so many numbers of their range.
const SPARSE: i128 = 20;
/// So many values are looked for before all are.
const PROBES: usize = 24;
/// Looks for values in all; beyond, no more columns are compared.
const MOST_LOOKS: u64 = 30_000_000;
/// What comparing two names costs, in looks.
const LOOKS_OF_NAMES: u64 = 1;

/// A column that refers to a key.
pub(super) struct Reference {
    pub(super) from: Place,
    pub(super) to: Place,
    /// Of its different values, how many are keys: 0.95 to 1.
    pub(super) share: f64,
    /// Its values.
    pub(super) rows: u64,
}

/// What was found, and whether not all columns were looked at.
#[derive(Default)]
pub(super) struct References {
    pub(super) found: Vec<Reference>,
    pub(super) gave_up: bool,
}

/// What kind of values can be the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Whole,
    Text,
    Day,
}

/// The values of a key, sorted.
struct Key {
    place: Place,
    class: Class,
    names: KeyNames,
    values: Vec<i64>,
}

impl Key {
    fn has(&self, value: i64) -> bool {
        self.values.binary_search(&value).is_ok()
    }

    // Whether a value that happens to be in the range is likely to be none of the keys.
    fn is_sparse(&self) -> bool {
        let range = match (self.values.first(), self.values.last()) {
            (Some(first), Some(last)) => i128::from(*last) - i128::from(*first),
            _ => 0,
        };
        range / SPARSE >= self.values.len() as i128
    }
}

/// Finds for each column the one key of another table that holds its values: the one whose name fits best, then the one with fewest
/// others in it.
pub(super) fn find(tables: &Tables, analysed: &[AnalysedTable], keys: &[Option<usize>]) -> References {
    let places = keys.iter().enumerate().filter_map(|(table, key)| key.map(|column| Place { table, column }));
    let keys: Vec<Key> = places.filter_map(|place| key(tables, analysed, place)).collect();
    let mut references = References::default();
    if keys.is_empty() || analysed.len() < 2 {
        return references;
    }
    let mut looks = 0;
    for (table, seen) in analysed.iter().enumerate() {
        for column in 0..seen.columns.len() {
            if looks > MOST_LOOKS {
                references.gave_up = true;
                return references;
            }
            let from = Place { table, column };
            references.found.extend(of_column(tables, analysed, &keys, from, &mut looks));
        }
    }
    one_way(&mut references.found);
    references
}

// Of two keys that hold each other's values the later table refers to the earlier one.
fn one_way(found: &mut Vec<Reference>) {
    let pairs: HashSet<(Place, Place)> = found.iter().map(|reference| (reference.from, reference.to)).collect();
    found.retain(|reference| reference.from.table > reference.to.table || !pairs.contains(&(reference.to, reference.from)));
}

fn key(tables: &Tables, analysed: &[AnalysedTable], place: Place) -> Option<Key> {
    let table = analysed.get(place.table)?;
    let column = tables.tables.get(place.table)?.columns.get(place.column)?;
    let names = KeyNames::new(&column.name, &table.name, &table.sheet);
    Some(Key { place, class: class(column)?, names, values: different(column)? })
}

fn class(column: &TypedColumn) -> Option<Class> {
    match column.kind {
        SheetColumnType::Integer => Some(Class::Whole),
        SheetColumnType::Text | SheetColumnType::Mixed => Some(Class::Text),
        SheetColumnType::Date => Some(Class::Day),
        SheetColumnType::Number
        | SheetColumnType::Timestamp
        | SheetColumnType::Time
        | SheetColumnType::Boolean
        | SheetColumnType::Empty => None,
    }
}

// Different values, sorted; texts by their ids, which are the same for the same text in the whole workbook.
fn different(column: &TypedColumn) -> Option<Vec<i64>> {
    let mut values: Vec<i64> = match &column.values {
        Values::Integers(numbers) => present(numbers, &column.present).collect(),
        Values::Texts(ids) => present(ids, &column.present).map(|id| i64::from(id.0)).collect(),
        Values::Days(days) => present(days, &column.present).map(i64::from).collect(),
        Values::Numbers(_) | Values::Booleans(_) | Values::Micros(_) | Values::None => return None,
    };
    values.sort_unstable();
    values.dedup();
    Some(values)
}

fn of_column(tables: &Tables, analysed: &[AnalysedTable], keys: &[Key], from: Place, looks: &mut u64) -> Option<Reference> {
    let seen = analysed.get(from.table)?.columns.get(from.column)?;
    let column = tables.tables.get(from.table)?.columns.get(from.column)?;
    let class = class(column)?;
    if seen.distinct < LEAST_DISTINCT {
        return None;
    }
    let name = Named::new(&seen.name);
    let mut values: Option<Vec<i64>> = None;
    let mut best: Option<(u32, std::cmp::Reverse<usize>, Reference)> = None;
    for key in keys.iter().filter(|key| key.place.table != from.table && key.class == class) {
        *looks += LOOKS_OF_NAMES;
        let affinity = affinity(&name, &key.names);
        if class != Class::Text && affinity == 0 && (class == Class::Day || !key.is_sparse()) {
            continue;
        }
        if values.is_none() {
            values = different(column);
        }
        let values = values.as_deref()?;
        let Some(share) = share(values, key, looks) else { continue };
        let rank = (affinity, std::cmp::Reverse(key.values.len()));
        if best.as_ref().is_none_or(|(affinity, size, _)| rank > (*affinity, *size)) {
            let rows = column.present.iter().filter(|present| **present).count() as u64;
            best = Some((rank.0, rank.1, Reference { from, to: key.place, share, rows }));
        }
    }
    best.map(|(_, _, reference)| reference)
}

// What part of the values are keys, if it is enough. Most columns are told to be none by a few values, spread over all.
fn share(values: &[i64], key: &Key, looks: &mut u64) -> Option<f64> {
    let few = PROBES.min(values.len());
    let probed = (0..few).filter_map(|probe| values.get(probe * values.len() / few));
    let mut missing = 0;
    for value in probed {
        *looks += 1;
        missing += usize::from(!key.has(*value));
        if missing > PROBES / 4 {
            return None;
        }
    }
    *looks += values.len() as u64;
    let found = values.iter().filter(|value| key.has(**value)).count();
    let share = found as f64 / values.len().max(1) as f64;
    (share >= LEAST_SHARE).then_some(share)
}
