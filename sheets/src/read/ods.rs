//! OpenDocument spreadsheets.
//!
//! Rows and columns that repeat are counted, not written out: a sheet that is formatted to its last corner takes no more than its values.

use std::{collections::HashSet, path::Path};

use super::{
    corrupt, moments,
    package::Package,
    sink::Sink,
    xml::{Tag, Token, Xml, cut_short, unescape},
};
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet},
};

const MANIFEST: &str = "META-INF/manifest.xml";
/// What says that parts are encrypted stands near the beginning.
const MANIFEST_HEAD: u64 = 1_048_576;

/// Whether the parts of the package are encrypted.
pub(super) fn is_encrypted(package: &mut Package) -> Result<bool, ReadError> {
    let manifest = package.head(MANIFEST, MANIFEST_HEAD)?.unwrap_or_default();
    Ok(memchr::memmem::find(&manifest, b"encryption-data").is_some())
}

/// Reads all sheets.
pub(super) fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut package = Package::open(path, &sink.options().limits)?;
    let part = package.part("content.xml")?.ok_or_else(|| corrupt("it has no content"))?;
    let mut xml = Xml::new(part)?;
    let mut hidden_styles = HashSet::new();
    let mut style = None;
    loop {
        match xml.next()? {
            Token::Open(tag) => match tag.full {
                b"style:style" => style = tag.text(b"style:name")?,
                b"style:table-properties" if tag.get(b"table:display") == Some(b"false") => hidden_styles.extend(style.take()),
                b"table:table" => {
                    let name = tag.text(b"table:name")?.unwrap_or_default();
                    let hidden = tag.text(b"table:style-name")?.is_some_and(|style| hidden_styles.contains(&style));
                    let mut passed = tag.closed;
                    sink.sheet(&name, hidden, |sheet, sink| {
                        if !passed {
                            passed = true;
                            Table::default().read(&mut xml, sheet, sink)?;
                        }
                        Ok(())
                    })?;
                    // One that was left out because it is hidden.
                    if !passed && let Err(error) = xml.skip() {
                        return sink.fail(error);
                    }
                }
                _ => {}
            },
            Token::End => return Ok(()),
            _ => {}
        }
    }
}

/// A sheet while it is read.
#[derive(Default)]
struct Table {
    row: u32,
    /// Values of the current row by column, with how many columns they fill.
    cells: Vec<(u32, u32, Cell)>,
    col: u32,
    /// Columns that were described so far.
    columns: u32,
    text: String,
    raw: String,
}

