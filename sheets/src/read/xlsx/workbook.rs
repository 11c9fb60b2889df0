//! The list of sheets, and the date system.

use super::super::{
    corrupt,
    package::Package,
    relations::{Relation, no_worksheet},
    sink::Listed,
    xml::{Token, Xml, unescaped},
};
use crate::error::ReadError;

/// What the main part tells.
#[derive(Default)]
pub(super) struct Book {
    pub(super) sheets: Vec<Listed>,
    pub(super) is_1904: bool,
}

/// Reads the main part.
pub(super) fn read(package: &mut Package, name: &str, relations: &[Relation]) -> Result<Book, ReadError> {
    let part = package.part(name)?.ok_or_else(|| corrupt("it has no list of sheets"))?;
    let mut xml = Xml::new(part)?;
    let mut book = Book::default();
    loop {
        match xml.next()? {
            Token::Open(tag) if tag.name == b"sheet" => {
                let id = tag.get_local(b"id").map(unescaped).transpose()?.unwrap_or_default();
                let relation = relations.iter().find(|relation| relation.id == id);
                book.sheets.push(Listed {
                    name: tag.text(b"name")?.unwrap_or_default(),
                    hidden: matches!(tag.get(b"state"), Some(b"hidden" | b"veryHidden")),
                    other: relation.and_then(|relation| no_worksheet(&relation.kind)),
                    part: relation.map(|relation| relation.target.clone()).unwrap_or_default(),
                });
            }
            // An extension has an element of the same name without the attribute.
            Token::Open(tag) if tag.name == b"workbookPr" => book.is_1904 |= matches!(tag.get(b"date1904"), Some(b"1" | b"true")),
            Token::End => return Ok(book),
            _ => {}
        }
    }
}
