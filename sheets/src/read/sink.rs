//! Where all readers put what they find: counts cells, texts and rows against the limits, and tells of the progress.

use super::corrupt;
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet, Workbook},
    limits::Options,
    skipped::{NoWorksheet, Why},
    texts::TextId,
    words::Words,
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
    pub(super) other: Option<NoWorksheet>,
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
    /// Why the first sheet that could not be read could not.
    failed: Option<ReadError>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(options: &'a Options, progress: &'a mut dyn FnMut(u64)) -> Self {
        Self { options, progress, workbook: Workbook::default(), cells: 0, rows: 0, failed: None }
    }

    pub(super) fn options(&self) -> &Options {
        self.options
    }

    /// Adds a sentence about the whole file.
    pub(super) fn note(&mut self, korean: impl Into<String>, english: impl Into<String>) {
        self.workbook.notes.push(Words::new(korean, english));
    }

    /// Says that days are counted from 1904.
    pub(super) fn note_1904(&mut self) {
        self.note(
            "이 통합 문서는 날짜를 1904년부터 셉니다(예전 매킨토시용 프로그램의 방식).",
            "Days of this workbook are counted from 1904, as older programs for the Macintosh did.",
        );
    }

    /// Adds a sheet of a list, if it is one with cells; the others are told of.
    pub(super) fn worksheet(
        &mut self,
        listed: &Listed,
        read: impl FnOnce(&mut Sheet, &mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        match listed.other {
            Some(other) => self.leave_out(&listed.name, listed.hidden, Why::NoWorksheet(other)),
            None => self.sheet(&listed.name, listed.hidden, read),
        }
    }

    fn leave_out(&mut self, name: &str, hidden: bool, why: Why) -> Result<(), ReadError> {
        self.add(Sheet::without(name, hidden, why))
    }

    fn add(&mut self, sheet: Sheet) -> Result<(), ReadError> {
        let most = self.options.limits.max_sheets;
        if self.workbook.sheets.len() >= most {
            return Err(ReadError::TooLarge(format!("it has more than {most} sheets")));
        }
        self.workbook.sheets.push(sheet);
        Ok(())
    }

    /// Adds a sheet with what `read` puts into it. One that can't be read is told of and left out; the others may still be good.
    pub(super) fn sheet(
        &mut self,
        name: &str,
        hidden: bool,
        read: impl FnOnce(&mut Sheet, &mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        if hidden && !self.options.include_hidden {
            return self.leave_out(name, hidden, Why::Hidden);
        }
        let mut sheet = Sheet::new(name, hidden);
        match read(&mut sheet, self) {
            Ok(()) => {
                let doubled = sheet.settle();
                if doubled > 0 {
                    self.note(
                        format!("‘{name}’ 시트의 셀 {doubled}개가 파일에 두 번 들어 있어 첫 값을 읽었습니다."),
                        format!("{doubled} cells of “{name}” stand twice in the file; the first value of each was read."),
                    );
                }
                self.add(sheet)
            }
            Err(error @ (ReadError::Corrupt(_) | ReadError::Unsupported(_) | ReadError::Empty(_))) => {
                let why = Why::Unreadable(error.to_string());
                self.failed.get_or_insert(error);
                self.leave_out(name, hidden, why)
            }
            Err(error) => Err(error),
        }
    }

    /// The rest of the workbook can't be read: an error, unless sheets were read before, which is told then.
    pub(super) fn fail(&mut self, error: ReadError) -> Result<(), ReadError> {
        if !matches!(error, ReadError::Corrupt(_)) || self.workbook.sheets.iter().all(|sheet| sheet.filled() == 0) {
            return Err(error);
        }
        self.note(format!("파일의 나머지는 읽지 못했습니다({error})."), format!("What follows in the file could not be read: {error}."));
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
        sheet.push(row, col, cell);
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
        let with_cells = || self.workbook.sheets.iter().filter(|sheet| matches!(sheet.left_out, None | Some(Why::Hidden)));
        let hidden = with_cells().filter(|sheet| sheet.hidden).count();
        let why = match (hidden, with_cells().count()) {
            (_, 0) => "it has no sheet with cells".to_owned(),
            (0, _) => "no cell of any sheet has a value".to_owned(),
            (_, _) if self.options.include_hidden => "no cell of any sheet has a value, hidden sheets included".to_owned(),
            (hidden, all) if hidden == all => "all its sheets are hidden; ask for hidden sheets to be read, or unhide them".to_owned(),
            (hidden, _) => format!("no cell of the visible sheets has a value, and {hidden} hidden sheets were left out"),
        };
        Err(ReadError::Empty(why))
    }
}
