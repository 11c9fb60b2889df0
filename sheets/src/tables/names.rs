//! Names of columns and tables: one line, never empty, unique without regard to case.

use std::collections::{HashMap, HashSet};

use super::{layout::Layout, typing::shown, view::View};
use crate::{
    grid::{Cell, CellRange, letters},
    words::{Said, Words, listed},
};

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
pub(super) fn columns(view: &View<'_>, range: &CellRange, layout: &Layout, assumptions: &mut Vec<Said>) -> Vec<(u32, String)> {
    let mut names = Names::default();
    let header = Header::of(view, range, layout);
    let (mut missing, mut repeated) = (Vec::new(), Vec::new());
    let mut found = Vec::new();
    let (columns, blank): (Vec<u32>, Vec<u32>) = (range.left..=range.right).partition(|&col| !view.is_blank(col, range.top, range.bottom));
    if let (Some(&first), Some(&last)) = (blank.first(), blank.last()) {
        let all: Vec<String> = blank.iter().map(|&col| letters(col)).collect();
        let cells = CellRange { left: first, right: last, ..*range }.to_string();
        let all = listed(&all);
        let words = Words::new(
            format!("표 안의 빈 열은 제외했습니다: {}.", all.korean),
            format!("Blank columns within the table are left out: {}.", all.english),
        );
        assumptions.push(said("blank_columns", words, &cells));
    }
    for (place, col) in columns.into_iter().enumerate() {
        let name = header.name(view, range, layout, col);
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
        let all = listed(&missing);
        let words = Words::new(
            format!("이름이 없는 열은 순서로 부릅니다: {}.", all.korean),
            format!("Columns without a name are called after their place: {}.", all.english),
        );
        assumptions.push(said("missing_header", words, &cells));
    }
    if !repeated.is_empty() {
        let all = listed(&repeated);
        let words = Words::new(
            format!("같은 이름이 있는 열에는 번호를 붙였습니다: {}.", all.korean),
            format!("Names that occur twice got a number: {}.", all.english),
        );
        assumptions.push(said("duplicate_header", words, &cells));
    }
    found
}

/// An assumption with its place.
pub(super) fn said(kind: &'static str, words: Words, range: &str) -> Said {
    Said { kind, words, range: range.to_owned() }
}

/// The merged cells of a header's rows.
struct Header {
    /// By row and column the first cell of the merged ones that cover it.
    covered: HashMap<(u32, u32), (u32, u32)>,
    /// Rows with a merged cell.
    merged: HashSet<u32>,
}

impl Header {
    // Merged cells do not overlap, but in a damaged file: the first counts, and no more are looked at than a header has room for.
    fn of(view: &View<'_>, range: &CellRange, layout: &Layout) -> Self {
        let mut header = Self { covered: HashMap::new(), merged: HashSet::new() };
        let rows = layout.top..layout.body();
        let room = (range.right - range.left + 1) as usize * rows.len();
        let over = view.merges.iter().take_while(|merge| merge.top < rows.end).filter(|merge| merge.bottom >= rows.start);
        for merge in over.take(room) {
            if header.covered.contains_key(&(merge.top.max(rows.start), merge.left.max(range.left))) {
                continue;
            }
            for row in merge.top.max(rows.start)..=merge.bottom.min(rows.end.saturating_sub(1)) {
                header.merged.insert(row);
                for col in merge.left.max(range.left)..=merge.right.min(range.right) {
                    header.covered.entry((row, col)).or_insert((merge.top, merge.left));
                }
            }
        }
        header
    }

    /// The header's texts over a column, from top to bottom.
    fn name(&self, view: &View<'_>, range: &CellRange, layout: &Layout, col: u32) -> String {
        let mut parts: Vec<String> = Vec::new();
        for row in layout.top..layout.body() {
            let part = clean(&shown(self.over(view, range, layout, row, col), view.texts), LONGEST_COLUMN);
            if !part.is_empty() && parts.last() != Some(&part) {
                parts.push(part);
            }
        }
        clean(&parts.join(" "), LONGEST_COLUMN)
    }

    /// The header cell over a column: its own, the one it is merged with, or, in a row of groups, the next one to the left.
    fn over(&self, view: &View<'_>, range: &CellRange, layout: &Layout, row: u32, col: u32) -> Cell {
        let own = view.sheet.get(row, col);
        if !own.is_empty() {
            return own;
        }
        if let Some(&(top, left)) = self.covered.get(&(row, col)) {
            return view.sheet.get(top, left);
        }
        let groups = row + 1 < layout.body() && !self.merged.contains(&row);
        if !groups || view.sheet.get(row + 1, col).is_empty() {
            return Cell::Empty;
        }
        (range.left..col).rev().map(|left| view.sheet.get(row, left)).find(|cell| !cell.is_empty()).unwrap_or(Cell::Empty)
    }
}
