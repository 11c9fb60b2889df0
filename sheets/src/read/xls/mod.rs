//! Workbooks of records (BIFF5 and BIFF8) in a compound file or bare: Excel 5 to 2003.

mod cells;
mod globals;
mod record;
mod text;

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use self::record::Records;
use super::{
    compound::{Compound, MAGIC},
    sink::Sink,
};
use crate::error::ReadError;

/// What records are read from.
pub(super) trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Reads all sheets.
pub(super) fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut records = Records::new(source(path)?);
    let book = globals::read(&mut records, sink)?;
    if book.styles.is_1904 {
        sink.note_1904();
    }
    for (listed, place) in &book.sheets {
        sink.worksheet(listed, |sheet, sink| {
            records.seek(*place)?;
            cells::read(&mut records, &book, sheet, sink)
        })?;
    }
    Ok(())
}

fn source(path: &Path) -> Result<Box<dyn Source>, ReadError> {
    let mut file = File::open(path).map_err(ReadError::Io)?;
    let mut head = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut head).map_err(ReadError::Io)?;
    if head != MAGIC {
        file.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
        return Ok(Box::new(file));
    }
    let compound = Compound::open(path)?;
    let name = if compound.has("Workbook") { "Workbook" } else { "Book" };
    Ok(Box::new(compound.stream(name)?))
}
