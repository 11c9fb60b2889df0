//! The formats that numbers are shown in.

use super::super::{
    moments::Styles,
    package::Package,
    xml::{Token, Xml},
};
use crate::error::ReadError;

/// More are not possible in any program.
const MOST_STYLES: usize = 1_000_000;

/// Reads the styles of cells, as far as they tell numbers from days.
pub(super) fn read(package: &mut Package, name: &str, is_1904: bool) -> Result<Styles, ReadError> {
    let mut styles = Styles::new(is_1904);
    let Some(part) = package.part(name)? else { return Ok(styles) };
    let mut xml = Xml::new(part)?;
    let mut in_cells = false;
    loop {
        match xml.next()? {
            Token::Open(tag) if tag.name == b"cellXfs" => in_cells = !tag.closed,
            Token::Close(b"cellXfs") => in_cells = false,
            Token::Open(tag) if tag.name == b"numFmt" => {
                if let (Some(number), Some(code)) = (tag.number(b"numFmtId"), tag.text(b"formatCode")?) {
                    styles.add_format(number, &code);
                }
            }
            Token::Open(tag) if tag.name == b"xf" && in_cells && styles.len() < MOST_STYLES => {
                styles.add_style(tag.number(b"numFmtId").unwrap_or_default());
            }
            Token::End => return Ok(styles),
            _ => {}
        }
    }
}
