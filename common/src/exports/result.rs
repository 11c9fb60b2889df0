//! The result of a question as a workbook: its rows, its picture, and what must be said of both.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
};

use rust_xlsxwriter::{Format, Image, Workbook};
use serde_json::Value;

use super::{
    ExportError, MAX_SHEET_COLUMNS,
    cells::{self, Losses},
    sheet::{self, Sheet},
    temporary, words,
};
use crate::model::{
    language::Language,
    results::{Column, ColumnKind},
};

/// What is said of a result beside its rows.
#[derive(Clone, Debug)]
pub struct About {
    /// The question, or what else the result is of.
    pub title: String,
    /// Rows of the whole result.
    pub row_count: u64,
    /// Whether a limit cut it off.
    pub truncated: bool,
    /// The language of names and notes.
    pub language: Language,
    /// The picture of its chart, a PNG file; none: it has none.
    pub picture: Option<Vec<u8>>,
}

/// A workbook being written row by row: needs the memory of one row, and disk for all of them.
pub struct ResultBook {
    workbook: Workbook,
    sheet: Sheet,
    columns: Vec<Column>,
    language: Language,
    losses: Losses,
}

impl ResultBook {
    /// Begins with the columns' names.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn new(columns: Vec<Column>, language: Language) -> Result<Self, ExportError> {
        let mut workbook = sheet::workbook()?;
        let mut sheet = Sheet::new(&mut workbook, words::names(language).rows)?;
        let mut losses = Losses::default();
        let names: Vec<String> = columns.iter().map(|column| cells::fitting(&column.name, &mut losses)).collect();
        sheet.header(names.iter().map(String::as_str))?;
        Ok(Self { workbook, sheet, columns, language, losses })
    }

    /// Appends a row. Says whether the sheet has room for another one.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn push(&mut self, row: &[Value]) -> Result<bool, ExportError> {
        if !self.sheet.is_full() {
            let (columns, losses) = (&self.columns, &mut self.losses);
            let kind = |index: usize| columns.get(index).map_or(ColumnKind::Other, |column| column.kind);
            self.sheet.row(row.iter().enumerate().map(|(index, value)| cells::cell(value, kind(index), losses)))?;
        }
        Ok(!self.sheet.is_full())
    }

    /// Completes the file: a temporary one without a name, to be read from its beginning.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(mut self, about: &About) -> Result<File, ExportError> {
        let names = words::names(self.language);
        let notes = self.notes(about);
        self.sheet.finish(&mut self.workbook)?;
        if let Some(picture) = &about.picture {
            let title = cells::fitting(&about.title, &mut Losses::default());
            let sheet = self.workbook.add_worksheet().set_name(names.chart)?;
            sheet.write_string_with_format(0, 0, title, &Format::new().set_bold())?;
            sheet.insert_image(2, 0, &Image::new_from_buffer(picture)?)?;
        }
        if !notes.is_empty() {
            let mut sheet = Sheet::new(&mut self.workbook, names.notes)?;
            for note in &notes {
                sheet.sentence(note)?;
            }
            sheet.finish(&mut self.workbook)?;
        }
        saved(&mut self.workbook)
    }

    pub(super) fn notes(&self, about: &About) -> Vec<String> {
        let mut notes = Vec::new();
        if about.truncated {
            notes.push(words::truncated(about.row_count, self.language));
        }
        let written = u64::from(self.sheet.rows()).saturating_sub(1);
        if written < about.row_count && self.sheet.is_full() {
            notes.push(words::too_many_rows(written, about.row_count, self.language));
        }
        if self.columns.len() > usize::from(MAX_SHEET_COLUMNS) {
            notes.push(words::too_many_columns(self.columns.len(), self.language));
        }
        notes.extend(words::losses(self.losses, self.language));
        notes
    }
}

/// Writes a workbook to a temporary file and goes back to its beginning.
pub(super) fn saved(workbook: &mut Workbook) -> Result<File, ExportError> {
    let mut writer = BufWriter::new(temporary::file()?);
    workbook.save_to_writer(&mut writer)?;
    writer.flush()?;
    let mut file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}
