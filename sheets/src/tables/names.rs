//! Names of columns and tables: one line, never empty, unique without regard to case.

use std::collections::HashSet;

use datagenie_common::analyses::Assumption;

use super::{layout::Layout, typing::shown, view::View};
use crate::grid::{Cell, CellRange, letters};

const LONGEST_COLUMN: usize = 100;
const LONGEST_TABLE: usize = 60;

/// Names that are given out once.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// The name, or with a number the first that is free. Says whether it had to be changed.
    pub(super) fn take(&mut self, wanted: &str) -> (String, bool) {
        if self.taken.insert(wanted.to_lowercase()) {
            return (wanted.to_owned(), false);
        }
        let mut number: u64 = 2;
        loop {
            let name = format!("{wanted}_{number}");
            if self.taken.insert(name.to_lowercase()) {
                return (name, true);
            }
            number += 1;
        }
    }
}

/// A text on one line, without control characters, at most so many characters.
fn clean(text: &str, longest: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(longest).collect::<String>().trim().to_owned()
}

/// The name under which a table of this sheet is read.
pub(super) fn table(sheet: &str, names: &mut Names) -> String {
    let name = clean(sheet, LONGEST_TABLE);
    let name = if name.is_empty() { "Sheet".to_owned() } else { name };
    let name = if name.to_lowercase().starts_with("sqlite_") { format!("t_{name}") } else { name };
    names.take(&name).0
}

/// Names of the columns of a rectangle, by its header.
pub(super) fn columns(view: &View<'_>, range: &CellRange, layout: &Layout, assumptions: &mut Vec<Assumption>) -> Vec<(u32, String)> {
    let mut names = Names::default();
    let (mut missing, mut repeated) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    let (columns, blank): (Vec<u32>, Vec<u32>) = (range.left..=range.right).partition(|&col| !view.is_blank(col, range.top, range.bottom));
    if let (Some(&first), Some(&last)) = (blank.first(), blank.last()) {
        let all: Vec<String> = blank.iter().map(|&col| letters(col)).collect();
        let cells = CellRange { left: first, right: last, ..*range }.to_string();
        assumptions.push(said("blank_columns", format!("Blank columns within the table are left out: {}.", listed(&all)), &cells));
    }
    for (place, col) in columns.into_iter().enumerate() {
        let name = joined(view, range, layout, col);
        let given = if name.is_empty() { format!("column_{}", place + 1) } else { name.clone() };
        let (taken, changed) = names.take(&given);
        if name.is_empty() && layout.header_rows > 0 {
            missing.push(letters(col));
        } else if changed {
            repeated.push(format!("{} ({})", taken, letters(col)));
        }
        found.push((col, taken));
    }
    let cells = CellRange { top: layout.top, bottom: layout.body().saturating_sub(1).max(layout.top), ..*range }.to_string();
    if !missing.is_empty() {
        assumptions.push(said(
            "missing_header",
            format!("Columns without a name are called after their place: {}.", listed(&missing)),
            &cells,
        ));
    }
    if !repeated.is_empty() {
        assumptions.push(said("duplicate_header", format!("Names that occur twice got a number: {}.", listed(&repeated)), &cells));
    }
    found
}

/// An assumption with its place.
pub(super) fn said(kind: &str, text: String, range: &str) -> Assumption {
    Assumption { kind: kind.to_owned(), text, range: Some(range.to_owned()) }
}

/// The first ten, and how many more.
fn listed(all: &[String]) -> String {
    let shown = all.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > 10 { format!("{shown} and {} more", all.len() - 10) } else { shown }
}

/// The header's texts over a column, from top to bottom.
fn joined(view: &View<'_>, range: &CellRange, layout: &Layout, col: u32) -> String {
    let mut parts: Vec<String> = Vec::new();
    for row in layout.top..layout.body() {
        let part = clean(&shown(over(view, range, layout, row, col), view.texts), LONGEST_COLUMN);
        if !part.is_empty() && parts.last() != Some(&part) {
            parts.push(part);
        }
    }
    clean(&parts.join(" "), LONGEST_COLUMN)
}

/// The header cell over a column: its own, the one it is merged with, or, in a row of groups, the next one to the left.
fn over(view: &View<'_>, range: &CellRange, layout: &Layout, row: u32, col: u32) -> Cell {
    let own = view.sheet.get(row, col);
    if !own.is_empty() {
        return own;
    }
    if let Some(merge) = view.merge_over(row, col) {
        return view.sheet.get(merge.top, merge.left);
    }
    let groups = row + 1 < layout.body() && !view.merges.iter().any(|merge| merge.top <= row && row <= merge.bottom);
    if !groups || view.sheet.get(row + 1, col).is_empty() {
        return Cell::Empty;
    }
    (range.left..col).rev().map(|left| view.sheet.get(row, left)).find(|cell| !cell.is_empty()).unwrap_or(Cell::Empty)
}
