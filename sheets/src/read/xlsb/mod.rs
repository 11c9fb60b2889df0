//! Workbooks of binary parts (xlsb): records of a type, a length and a body.

mod cells;
mod globals;
mod record;

use std::path::Path;

use self::record::Records;
use super::{package::Package, relations, sink::Sink};
use crate::error::ReadError;

/// Reads all sheets.
pub(super) fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut package = Package::open(path, &sink.options().limits)?;
    let main = relations::main_part(&mut package, "xl/workbook.bin")?;
    let relations = relations::of(&mut package, &main)?;
    let book = globals::workbook(&mut package, &main, &relations)?;
    let shared = relations::by_kind(&relations, "sharedStrings", "xl/sharedStrings.bin");
    let shared = globals::strings(&mut package, &shared, sink)?;
    let styles = relations::by_kind(&relations, "styles", "xl/styles.bin");
    let styles = globals::styles(&mut package, &styles, book.is_1904)?;
    if book.is_1904 {
        sink.note_1904();
    }
    for listed in &book.sheets {
        sink.worksheet(listed, |sheet, sink| {
            let part = package.part(&listed.part)?.ok_or_else(|| super::corrupt("its part is missing"))?;
            cells::read(Records::new(part), &shared, &styles, sheet, sink)
        })?;
    }
    Ok(())
}