impl Table {
    // From within the element to its end.
    fn read(&mut self, xml: &mut Xml<'_>, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        loop {
            match xml.next()? {
                Token::Open(tag) => match tag.full {
                    b"table:table-row" => {
                        let repeated = tag.number(b"table:number-rows-repeated").unwrap_or(1);
                        if is_hidden(&tag) {
                            sheet.hide_rows(self.row, self.row.saturating_add(repeated).saturating_sub(1));
                        }
                        if !tag.closed {
                            self.read_row(xml, sheet, sink)?;
                        }
                        self.end_row(repeated, sheet, sink)?;
                    }
                    b"table:table-column" => {
                        let repeated = tag.number(b"table:number-columns-repeated").unwrap_or(1_u32);
                        if is_hidden(&tag) {
                            sheet.hide_columns(self.columns, self.columns.saturating_add(repeated).saturating_sub(1));
                        }
                        self.columns = self.columns.saturating_add(repeated);
                        if !tag.closed {
                            xml.skip()?;
                        }
                    }
                    b"table:table-columns" | b"table:table-column-group" | b"table:table-header-columns" => {}
                    // Groups and headers of rows are rows all the same; pictures and filters are none.
                    b"table:table-row-group" | b"table:table-header-rows" | b"table:table-rows" => {}
                    _ if !tag.closed => xml.skip()?,
                    _ => {}
                },
                Token::Close(b"table") => return Ok(()),
                Token::End => return Err(cut_short()),
                Token::Close(_) | Token::Text(_) | Token::Verbatim(_) => {}
            }
        }
    }

    fn read_row(&mut self, xml: &mut Xml<'_>, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        self.col = 0;
        loop {
            match xml.next()? {
                Token::Open(tag) if matches!(tag.full, b"table:table-cell" | b"table:covered-table-cell") => {
                    let repeated: u32 = tag.number(b"table:number-columns-repeated").unwrap_or(1);
                    self.merge(&tag, sheet, sink)?;
                    let value = Value::of(&tag)?;
                    let formula = tag.get(b"table:formula").is_some() && tag.get(b"office:value-type").is_none();
                    let closed = tag.closed;
                    self.text.clear();
                    if !closed {
                        self.read_text(xml)?;
                    }
                    let cell = value.cell(&self.text, sink)?;
                    if cell.is_empty() && formula {
                        sheet.miss(self.row, self.col);
                    }
                    if !cell.is_empty() {
                        self.cells.push((self.col, repeated, cell));
                    }
                    self.col = self.col.saturating_add(repeated);
                }
                Token::Open(tag) if !tag.closed => xml.skip()?,
                Token::Close(b"table-row") => return Ok(()),
                Token::End => return Err(cut_short()),
                Token::Open(_) | Token::Close(_) | Token::Text(_) | Token::Verbatim(_) => {}
            }
        }
    }

    fn end_row(&mut self, repeated: u32, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        // Rows without values are passed in one step, however many they are.
        let written = if self.cells.is_empty() { 0 } else { repeated };
        for row in self.row..self.row.saturating_add(written) {
            for &(col, columns, cell) in &self.cells {
                for col in col..col.saturating_add(columns) {
                    sink.put(sheet, row, col, cell)?;
                }
            }
            sink.row();
        }
        self.cells.clear();
        self.row = self.row.saturating_add(repeated);
        Ok(())
    }

    fn merge(&self, tag: &Tag<'_>, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let columns: u32 = tag.number(b"table:number-columns-spanned").unwrap_or(1);
        let rows: u32 = tag.number(b"table:number-rows-spanned").unwrap_or(1);
        let end = |start: u32, count: u32| start.saturating_add(count.saturating_sub(1));
        sink.merge(sheet, CellRange { top: self.row, left: self.col, bottom: end(self.row, rows), right: end(self.col, columns) })
    }

    // The text of a cell from within its element: its paragraphs, without notes and pictures.
    fn read_text(&mut self, xml: &mut Xml<'_>) -> Result<(), ReadError> {
        let (mut paragraphs, mut depth) = (0_u32, 0_u32);
        loop {
            match xml.next()? {
                Token::Open(tag) => match tag.full {
                    b"text:p" | b"text:h" => {
                        if paragraphs > 0 {
                            self.text.push('\n');
                        }
                        paragraphs += 1;
                        depth += u32::from(!tag.closed);
                    }
                    b"text:s" => {
                        let count: usize = tag.number(b"text:c").unwrap_or(1);
                        self.text.extend(std::iter::repeat_n(' ', count.min(1_024)));
                        depth += u32::from(!tag.closed);
                    }
                    b"text:tab" | b"text:line-break" => {
                        self.text.push(if tag.full == b"text:tab" { '\t' } else { '\n' });
                        depth += u32::from(!tag.closed);
                    }
                    name if name.starts_with(b"text:") => depth += u32::from(!tag.closed),
                    _ if !tag.closed => xml.skip()?,
                    _ => {}
                },
                Token::Text(piece) if depth > 0 => {
                    self.raw.clear();
                    unescape(piece, &mut self.raw)?;
                    push_collapsed(&self.raw, &mut self.text);
                }
                Token::Verbatim(piece) if depth > 0 => self.text.push_str(&String::from_utf8_lossy(piece)),
                Token::Close(_) if depth > 0 => depth -= 1,
                Token::Close(_) => return Ok(()),
                Token::End => return Err(cut_short()),
                Token::Text(_) | Token::Verbatim(_) => {}
            }
        }
    }
}

fn is_hidden(tag: &Tag<'_>) -> bool {
    matches!(tag.get(b"table:visibility"), Some(b"collapse" | b"filter"))
}

// Blanks in a row count as one, as in any OpenDocument text: more of them are elements.
fn push_collapsed(raw: &str, text: &mut String) {
    for found in raw.chars() {
        if !matches!(found, ' ' | '\t' | '\n') {
            text.push(found);
        } else if !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
    }
}

/// What the attributes of a cell say of its value.
enum Value {
    /// Its text is its value.
    Text,
    Error,
    Given(String),
    Ready(Cell),
}

impl Value {
    fn of(tag: &Tag<'_>) -> Result<Self, ReadError> {
        let kind = tag.get(b"office:value-type").unwrap_or_default();
        if tag.get(b"calcext:value-type") == Some(b"error") {
            return Ok(Self::Error);
        }
        let given = |name: &[u8]| tag.text(name).map(Option::unwrap_or_default);
        let ready = |cell: Option<Cell>| cell.map_or(Self::Text, Self::Ready);
        Ok(match kind {
            b"float" | b"currency" | b"percentage" => {
                ready(tag.number(b"office:value").filter(|number: &f64| number.is_finite()).map(Cell::Number))
            }
            b"date" => ready(moments::iso(&given(b"office:date-value")?)),
            b"time" => ready(moments::iso_duration(&given(b"office:time-value")?)),
            b"boolean" => Self::Ready(Cell::Bool(tag.get(b"office:boolean-value") == Some(b"true"))),
            b"string" => tag.text(b"office:string-value")?.filter(|text| !text.is_empty()).map_or(Self::Text, Self::Given),
            _ => Self::Text,
        })
    }

    fn cell(self, text: &str, sink: &mut Sink<'_>) -> Result<Cell, ReadError> {
        match self {
            Self::Text => sink.text(text),
            Self::Error => sink.error(text),
            Self::Given(text) => sink.text(&text),
            Self::Ready(cell) => Ok(cell),
        }
    }
}
