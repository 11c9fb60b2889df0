//! Cells of a workbook as they are read: columns of runs, so that a sheet takes memory by its cells and not by its corners.

mod column;
mod sheet;
mod signs;

use std::fmt;

pub use self::{
    column::SheetColumn,
    sheet::{Sheet, Uncomputed},
    signs::Signs,
};
use crate::{
    texts::{TextId, Texts},
    words::Words,
};

/// One value of a sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// Nothing, or an empty text.
    Empty,
    /// A text, not trimmed.
    Text(TextId),
    /// A number without a date's format.
    Number(f64),
    /// A number of a text file that is written with so many decimals, the last of them zeros: `12.50`.
    Written(f64, u8),
    /// True or false.
    Bool(bool),
    /// A day or a moment of the workbook's own wall clock: microseconds since 1970-01-01, both date systems already accounted for.
    Moment(i64),
    /// A time of day or a duration: microseconds.
    Duration(i64),
    /// An error such as `#DIV/0!`, by its text.
    Error(TextId),
}

impl Cell {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The number, if it is one.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) | Self::Written(number, _) => Some(number),
            _ => None,
        }
    }
}

/// A rectangle of cells; rows and columns are counted from 0, both ends included. `Display` is the A1 form, `B3:M120`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellRange {
    /// First row.
    pub top: u32,
    /// First column.
    pub left: u32,
    /// Last row.
    pub bottom: u32,
    /// Last column.
    pub right: u32,
}

impl CellRange {
    /// Whether the cell lies in it.
    #[must_use]
    pub fn contains(&self, row: u32, col: u32) -> bool {
        (self.top..=self.bottom).contains(&row) && (self.left..=self.right).contains(&col)
    }

    /// The smallest one that holds both.
    #[must_use]
    pub fn around(&self, other: &Self) -> Self {
        Self {
            top: self.top.min(other.top),
            left: self.left.min(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.max(other.right),
        }
    }

    /// What both have; none if they do not meet.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Self> {
        let (top, left) = (self.top.max(other.top), self.left.max(other.left));
        let (bottom, right) = (self.bottom.min(other.bottom), self.right.min(other.right));
        (top <= bottom && left <= right).then_some(Self { top, left, bottom, right })
    }
}

impl fmt::Display for CellRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = format!("{}{}", letters(self.left), u64::from(self.top) + 1);
        let last = format!("{}{}", letters(self.right), u64::from(self.bottom) + 1);
        if first == last { f.write_str(&first) } else { write!(f, "{first}:{last}") }
    }
}

/// The letters of a column that is counted from 0: A, B, … Z, AA.
#[must_use]
pub fn letters(column: u32) -> String {
    let mut rest = u64::from(column) + 1;
    let mut found = Vec::new();
    while rest > 0 {
        rest -= 1;
        found.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()));
        rest /= 26;
    }
    found.iter().rev().collect()
}

/// A workbook as it was read.
#[derive(Default)]
pub struct Workbook {
    /// Its sheets in the order of their tabs, those that were left out among them.
    pub sheets: Vec<Sheet>,
    /// Its different texts.
    pub texts: Texts,
    /// What was assumed or left out for the whole file: the encoding, the delimiter, the date system.
    pub notes: Vec<Words>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_their_letters() {
        for (column, text) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")] {
            assert_eq!(letters(column), text);
        }
        assert_eq!(CellRange { top: 2, left: 1, bottom: 119, right: 12 }.to_string(), "B3:M120");
        assert_eq!(CellRange { top: 0, left: 0, bottom: 0, right: 0 }.to_string(), "A1");
    }

    #[test]
    fn far_corners_take_the_memory_of_two_cells() {
        let mut sheet = Sheet::new("S", false);
        sheet.push(0, 0, Cell::Number(1.5));
        sheet.push(1_048_575, 16_383, Cell::Bool(true));
        assert_eq!((sheet.row_count(), sheet.column_count(), sheet.filled()), (1_048_576, 16_384, 2));
        assert_eq!((sheet.get(0, 0), sheet.get(1_048_575, 16_383), sheet.get(5, 5)), (Cell::Number(1.5), Cell::Bool(true), Cell::Empty));
        let held: usize = (0..sheet.column_count()).filter_map(|col| sheet.column(col)).map(SheetColumn::held).sum();
        assert_eq!(held, 2);
    }

    #[test]
    fn cells_out_of_order_find_their_places_and_of_doubled_ones_the_first_stands() {
        let mut sheet = Sheet::new("S", false);
        for (row, col, number) in [(5, 0, 5.0), (2, 0, 2.0), (900, 0, 9.0), (5, 0, 6.0), (0, 0, 0.5), (1, 1, 1.0), (2, 0, 7.0)] {
            sheet.push(row, col, Cell::Number(number));
        }
        assert_eq!(sheet.settle(), 2);
        let column = sheet.column(0).expect("it has cells");
        let cells: Vec<_> = column.cells().map(|(row, cell)| (row, cell.number())).collect();
        assert_eq!(cells, [(0, Some(0.5)), (2, Some(2.0)), (5, Some(5.0)), (900, Some(9.0))]);
        assert_eq!((sheet.filled(), sheet.settle()), (5, 0));
    }

    #[test]
    fn numbers_of_texts_keep_their_decimals() {
        let mut sheet = Sheet::new("S", false);
        sheet.push(0, 0, Cell::Written(12.5, 2));
        assert_eq!((sheet.get(0, 0), sheet.get(0, 0).number()), (Cell::Written(12.5, 2), Some(12.5)));
    }

    #[test]
    fn gaps_stay_empty_and_values_come_back() {
        let mut sheet = Sheet::new("S", false);
        for (row, cell) in [(3, Cell::Moment(-5)), (7, Cell::Duration(9)), (500, Cell::Text(TextId(4))), (501, Cell::Error(TextId(5)))] {
            sheet.push(row, 2, cell);
        }
        let column = sheet.column(2).expect("it has cells");
        assert_eq!(column.cells().map(|(row, _)| row).collect::<Vec<_>>(), [3, 7, 500, 501]);
        assert_eq!((column.get(3), column.get(5), column.get(7)), (Cell::Moment(-5), Cell::Empty, Cell::Duration(9)));
        assert_eq!(column.cells_between(7, 500).map(|(row, _)| row).collect::<Vec<_>>(), [7, 500]);
        assert_eq!(
            (column.cells_between(8, 499).count(), column.cells_between(0, 3).count(), column.cells_between(501, 900).count()),
            (0, 1, 1)
        );
        assert_eq!((column.get(500), column.get(501), column.get(502)), (Cell::Text(TextId(4)), Cell::Error(TextId(5)), Cell::Empty));
    }
}
