//! Rectangles of cells that belong together: a sheet is cut at blank rows and blank columns, again and again, until nothing is left to cut.
//! Works on runs of filled rows of each column, so its time follows the cells and not the corners.

use std::collections::HashMap;

use crate::grid::{CellRange, Sheet};

/// Filled rows of a column, first and last, in order.
type Runs = Vec<(u32, u32)>;

struct Strip {
    col: u32,
    runs: Runs,
}

/// Cuts of cuts: people nest tables no deeper.
const DEEPEST: usize = 8;
/// Columns of merged cells that are looked at.
const MOST_MERGED_RUNS: usize = 1_000_000;

/// The rectangles of a sheet, from top left.
pub(super) fn find(sheet: &Sheet) -> Vec<CellRange> {
    let mut strips: Vec<Strip> = Vec::new();
    for col in 0..sheet.column_count() {
        let Some(column) = sheet.column(col) else { continue };
        let mut runs: Runs = Vec::new();
        for (row, _) in column.cells() {
            match runs.last_mut() {
                Some((_, last)) if last.saturating_add(1) == row => *last = row,
                _ => runs.push((row, row)),
            }
        }
        if !runs.is_empty() {
            strips.push(Strip { col, runs });
        }
    }
    widen(&mut strips, sheet);
    strips.sort_by_key(|strip| strip.col);
    let mut found = Vec::new();
    by_rows(strips, DEEPEST, &mut found);
    found.sort_by_key(|range: &CellRange| (range.top, range.left));
    found
}

/// Merged cells are filled as far as they reach, as people see them, where the sheet has rows and columns. A merged cell alone in its row is
/// a title, which may stand over several tables: only its first column is filled.
fn widen(strips: &mut Vec<Strip>, sheet: &Sheet) {
    if sheet.merges.is_empty() {
        return;
    }
    let mut filled: HashMap<u32, u32> = sheet.merges.iter().map(|merge| (merge.top, 0)).collect();
    for (first, last) in strips.iter().flat_map(|strip| &strip.runs) {
        for row in *first..=*last {
            if let Some(count) = filled.get_mut(&row) {
                *count += 1;
            }
        }
    }
    let mut added: HashMap<u32, Runs> = HashMap::new();
    let mut room = MOST_MERGED_RUNS;
    for merge in &sheet.merges {
        if sheet.get(merge.top, merge.left).is_empty() || merge.left >= sheet.column_count() {
            continue;
        }
        let alone = filled.get(&merge.top).is_none_or(|count| *count <= 1);
        let right = if alone { merge.left } else { merge.right.min(sheet.column_count().saturating_sub(1)) };
        let bottom = merge.bottom.min(sheet.row_count().saturating_sub(1));
        for col in merge.left..=right {
            let Some(left) = room.checked_sub(1) else { break };
            room = left;
            added.entry(col).or_default().push((merge.top, bottom));
        }
    }
    for strip in strips.iter_mut() {
        if let Some(runs) = added.remove(&strip.col) {
            strip.runs.extend(runs);
            strip.runs.sort_unstable();
            strip.runs = joined(std::mem::take(&mut strip.runs));
        }
    }
    for (col, mut runs) in added {
        runs.sort_unstable();
        strips.push(Strip { col, runs: joined(runs) });
    }
}

/// Runs that touch or overlap become one.
fn joined(runs: Runs) -> Runs {
    let mut out: Runs = Vec::with_capacity(runs.len());
    for (first, last) in runs {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

fn by_rows(strips: Vec<Strip>, deepest: usize, found: &mut Vec<CellRange>) {
    let mut all: Runs = strips.iter().flat_map(|strip| strip.runs.iter().copied()).collect();
    all.sort_unstable();
    let bands = joined(all);
    if bands.len() <= 1 {
        if let Some(&band) = bands.first() {
            by_columns(strips, band, deepest, found);
        }
        return;
    }
    let mut parts: Vec<Vec<Strip>> = bands.iter().map(|_| Vec::new()).collect();
    for strip in strips {
        let mut place = 0;
        for run in strip.runs {
            while bands.get(place).is_some_and(|band| band.1 < run.0) {
                place += 1;
            }
            let Some(part) = parts.get_mut(place) else { break };
            match part.last_mut() {
                Some(last) if last.col == strip.col => last.runs.push(run),
                _ => part.push(Strip { col: strip.col, runs: vec![run] }),
            }
        }
    }
    for (part, band) in parts.into_iter().zip(bands) {
        by_columns(part, band, deepest, found);
    }
}

fn by_columns(strips: Vec<Strip>, band: (u32, u32), deepest: usize, found: &mut Vec<CellRange>) {
    let (Some(left), Some(right)) = (strips.first().map(|strip| strip.col), strips.last().map(|strip| strip.col)) else { return };
    let whole = usize::try_from(right - left).unwrap_or(usize::MAX) + 1 == strips.len();
    if whole || deepest == 0 {
        found.push(CellRange { top: band.0, left, bottom: band.1, right });
        return;
    }
    let mut group: Vec<Strip> = Vec::new();
    for strip in strips {
        if group.last().is_some_and(|last| last.col + 1 != strip.col) {
            by_rows(std::mem::take(&mut group), deepest - 1, found);
        }
        group.push(strip);
    }
    by_rows(group, deepest - 1, found);
}
