//! A sheet: its cells by column, and what is known of them beside their values.

use super::{
    Cell, CellRange, Signs,
    column::{Late, SheetColumn},
};
use crate::skipped::Why;

/// Formulas whose values were never stored, so that they are blank cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncomputed {
    /// How many.
    pub count: u64,
    /// The rectangle around all of them.
    pub range: CellRange,
}

/// A sheet: its cells by column.
#[derive(Default)]
pub struct Sheet {
    /// Its name on its tab.
    pub name: String,
    /// Whether it is hidden from people.
    pub hidden: bool,
    /// Why it was not read; it has no cells then.
    pub left_out: Option<Why>,
    /// Merged cells. Only the first cell of each has a value.
    pub merges: Vec<CellRange>,
    /// Rows that are hidden, first and last of each stretch, in order.
    pub hidden_rows: Vec<(u32, u32)>,
    /// Columns that are hidden, likewise.
    pub hidden_columns: Vec<(u32, u32)>,
    /// Formulas without values.
    pub uncomputed: Option<Uncomputed>,
    columns: Vec<SheetColumn>,
    signs: Vec<Signs>,
    late: Vec<Late>,
    rows: u32,
    filled: u64,
}

impl Sheet {
    /// A sheet without cells.
    #[must_use]
    pub fn new(name: &str, hidden: bool) -> Self {
        Self { name: name.to_owned(), hidden, ..Self::default() }
    }

    /// A sheet that is left out.
    #[must_use]
    pub fn without(name: &str, hidden: bool, why: Why) -> Self {
        Self { left_out: Some(why), ..Self::new(name, hidden) }
    }

    /// Adds a cell; an empty one is not kept. Where rows of a column do not come in order, [`Self::settle`] must follow.
    pub fn push(&mut self, row: u32, col: u32, cell: Cell) {
        if cell.is_empty() {
            return;
        }
        let place = col as usize;
        if self.columns.len() <= place {
            self.columns.resize_with(place + 1, SheetColumn::default);
        }
        let Some(column) = self.columns.get_mut(place) else { return };
        if column.push(row, cell) {
            self.filled += 1;
        } else {
            self.late.push(Late { row, col, cell });
        }
        self.rows = self.rows.max(row.saturating_add(1));
    }

    /// Puts cells that came out of order into their places. Tells how many cells came twice, of which the first stands.
    pub fn settle(&mut self) -> u64 {
        let mut late = std::mem::take(&mut self.late);
        late.sort_by_key(|late| (late.col, late.row));
        let before = self.filled;
        for cells in late.chunk_by(|a, b| a.col == b.col) {
            let Some(column) = cells.first().and_then(|first| self.columns.get_mut(first.col as usize)) else { continue };
            let settled = column.with(cells);
            self.filled += settled.filled() - column.filled();
            *column = settled;
        }
        late.len() as u64 - (self.filled - before)
    }

    /// Says with which signs a number of a column is shown.
    pub fn sign(&mut self, col: u32, signs: Signs) {
        let place = col as usize;
        if self.signs.len() <= place {
            self.signs.resize(place + 1, Signs::NONE);
        }
        if let Some(known) = self.signs.get_mut(place) {
            *known = known.and(if signs == Signs::NONE { Signs::PLAIN } else { signs });
        }
    }

    /// The signs that numbers of a column are shown with.
    #[must_use]
    pub fn signs(&self, col: u32) -> Signs {
        self.signs.get(col as usize).copied().unwrap_or_default()
    }

    /// Says that rows are hidden; they come in order.
    pub fn hide_rows(&mut self, first: u32, last: u32) {
        hide(&mut self.hidden_rows, first, last);
    }

    /// Says that columns are hidden; they come in order.
    pub fn hide_columns(&mut self, first: u32, last: u32) {
        hide(&mut self.hidden_columns, first, last);
    }

    /// Says that the formula in a cell has no value.
    pub fn miss(&mut self, row: u32, col: u32) {
        let here = CellRange { top: row, left: col, bottom: row, right: col };
        let missed = self.uncomputed.get_or_insert(Uncomputed { count: 0, range: here });
        missed.count += 1;
        missed.range = missed.range.around(&here);
    }

    /// The cell in this row and column, counted from 0.
    #[must_use]
    pub fn get(&self, row: u32, col: u32) -> Cell {
        self.columns.get(col as usize).map_or(Cell::Empty, |column| column.get(row))
    }

    /// A column; none beyond the last.
    #[must_use]
    pub fn column(&self, col: u32) -> Option<&SheetColumn> {
        self.columns.get(col as usize)
    }

    /// Takes a column out, to free its memory once it is read.
    pub fn take_column(&mut self, col: u32) -> Option<SheetColumn> {
        self.columns.get_mut(col as usize).map(std::mem::take)
    }

    /// Rows up to the last with a cell.
    #[must_use]
    pub fn row_count(&self) -> u32 {
        self.rows
    }

    /// Columns up to the last with a cell.
    #[must_use]
    pub fn column_count(&self) -> u32 {
        u32::try_from(self.columns.len()).unwrap_or(u32::MAX)
    }

    /// Cells with a value.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.filled
    }
}

fn hide(hidden: &mut Vec<(u32, u32)>, first: u32, last: u32) {
    match hidden.last_mut() {
        // What does not come in order says nothing that is worth its room.
        Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
        _ => hidden.push((first, last)),
    }
}
