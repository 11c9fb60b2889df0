//! Which columns of numbers of a table move together.

use datagenie_common::wording::names::is_identifier;

use super::{Found, Place};
use crate::{
    analyse::numbers::Sum,
    tables::{Table, Tables, TypedColumn, Values},
};

/// Weaker ones say nothing to a reader.
const LEAST_R: f64 = 0.5;
/// Of fewer rows a correlation is chance.
const LEAST_ROWS: u64 = 10;
/// The strongest of all tables.
const MOST: usize = 20;
/// So many columns of a table are compared with each other, the first ones.
const MOST_COLUMNS: usize = 60;
/// Numbers held at once; of larger tables every second, third … row counts.
const MOST_NUMBERS: usize = 4_000_000;

/// Differences of sums of squares are no smaller than this part of them, unless by rounding.
const ROUNDING: f64 = 1e-11;

/// Two columns, and Pearson's r over the rows in which both have a number.
pub(super) struct Correlation {
    pub(super) a: Place,
    pub(super) b: Place,
    pub(super) r: f64,
    pub(super) rows: u64,
}

/// A column's numbers, moved and scaled so that none is large; NaN where there is none.
struct Column {
    at: usize,
    numbers: Vec<f64>,
    /// Of a column without gaps: the sum, and the sum of squares.
    whole: Option<(f64, f64)>,
}

/// The strongest correlations, strongest first. Keys and what refers to them measure nothing.
pub(super) fn find(tables: &Tables, found: &Found) -> Vec<Correlation> {
    let mut all = Vec::new();
    for (index, table) in tables.tables.iter().enumerate() {
        let is_key = |column: usize| {
            let place = Place { table: index, column };
            found.keys.get(index).copied().flatten() == Some(column) || found.referring.contains(&place)
        };
        let measured = table.columns.iter().enumerate().filter(|(at, column)| {
            matches!(column.values, Values::Integers(_) | Values::Numbers(_)) && !is_key(*at) && !is_identifier(&column.name)
        });
        let measured: Vec<usize> = measured.map(|(at, _)| at).take(MOST_COLUMNS).collect();
        all.extend(of_table(index, table, &measured));
        strongest(&mut all);
    }
    all
}

fn strongest(all: &mut Vec<Correlation>) {
    // Stable: of equals the one further left.
    all.sort_by(|a, b| b.r.abs().total_cmp(&a.r.abs()));
    all.truncate(MOST);
}

fn of_table(index: usize, table: &Table, measured: &[usize]) -> Vec<Correlation> {
    if measured.len() < 2 || (table.rows.len() as u64) < LEAST_ROWS {
        return Vec::new();
    }
    let step = (table.rows.len() * measured.len()).div_ceil(MOST_NUMBERS).max(1);
    let columns: Vec<Column> =
        measured.iter().filter_map(|at| Some((*at, table.columns.get(*at)?))).filter_map(|(at, column)| read(at, column, step)).collect();
    let mut found = Vec::new();
    for (place, a) in columns.iter().enumerate() {
        for b in columns.iter().skip(place + 1) {
            let Some((r, rows)) = pearson(a, b) else { continue };
            if rows >= LEAST_ROWS && r.abs() >= LEAST_R {
                let place = |column: &Column| Place { table: index, column: column.at };
                found.push(Correlation { a: place(a), b: place(b), r, rows });
            }
        }
    }
    found
}

// Every `step`-th row of a column. None: all its numbers are the same.
fn read(at: usize, column: &TypedColumn, step: usize) -> Option<Column> {
    let number = |row: usize| match &column.values {
        Values::Integers(numbers) => numbers.get(row).map(|number| *number as f64),
        Values::Numbers(numbers) => numbers.get(row).copied(),
        Values::Texts(_) | Values::Booleans(_) | Values::Days(_) | Values::Micros(_) | Values::None => None,
    };
    let rows = (0..column.present.len()).step_by(step);
    let mut numbers: Vec<f64> =
        rows.map(|row| if column.present.get(row) == Some(&true) { number(row).unwrap_or(f64::NAN) } else { f64::NAN }).collect();
    let there = || numbers.iter().copied().filter(|number| !number.is_nan());
    let (low, high) = there().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    // From -1 to 1, halved first because the range itself may be beyond a float.
    let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
    if half <= 0.0 || !half.is_finite() {
        return None;
    }
    numbers.iter_mut().for_each(|number| *number = (*number - middle) / half);
    let (mut mean, mut count) = (Sum::default(), 0_u64);
    numbers.iter().filter(|number| !number.is_nan()).for_each(|number| {
        mean.add(*number);
        count += 1;
    });
    let mean = mean.value() / count.max(1) as f64;
    numbers.iter_mut().for_each(|number| *number -= mean);
    let gaps = numbers.iter().any(|number| number.is_nan());
    let whole = (!gaps).then(|| (numbers.iter().sum::<f64>(), dot(&numbers, &numbers)));
    Some(Column { at, numbers, whole })
}

fn pearson(a: &Column, b: &Column) -> Option<(f64, u64)> {
    let (count, sums) = match (a.whole, b.whole) {
        (Some((a_sum, a_squares)), Some((b_sum, b_squares))) => {
            (a.numbers.len() as u64, [a_sum, b_sum, a_squares, b_squares, dot(&a.numbers, &b.numbers)])
        }
        _ => over_common_rows(&a.numbers, &b.numbers),
    };
    let [a_sum, b_sum, a_squares, b_squares, products] = sums;
    let n = count.max(1) as f64;
    let (a_spread, b_spread) = (a_squares - a_sum * a_sum / n, b_squares - b_sum * b_sum / n);
    // One of them does not vary in the common rows, but for what rounding left.
    if a_spread <= ROUNDING * a_squares || b_spread <= ROUNDING * b_squares {
        return None;
    }
    let r = (products - a_sum * b_sum / n) / (a_spread.sqrt() * b_spread.sqrt());
    r.is_finite().then_some((r.clamp(-1.0, 1.0), count))
}

fn over_common_rows(a: &[f64], b: &[f64]) -> (u64, [f64; 5]) {
    let (mut count, mut sums) = (0, [0.0; 5]);
    for (a, b) in a.iter().zip(b) {
        let product = a * b;
        if !product.is_nan() {
            count += 1;
            for (sum, part) in sums.iter_mut().zip([*a, *b, a * a, b * b, product]) {
                *sum += part;
            }
        }
    }
    (count, sums)
}

// Four sums at once, which a processor adds side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a_chunks, b_chunks) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}
