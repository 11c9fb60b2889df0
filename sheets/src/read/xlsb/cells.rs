//! The cells of one sheet.

use std::io::Read;

use super::{
    super::{
        binary::{Bytes, error_text},
        corrupt,
        moments::Styles,
        sink::Sink,
    },
    record::{Records, text},
};
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet},
    texts::TextId,
};

const ROW: u32 = 0x00;
/// Values of cells, then those of formulas.
const FIRST_VALUE: u32 = 0x01;
/// The values of cells again, without a column: it is the next one.
const FIRST_SHORT: u32 = 0x0c;
const LAST_SHORT: u32 = 0x12;
const BEGIN_CELLS: u32 = 0x91;
const END_CELLS: u32 = 0x92;
const MERGED: u32 = 0xb0;
const COLUMNS: u32 = 0x3c;

/// Reads the cells and the merged ranges of a sheet.
pub(super) fn read(
    mut records: Records<impl Read>,
    shared: &[Option<TextId>],
    styles: &Styles,
    sheet: &mut Sheet,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let (mut row, mut col) = (0, 0_u32);
    let (mut in_cells, mut seen) = (false, false);
    let mut found = String::new();
    while let Some((kind, mut record)) = records.next()? {
        match kind {
            ROW if in_cells => {
                row = record.u32()?;
                // Style and height, two bits of something else, and then whether it has no height.
                if record.take(7).and_then(|_| record.u8()).is_ok_and(|flags| flags & 0x10 != 0) {
                    sheet.hide_rows(row, row);
                }
                col = 0;
                sink.row();
            }
            FIRST_VALUE..=LAST_SHORT if in_cells => {
                let is_short = kind >= FIRST_SHORT;
                if !is_short {
                    col = record.u32()?;
                }
                let kind = if is_short { kind - FIRST_SHORT + FIRST_VALUE } else { kind };
                let cell = value(kind, &mut record, shared, styles, &mut found, sink)?;
                sink.put(sheet, row, col, cell)?;
                col = col.saturating_add(1);
            }
            COLUMNS => hidden_columns(record, sheet),
            BEGIN_CELLS => (in_cells, seen) = (true, true),
            END_CELLS => in_cells = false,
            MERGED => {
                let (top, bottom, left, right) = (record.u32()?, record.u32()?, record.u32()?, record.u32()?);
                sink.merge(sheet, CellRange { top, left, bottom, right })?;
            }
            _ => {}
        }
    }
    match (seen, in_cells) {
        (true, false) => Ok(()),
        (true, true) => Err(corrupt("it is cut short")),
        (false, _) => Err(corrupt("it is no sheet with cells")),
    }
}

// What is too short to say that it is hidden is not.
fn hidden_columns(mut record: Bytes<'_>, sheet: &mut Sheet) {
    let (first, last) = (record.u32(), record.u32());
    let flags = record.take(8).and_then(|_| record.u16());
    if let (Ok(first), Ok(last), Ok(flags)) = (first, last, flags)
        && flags & 1 != 0
    {
        sheet.hide_columns(first, last);
    }
}

fn value(
    kind: u32,
    record: &mut Bytes<'_>,
    shared: &[Option<TextId>],
    styles: &Styles,
    found: &mut String,
    sink: &mut Sink<'_>,
) -> Result<Cell, ReadError> {
    // Three bytes of the style, and one of flags.
    let style = (record.u32()? & 0x00ff_ffff) as usize;
    match kind {
        0x02 => Ok(styles.cell(record.rk()?, style)),
        0x03 | 0x0b => sink.error(error_text(record.u8()?)),
        0x04 | 0x0a => Ok(Cell::Bool(record.u8()? != 0)),
        0x05 | 0x09 => Ok(styles.cell(record.f64()?, style)),
        0x06 | 0x08 => {
            text(record, found)?;
            sink.text(found)
        }
        0x07 => {
            let id = shared.get(record.u32()? as usize).ok_or_else(|| corrupt("a cell refers to a text that is not there"))?;
            Ok(id.map_or(Cell::Empty, Cell::Text))
        }
        // Blank.
        _ => Ok(Cell::Empty),
    }
}
