//! A sheet with what is known of its texts.

use super::classes::{Classes, Sight};
use crate::{
    grid::{CellRange, Sheet},
    texts::Texts,
};

/// A sheet while its tables are looked for.
pub(super) struct View<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) texts: &'a Texts,
    pub(super) classes: &'a mut Classes,
    /// Merged cells of the sheet, from top left.
    pub(super) all_merges: &'a [CellRange],
    /// Those of the rectangle that is looked at.
    pub(super) merges: Vec<CellRange>,
}

impl View<'_> {
    /// What a cell is at first sight.
    pub(super) fn sight(&mut self, row: u32, col: u32) -> Sight {
        self.classes.sight(self.texts, self.sheet.get(row, col))
    }

    /// How many cells of a row are filled.
    pub(super) fn filled(&self, range: &CellRange, row: u32) -> usize {
        (range.left..=range.right).filter(|&col| !self.sheet.get(row, col).is_empty()).count()
    }

    /// Looks at a rectangle from now on: the merges that begin in its rows.
    pub(super) fn enter(&mut self, range: &CellRange) {
        let from = self.all_merges.partition_point(|merge| merge.top < range.top);
        let to = self.all_merges.partition_point(|merge| merge.top <= range.bottom);
        let merges = self.all_merges.get(from..to).unwrap_or_default();
        self.merges = merges.iter().filter(|merge| merge.left <= range.right && merge.right >= range.left).copied().collect();
    }

    /// The merge that begins in this cell.
    pub(super) fn merge_at(&self, row: u32, col: u32) -> Option<CellRange> {
        let place = self.merges.binary_search_by_key(&(row, col), |merge| (merge.top, merge.left)).ok()?;
        self.merges.get(place).copied()
    }

    /// Whether there is no cell of a column in these rows.
    pub(super) fn is_blank(&self, col: u32, top: u32, bottom: u32) -> bool {
        self.sheet.column(col).is_none_or(|column| column.cells_between(top, bottom).next().is_none())
    }
}
