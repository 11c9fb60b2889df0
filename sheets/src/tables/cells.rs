//! The cells of a column in the rows of data, and what they are filled with where they are blank.

use std::collections::HashMap;

use super::classes::Classes;
use crate::{
    grid::{Cell, CellRange, Sheet},
    texts::{TextId, Texts},
};

/// Cells of a column that are looked at to learn how its numbers are written.
const LOOKED_AT: usize = 1_000;

/// The cells of a column in the rows of data, merged ones filled down.
pub(super) fn of(sheet: &Sheet, col: u32, range: &CellRange, rows: &[u32], fills: &[CellRange]) -> Vec<Cell> {
    let mut cells = vec![Cell::Empty; rows.len()];
    let Some(column) = sheet.column(col) else { return cells };
    let mut place = 0;
    for (row, cell) in column.cells_between(range.top, range.bottom) {
        while rows.get(place).is_some_and(|&next| next < row) {
            place += 1;
        }
        if rows.get(place) == Some(&row)
            && let Some(slot) = cells.get_mut(place)
        {
            *slot = cell;
        }
    }
    // They do not overlap, but in a damaged file: no row is filled twice.
    let mut filled = 0;
    for fill in fills {
        let value = column.get(fill.top);
        let top = fill.top.max(filled);
        filled = filled.max(fill.bottom.saturating_add(1));
        let first = rows.partition_point(|&row| row < top);
        for (slot, _) in cells.iter_mut().zip(rows).skip(first).take_while(|(_, row)| **row <= fill.bottom) {
            if slot.is_empty() {
                *slot = value;
            }
        }
    }
    cells
}

/// Merged cells by their column, from the top.
pub(super) fn by_column(fills: &[CellRange]) -> HashMap<u32, Vec<CellRange>> {
    let mut columns: HashMap<u32, Vec<CellRange>> = HashMap::new();
    for fill in fills {
        columns.entry(fill.left).or_default().push(*fill);
    }
    columns
}

/// In an outline the first column has each name once, in the first of its rows: fills the blank cells below.
pub(super) fn fill_outline(cells: &mut [Cell]) -> bool {
    let blank = cells.iter().filter(|cell| cell.is_empty()).count();
    if blank * 3 < cells.len() || !matches!(cells.first(), Some(Cell::Text(_))) {
        return false;
    }
    let mut names: Vec<TextId> = cells.iter().filter_map(|cell| if let Cell::Text(id) = cell { Some(*id) } else { None }).collect();
    let texts = names.len();
    names.sort_unstable();
    names.dedup();
    // Every name once, and about as many blank cells as names, or more: of a column with gaps neither is true.
    if names.len() != texts || texts < 2 || texts + blank != cells.len() {
        return false;
    }
    let mut above = Cell::Empty;
    for cell in cells {
        if cell.is_empty() { *cell = above } else { above = *cell }
    }
    true
}

/// Whether a column has texts that are numbers only with a comma for the decimal point: then the points of the others part thousands.
pub(super) fn has_decimal_commas(
    sheet: &Sheet,
    columns: &[(u32, String)],
    body: u32,
    bottom: u32,
    texts: &Texts,
    classes: &mut Classes,
) -> bool {
    columns.iter().filter_map(|(col, _)| sheet.column(*col)).any(|column| {
        let (mut commas, mut others) = (0_u32, 0_u32);
        for (_, cell) in column.cells_between(body, bottom).take(LOOKED_AT) {
            let Cell::Text(id) = cell else { continue };
            let class = classes.of(texts, id);
            match class.number {
                Some(number) if !number.comma.is_nan() => commas += u32::from(!number.pointed && number.long),
                _ => others += u32::from(!class.placeholder && !class.blank),
            }
        }
        commas > 0 && others == 0
    })
}
