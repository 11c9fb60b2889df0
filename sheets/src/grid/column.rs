//! One column of a sheet: runs of cells in consecutive rows.

use super::Cell;
use crate::texts::TextId;

/// Rows that may be missing within a run before a new one begins.
const LONGEST_GAP: u32 = 16;

const EMPTY: u8 = 0;
const TEXT: u8 = 1;
const NUMBER: u8 = 2;
const BOOL: u8 = 3;
const MOMENT: u8 = 4;
const DURATION: u8 = 5;
const ERROR: u8 = 6;
/// From here on a number of a text file, and how many decimals it is written with.
const WRITTEN: u8 = 16;

/// Cells of one column in consecutive rows: nine bytes each.
#[derive(Default)]
struct Run {
    start: u32,
    tags: Vec<u8>,
    words: Vec<u64>,
}

impl Run {
    fn end(&self) -> u32 {
        self.start + u32::try_from(self.tags.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, cell: Cell) {
        let (tag, word) = match cell {
            Cell::Empty => (EMPTY, 0),
            Cell::Text(id) => (TEXT, u64::from(id.0)),
            Cell::Number(number) => (NUMBER, number.to_bits()),
            Cell::Written(number, decimals) => (WRITTEN.saturating_add(decimals), number.to_bits()),
            Cell::Bool(value) => (BOOL, u64::from(value)),
            Cell::Moment(micros) => (MOMENT, micros.cast_unsigned()),
            Cell::Duration(micros) => (DURATION, micros.cast_unsigned()),
            Cell::Error(id) => (ERROR, u64::from(id.0)),
        };
        self.tags.push(tag);
        self.words.push(word);
    }

    fn get(&self, place: usize) -> Cell {
        let (Some(&tag), Some(&word)) = (self.tags.get(place), self.words.get(place)) else { return Cell::Empty };
        let id = || TextId(u32::try_from(word).unwrap_or_default());
        match tag {
            TEXT => Cell::Text(id()),
            NUMBER => Cell::Number(f64::from_bits(word)),
            BOOL => Cell::Bool(word != 0),
            MOMENT => Cell::Moment(word.cast_signed()),
            DURATION => Cell::Duration(word.cast_signed()),
            ERROR => Cell::Error(id()),
            WRITTEN.. => Cell::Written(f64::from_bits(word), tag - WRITTEN),
            _ => Cell::Empty,
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

    /// Cells that are held in memory, blank ones between others among them.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.runs.iter().map(|run| run.tags.len()).sum()
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

    // False: a row before the last one.
    pub(super) fn push(&mut self, row: u32, cell: Cell) -> bool {
        match self.runs.last_mut() {
            Some(run) if row >= run.end() && row - run.end() <= LONGEST_GAP => {
                for _ in run.end()..row {
                    run.push(Cell::Empty);
                }
                run.push(cell);
            }
            Some(run) if row < run.end() => return false,
            _ => {
                let mut run = Run { start: row, ..Run::default() };
                run.push(cell);
                self.runs.push(run);
            }
        }
        self.filled += 1;
        true
    }

    // This column with cells, in order of their rows, put between its own; of a doubled cell the first stands.
    pub(super) fn with(&self, late: &[Late]) -> Self {
        let mut merged = Self::default();
        let mut late = late.iter().map(|late| (late.row, late.cell)).peekable();
        for (row, cell) in self.cells() {
            while let Some((row, cell)) = late.next_if(|(other, _)| *other < row) {
                merged.push(row, cell);
            }
            merged.push(row, cell);
        }
        for (row, cell) in late {
            merged.push(row, cell);
        }
        merged
    }
}

/// A cell that came after those below it.
pub(super) struct Late {
    pub(super) row: u32,
    pub(super) col: u32,
    pub(super) cell: Cell,
}
