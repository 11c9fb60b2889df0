//! Cells of a workbook as they are read: columns of runs, so that a sheet takes memory by its cells and not by its corners.

use std::fmt;

use crate::texts::{TextId, Texts};

/// Rows that may be missing within a run before a new one begins.
const LONGEST_GAP: u32 = 16;

/// One value of a sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// Nothing, or an empty text.
    Empty,
    /// A text, not trimmed.
    Text(TextId),
    /// A number without a date's format.
    Number(f64),
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

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    Empty,
    Text,
    Number,
    Bool,
    Moment,
    Duration,
    Error,
}

/// Cells of one column in consecutive rows: nine bytes each.
struct Run {
    start: u32,
    tags: Vec<Tag>,
    words: Vec<u64>,
}

impl Run {
    fn end(&self) -> u32 {
        self.start + u32::try_from(self.tags.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, cell: Cell) {
        let (tag, word) = match cell {
            Cell::Empty => (Tag::Empty, 0),
            Cell::Text(id) => (Tag::Text, u64::from(id.0)),
            Cell::Number(number) => (Tag::Number, number.to_bits()),
            Cell::Bool(value) => (Tag::Bool, u64::from(value)),
            Cell::Moment(micros) => (Tag::Moment, micros.cast_unsigned()),
            Cell::Duration(micros) => (Tag::Duration, micros.cast_unsigned()),
            Cell::Error(id) => (Tag::Error, u64::from(id.0)),
        };
        self.tags.push(tag);
        self.words.push(word);
    }

    fn get(&self, place: usize) -> Cell {
        let (Some(&tag), Some(&word)) = (self.tags.get(place), self.words.get(place)) else { return Cell::Empty };
        let id = || TextId(u32::try_from(word).unwrap_or_default());
        match tag {
            Tag::Empty => Cell::Empty,
            Tag::Text => Cell::Text(id()),
            Tag::Number => Cell::Number(f64::from_bits(word)),
            Tag::Bool => Cell::Bool(word != 0),
            Tag::Moment => Cell::Moment(word.cast_signed()),
            Tag::Duration => Cell::Duration(word.cast_signed()),
            Tag::Error => Cell::Error(id()),
        }
    }
}

/// One column of a sheet.
#[derive(Default)]
pub struct SheetColumn {
    runs: Vec<Run>,
    filled: u64,
}

impl SheetColumn {
    /// The cell in this row.
    #[must_use]
    pub fn get(&self, row: u32) -> Cell {
        let after = self.runs.partition_point(|run| run.start <= row);
        let Some(run) = after.checked_sub(1).and_then(|place| self.runs.get(place)) else { return Cell::Empty };
        run.get((row - run.start) as usize)
    }

    /// How many cells are not empty.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.filled
    }

    /// Cells that are not empty, by row.
    pub fn cells(&self) -> impl Iterator<Item = (u32, Cell)> + '_ {
        self.runs.iter().flat_map(|run| {
            (run.start..).zip(0..run.tags.len()).map(|(row, place)| (row, run.get(place))).filter(|(_, cell)| !cell.is_empty())
        })
    }

    /// Cells that are not empty in these rows, both included, by row.
    pub fn cells_between(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, Cell)> + '_ {
        let from = self.runs.partition_point(|run| run.end() <= first);
        let runs = self.runs.iter().skip(from).take_while(move |run| run.start <= last);
        runs.flat_map(move |run| {
            let skipped = first.saturating_sub(run.start);
            (run.start + skipped..=last)
                .zip(skipped as usize..run.tags.len())
                .map(|(row, place)| (row, run.get(place)))
                .filter(|(_, cell)| !cell.is_empty())
        })
    }

    fn push(&mut self, row: u32, cell: Cell) {
        match self.runs.last_mut() {
            Some(run) if row >= run.end() && row - run.end() <= LONGEST_GAP => {
                for _ in run.end()..row {
                    run.push(Cell::Empty);
                }
                run.push(cell);
            }
            // Out of order: the first value of a cell stands. Readers bring rows in order; a file that does not is a damaged one.
            Some(run) if row < run.end() => return,
            _ => {
                let mut run = Run { start: row, tags: Vec::new(), words: Vec::new() };
                run.push(cell);
                self.runs.push(run);
            }
        }
        self.filled += 1;
    }
}

/// A sheet: its cells by column.
#[derive(Default)]
pub struct Sheet {
    /// Its name on its tab.
    pub name: String,
    /// Whether people see it.
    pub hidden: bool,
    /// Merged cells. Only the first cell of each has a value.
    pub merges: Vec<CellRange>,
    columns: Vec<SheetColumn>,
    rows: u32,
    filled: u64,
}

impl Sheet {
    /// A sheet without cells.
    #[must_use]
    pub fn new(name: &str, hidden: bool) -> Self {
        Self { name: name.to_owned(), hidden, ..Self::default() }
    }

    /// Adds a cell; rows of one column come in order. An empty one is not kept.
    pub fn push(&mut self, row: u32, col: u32, cell: Cell) {
        if cell.is_empty() {
            return;
        }
        let place = col as usize;
        if self.columns.len() <= place {
            self.columns.resize_with(place + 1, SheetColumn::default);
        }
        let Some(column) = self.columns.get_mut(place) else { return };
        let before = column.filled;
        column.push(row, cell);
        self.filled += column.filled - before;
        self.rows = self.rows.max(row.saturating_add(1));
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

/// A workbook as it was read.
#[derive(Default)]
pub struct Workbook {
    /// Its sheets in the order of their tabs. Those that were left out (hidden ones) have no cells and `hidden` set.
    pub sheets: Vec<Sheet>,
    /// Its different texts.
    pub texts: Texts,
    /// What was assumed or left out for the whole file, in sentences: the encoding, the delimiter, sheets that could not be read.
    pub notes: Vec<String>,
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
        let held: usize = sheet.columns.iter().flat_map(|column| &column.runs).map(|run| run.tags.len()).sum();
        assert_eq!(held, 2);
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
