//! Workbooks of XML parts: xlsx, xlsm and their templates.

mod cells;
mod strings;
mod styles;
mod workbook;

use std::path::Path;

use super::{package::Package, relations, sink::Sink, xml::Xml};
use crate::error::ReadError;

/// Reads all sheets.
pub(super) fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut package = Package::open(path, &sink.options().limits)?;
    let main = relations::main_part(&mut package, "xl/workbook.xml")?;
    let relations = relations::of(&mut package, &main)?;
    let book = workbook::read(&mut package, &main, &relations)?;
    let shared = relations::by_kind(&relations, "sharedStrings", "xl/sharedStrings.xml");
    let shared = strings::read(&mut package, &shared, sink)?;
    let styles = relations::by_kind(&relations, "styles", "xl/styles.xml");
    let styles = styles::read(&mut package, &styles, book.is_1904)?;
    if book.is_1904 {
        sink.note_1904();
    }
    for listed in &book.sheets {
        sink.worksheet(listed, |sheet, sink| {
            let part = package.part(&listed.part)?.ok_or_else(|| super::corrupt("its part is missing"))?;
            cells::read(Xml::new(part)?, &shared, &styles, sheet, sink)
        })?;
    }
    Ok(())
}
