//! The cells of one sheet.

use super::{
    super::{
        binary::{Bytes, error_text},
        corrupt,
        sink::Sink,
    },
    globals::{BEGIN, Book, END},
    record::Records,
    text::Pieces,
};
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet},
};

const ROW: u16 = 0x0208;
const NUMBER: u16 = 0x0203;
const RK: u16 = 0x027e;
const RKS: u16 = 0x00bd;
const SHARED_TEXT: u16 = 0x00fd;
const TEXT: u16 = 0x0204;
const RICH_TEXT: u16 = 0x00d6;
const BOOL_OR_ERROR: u16 = 0x0205;
const FORMULA: u16 = 0x0006;
const FORMULA_TEXT: u16 = 0x0207;
const MERGED: u16 = 0x00e5;
const COLUMNS: u16 = 0x007d;

/// Reads the cells and the merged ranges of a sheet.
pub(super) fn read(records: &mut Records, book: &Book, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    if records.next()? != Some(BEGIN) {
        return Err(corrupt("its records are not where the workbook says"));
    }
    // Charts within a sheet have records of their own between a beginning and an end.
    let mut depth = 0_u32;
    // Where the formula stands whose text comes next.
    let mut awaited = None;
    let mut text = String::new();
    while let Some(kind) = records.next()? {
        match (kind, depth) {
            (BEGIN, _) => depth += 1,
            (END, 0) => return Ok(()),
            (END, _) => depth -= 1,
            (ROW, 0) => {
                hidden_row(Bytes(&records.body), sheet);
                sink.row();
            }
            (COLUMNS, 0) => hidden_columns(Bytes(&records.body), sheet),
            (FORMULA_TEXT, 0) => {
                if let Some((row, col)) = awaited.take() {
                    if book.writing.is_biff8 {
                        Pieces::new(records, 0).text(&mut text)?;
                    } else {
                        book.writing.long(&mut Bytes(&records.body), &mut text)?;
                    }
                    let cell = sink.text(&text)?;
                    sink.put(sheet, row, col, cell)?;
                }
            }
            (FORMULA, 0) => awaited = formula(Bytes(&records.body), book, sheet, sink)?,
            (MERGED, 0) => merged(Bytes(&records.body), sheet, sink)?,
            (kind, 0) => cell(kind, Bytes(&records.body), book, &mut text, sheet, sink)?,
            _ => {}
        }
    }
    Err(corrupt("it is cut short"))
}

fn cell(kind: u16, mut record: Bytes<'_>, book: &Book, text: &mut String, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    if !matches!(kind, NUMBER | RK | RKS | SHARED_TEXT | TEXT | RICH_TEXT | BOOL_OR_ERROR) {
        return Ok(());
    }
    let (row, col) = (u32::from(record.u16()?), u32::from(record.u16()?));
    if kind == RKS {
        return numbers(record, book, (row, col), sheet, sink);
    }
    let style = usize::from(record.u16()?);
    let cell = match kind {
        NUMBER => book.styles.cell(record.f64()?, style),
        RK => book.styles.cell(record.rk()?, style),
        SHARED_TEXT => {
            let id = book.shared.get(record.u32()? as usize).ok_or_else(|| corrupt("a cell refers to a text that is not there"))?;
            id.map_or(Cell::Empty, Cell::Text)
        }
        BOOL_OR_ERROR => {
            let (value, is_error) = (record.u8()?, record.u8()? != 0);
            if is_error { sink.error(error_text(value))? } else { Cell::Bool(value != 0) }
        }
        _ => {
            book.writing.long(&mut record, text)?;
            sink.text(text)?
        }
    };
    sink.put(sheet, row, col, cell)
}

// Several numbers in a row: style and number of each, and the last column.
fn numbers(mut record: Bytes<'_>, book: &Book, (row, first): (u32, u32), sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut col = first;
    while record.0.len() > 2 {
        let style = usize::from(record.u16()?);
        let cell = book.styles.cell(record.rk()?, style);
        sink.put(sheet, row, col, cell)?;
        col += 1;
    }
    Ok(())
}

// The value that was last computed. One that is a text stands in a record of its own, and its place is told.
fn formula(mut record: Bytes<'_>, book: &Book, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<Option<(u32, u32)>, ReadError> {
    let (row, col) = (u32::from(record.u16()?), u32::from(record.u16()?));
    let style = usize::from(record.u16()?);
    let value = record.take(8)?;
    let cell = match *value {
        [0, .., 0xff, 0xff] => return Ok(Some((row, col))),
        [1, _, value, .., 0xff, 0xff] => Cell::Bool(value != 0),
        [2, _, value, .., 0xff, 0xff] => sink.error(error_text(value))?,
        [.., 0xff, 0xff] => Cell::Empty,
        _ => book.styles.cell(Bytes(value).f64()?, style),
    };
    sink.put(sheet, row, col, cell)?;
    Ok(None)
}

// What is too short to say that it is hidden is not.
fn hidden_row(mut record: Bytes<'_>, sheet: &mut Sheet) {
    let row = record.u16();
    let flags = record.take(10).and_then(|_| record.u16());
    if let (Ok(row), Ok(flags)) = (row, flags)
        && flags & 0x20 != 0
    {
        sheet.hide_rows(u32::from(row), u32::from(row));
    }
}

fn hidden_columns(mut record: Bytes<'_>, sheet: &mut Sheet) {
    let (first, last) = (record.u16(), record.u16());
    let flags = record.take(4).and_then(|_| record.u16());
    if let (Ok(first), Ok(last), Ok(flags)) = (first, last, flags)
        && flags & 1 != 0
    {
        sheet.hide_columns(u32::from(first), u32::from(last));
    }
}

fn merged(mut record: Bytes<'_>, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let count = record.u16()?;
    for _ in 0..count {
        let (top, bottom) = (u32::from(record.u16()?), u32::from(record.u16()?));
        let (left, right) = (u32::from(record.u16()?), u32::from(record.u16()?));
        sink.merge(sheet, CellRange { top, left, bottom, right })?;
    }
    Ok(())
}
