//! What all sheets share: their list, the texts and the styles.

use super::{
    super::{
        corrupt,
        moments::Styles,
        package::Package,
        relations::{Relation, no_worksheet},
        sink::{Listed, Sink},
    },
    record::{Records, text},
};
use crate::{error::ReadError, texts::TextId};

const WORKBOOK_PROPERTIES: u32 = 0x99;
const SHEET: u32 = 0x9c;
const SHARED_TEXT: u32 = 0x13;
const FORMAT: u32 = 0x2c;
const STYLE: u32 = 0x2f;
const BEGIN_CELL_STYLES: u32 = 0x269;
const END_CELL_STYLES: u32 = 0x26a;

/// What the main part tells.
#[derive(Default)]
pub(super) struct Book {
    pub(super) sheets: Vec<Listed>,
    pub(super) is_1904: bool,
}

/// Reads the main part.
pub(super) fn workbook(package: &mut Package, name: &str, relations: &[Relation]) -> Result<Book, ReadError> {
    let part = package.part(name)?.ok_or_else(|| corrupt("it has no list of sheets"))?;
    let mut records = Records::new(part);
    let mut book = Book::default();
    let (mut id, mut name) = (String::new(), String::new());
    while let Some((kind, mut record)) = records.next()? {
        match kind {
            WORKBOOK_PROPERTIES => book.is_1904 = record.u32()? & 1 != 0,
            SHEET => {
                let state = record.u32()?;
                record.u32()?;
                text(&mut record, &mut id)?;
                text(&mut record, &mut name)?;
                let relation = relations.iter().find(|relation| relation.id == id);
                book.sheets.push(Listed {
                    name: name.clone(),
                    hidden: state != 0,
                    other: relation.and_then(|relation| no_worksheet(&relation.kind)),
                    part: relation.map(|relation| relation.target.clone()).unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    Ok(book)
}

/// Reads the texts that cells refer to by number.
pub(super) fn strings(package: &mut Package, name: &str, sink: &mut Sink<'_>) -> Result<Vec<Option<TextId>>, ReadError> {
    let mut strings = Vec::new();
    let Some(part) = package.part(name)? else { return Ok(strings) };
    let mut records = Records::new(part);
    let most = sink.options().limits.max_cells;
    let mut found = String::new();
    while let Some((kind, mut record)) = records.next()? {
        if kind == SHARED_TEXT {
            record.u8()?;
            text(&mut record, &mut found)?;
            if strings.len() as u64 >= most {
                return Err(ReadError::TooLarge(format!("it has more than {most} texts")));
            }
            strings.push(sink.intern(&found)?);
        }
    }
    Ok(strings)
}

/// Reads the styles of cells, as far as they tell numbers from days.
pub(super) fn styles(package: &mut Package, name: &str, is_1904: bool) -> Result<Styles, ReadError> {
    let mut styles = Styles::new(is_1904);
    let Some(part) = package.part(name)? else { return Ok(styles) };
    let mut records = Records::new(part);
    let mut code = String::new();
    let mut in_cells = false;
    while let Some((kind, mut record)) = records.next()? {
        match kind {
            FORMAT => {
                let number = record.u16()?;
                text(&mut record, &mut code)?;
                styles.add_format(number, &code);
            }
            BEGIN_CELL_STYLES => in_cells = true,
            END_CELL_STYLES => in_cells = false,
            STYLE if in_cells => {
                record.u16()?;
                styles.add_style(record.u16()?);
            }
            _ => {}
        }
    }
    Ok(styles)
}
