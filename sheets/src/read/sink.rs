//! Where all readers put what they find: counts cells, texts and rows against the limits, and tells of the progress.

use super::corrupt;
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet, Workbook},
    limits::Options,
    texts::TextId,
};

/// Rows between two words of progress.
const ROWS_PER_WORD: u64 = 4_096;
/// Rows and columns of the largest sheet that any of the programs makes.
const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: u32 = 16_384;

/// A sheet as a workbook lists it.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) hidden: bool,
    /// What it is if it is no sheet with cells.
    pub(super) other: Option<&'static str>,
    /// Its part of the package; empty if the workbook does not say.
    pub(super) part: String,
}

/// Takes cells, texts and sheets.
pub(super) struct Sink<'a> {
    options: &'a Options,
    progress: &'a mut dyn FnMut(u64),
    workbook: Workbook,
    cells: u64,
    rows: u64,
    /// Cells of the current sheet whose place was taken or passed.
    misplaced: u64,
    /// Why the first sheet that could not be read could not.
    failed: Option<ReadError>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(options: &'a Options, progress: &'a mut dyn FnMut(u64)) -> Self {
        Self { options, progress, workbook: Workbook::default(), cells: 0, rows: 0, misplaced: 0, failed: None }
    }

    pub(super) fn options(&self) -> &Options {
        self.options
    }

    /// Adds a sentence about the whole file.
    pub(super) fn note(&mut self, note: String) {
        self.workbook.notes.push(note);
    }

    /// Says that days are counted from 1904.
    pub(super) fn note_1904(&mut self) {
        self.note("Days of this workbook are counted from 1904, as older programs for the Macintosh did.".to_owned());
    }

    /// Adds a sheet of a list, if it is one with cells; the others are told of.
    pub(super) fn worksheet(
        &mut self,
        listed: &Listed,
        read: impl FnOnce(&mut Sheet, &mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        match listed.other {
            Some(other) => {
                self.note(format!("The sheet “{}” is {other} and has no cells to read.", listed.name));
                Ok(())
            }
            None => self.sheet(&listed.name, listed.hidden, read),
        }
    }

    /// Adds a sheet with what `read` puts into it. One that can't be read is told of and left out; the others may still be good.
    pub(super) fn sheet(
        &mut self,
        name: &str,
        hidden: bool,
        read: impl FnOnce(&mut Sheet, &mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let most = self.options.limits.max_sheets;
        if self.workbook.sheets.len() >= most {
            return Err(ReadError::TooLarge(format!("it has more than {most} sheets")));
        }
        let mut sheet = Sheet::new(name, hidden);
        if hidden && !self.options.include_hidden {
            self.workbook.sheets.push(sheet);
            return Ok(());
        }
        self.misplaced = 0;
        match read(&mut sheet, self) {
            Ok(()) => {
                if self.misplaced > 0 {
                    let misplaced = self.misplaced;
                    self.note(format!("{misplaced} cells of “{name}” stand twice or out of order in the file and were left out."));
                }
                self.workbook.sheets.push(sheet);
            }
            Err(error @ (ReadError::Corrupt(_) | ReadError::Unsupported(_) | ReadError::Empty(_))) => {
                self.note(format!("The sheet “{name}” could not be read: {error}."));
                self.failed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The rest of the workbook can't be read: an error, unless sheets were read before, which is told then.
    pub(super) fn fail(&mut self, error: ReadError) -> Result<(), ReadError> {
        if !matches!(error, ReadError::Corrupt(_)) || self.workbook.sheets.iter().all(|sheet| sheet.filled() == 0) {
            return Err(error);
        }
        self.note(format!("What follows in the file could not be read: {error}."));
        Ok(())
    }

    /// A text as a cell; an empty one is an empty cell.
    pub(super) fn text(&mut self, text: &str) -> Result<Cell, ReadError> {
        Ok(self.intern(text)?.map_or(Cell::Empty, Cell::Text))
    }

    /// An error such as `#DIV/0!` as a cell.
    pub(super) fn error(&mut self, text: &str) -> Result<Cell, ReadError> {
        Ok(self.intern(text)?.map_or(Cell::Empty, Cell::Error))
    }

    /// Keeps a text; none for an empty one.
    pub(super) fn intern(&mut self, text: &str) -> Result<Option<TextId>, ReadError> {
        if text.is_empty() {
            return Ok(None);
        }
        let most = self.options.limits.max_text_bytes;
        let id = self.workbook.texts.intern(text);
        match id {
            Some(_) if self.workbook.texts.byte_len() <= most => Ok(id),
            _ => Err(ReadError::TooLarge(format!("its different texts take more than {} MiB", most / 1_048_576))),
        }
    }

    /// Puts a cell into a sheet.
    pub(super) fn put(&mut self, sheet: &mut Sheet, row: u32, col: u32, cell: Cell) -> Result<(), ReadError> {
        if cell.is_empty() {
            return Ok(());
        }
        if row >= MOST_ROWS || col >= MOST_COLUMNS {
            return Err(corrupt(format!(
                "a cell stands in row {} and column {}, beyond any sheet",
                u64::from(row) + 1,
                u64::from(col) + 1
            )));
        }
        self.count()?;
        let before = sheet.filled();
        sheet.push(row, col, cell);
        self.misplaced += u64::from(sheet.filled() == before);
        Ok(())
    }

    /// Puts a row of a text file, which may have more rows than a sheet.
    pub(super) fn put_line(&mut self, sheet: &mut Sheet, row: u32, col: u32, cell: Cell) -> Result<(), ReadError> {
        if cell.is_empty() {
            return Ok(());
        }
        if col >= MOST_COLUMNS {
            let row = u64::from(row) + 1;
            return Err(ReadError::TooLarge(format!("line {row} has more than {MOST_COLUMNS} fields; is the delimiter an unusual one?")));
        }
        self.count()?;
        sheet.push(row, col, cell);
        Ok(())
    }

    /// Adds merged cells; one cell alone is none.
    pub(super) fn merge(&mut self, sheet: &mut Sheet, range: CellRange) -> Result<(), ReadError> {
        let turned = range.top > range.bottom || range.left > range.right;
        let single = range.top == range.bottom && range.left == range.right;
        if turned || single || range.bottom >= MOST_ROWS || range.right >= MOST_COLUMNS {
            return Ok(());
        }
        self.count()?;
        sheet.merges.push(range);
        Ok(())
    }

    // Merged ranges count as cells, so that they are bounded too.
    fn count(&mut self) -> Result<(), ReadError> {
        let most = self.options.limits.max_cells;
        self.cells += 1;
        if self.cells > most {
            return Err(ReadError::TooLarge(format!("it has more than {most} cells with a value")));
        }
        Ok(())
    }

    /// A row has been read.
    pub(super) fn row(&mut self) {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_WORD) {
            (self.progress)(self.rows);
        }
    }

    /// The workbook, if it has any value.
    pub(super) fn finish(self) -> Result<Workbook, ReadError> {
        if self.workbook.sheets.iter().any(|sheet| sheet.filled() > 0) {
            return Ok(self.workbook);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        let hidden = self.workbook.sheets.iter().filter(|sheet| sheet.hidden).count();
        let why = match (hidden, self.workbook.sheets.len()) {
            (_, 0) => "it has no sheet with cells".to_owned(),
            (0, _) => "no cell of any sheet has a value".to_owned(),
            (_, _) if self.options.include_hidden => "no cell of any sheet has a value, hidden sheets included".to_owned(),
            (hidden, all) if hidden == all => "all its sheets are hidden; ask for hidden sheets to be read, or unhide them".to_owned(),
            (hidden, _) => format!("no cell of the visible sheets has a value, and {hidden} hidden sheets were left out"),
        };
        Err(ReadError::Empty(why))
    }
}
