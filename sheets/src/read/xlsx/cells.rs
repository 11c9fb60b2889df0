//! The cells of one sheet.

use super::{
    super::{
        corrupt, moments,
        moments::Styles,
        sink::Sink,
        xml::{Tag, Token, Xml, cut_short, unescape},
    },
    strings::{add_decoded, rich},
};
use crate::{
    error::ReadError,
    grid::{Cell, CellRange, Sheet},
    texts::TextId,
};

/// How the value of a cell is written.
#[derive(Clone, Copy, Default, PartialEq)]
enum Written {
    #[default]
    Number,
    Shared,
    Text,
    Bool,
    Error,
    Iso,
}

/// A cell whose element is open.
struct Open {
    row: u32,
    col: u32,
    written: Written,
    style: usize,
}

/// Reads the cells and the merged ranges of a sheet.
pub(super) fn read(
    mut xml: Xml<'_>,
    shared: &[Option<TextId>],
    styles: &Styles,
    sheet: &mut Sheet,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let mut reader = Reader { shared, styles, row: 0, col: 0, uncomputed: false, value: String::new(), text: String::new() };
    let mut in_data = false;
    let mut seen = false;
    loop {
        match xml.next()? {
            Token::Open(tag) if in_data => match tag.name {
                b"c" => {
                    let (open, closed) = (reader.open(&tag)?, tag.closed);
                    if !closed {
                        let cell = reader.value(&mut xml, &open, sink)?;
                        if matches!(cell, Cell::Number(_)) {
                            sheet.sign(open.col, styles.signs(open.style));
                        }
                        if reader.uncomputed {
                            sheet.miss(open.row, open.col);
                        }
                        sink.put(sheet, open.row, open.col, cell)?;
                    }
                }
                b"row" => {
                    reader.row = tag.number::<u32>(b"r").map_or(reader.row, |row| row.saturating_sub(1));
                    if is_true(tag.get(b"hidden")) {
                        sheet.hide_rows(reader.row, reader.row);
                    }
                    if tag.closed {
                        reader.end_row(sink);
                    }
                }
                _ => {}
            },
            Token::Close(b"row") => reader.end_row(sink),
            Token::Open(tag) if tag.name == b"sheetData" => {
                in_data = !tag.closed;
                seen = true;
            }
            Token::Close(b"sheetData") => in_data = false,
            Token::Open(tag) if tag.name == b"col" && is_true(tag.get(b"hidden")) => {
                if let (Some(first), Some(last)) = (tag.number::<u32>(b"min"), tag.number::<u32>(b"max")) {
                    sheet.hide_columns(first.saturating_sub(1), last.saturating_sub(1));
                }
            }
            Token::Open(tag) if tag.name == b"mergeCell" => {
                if let Some(range) = tag.get(b"ref").and_then(range) {
                    sink.merge(sheet, range)?;
                }
            }
            Token::End if in_data => return Err(cut_short()),
            Token::End if !seen => return Err(corrupt("it is no sheet with cells")),
            Token::End => return Ok(()),
            _ => {}
        }
    }
}

struct Reader<'a> {
    shared: &'a [Option<TextId>],
    styles: &'a Styles,
    /// Where the next cell stands if it does not say so.
    row: u32,
    col: u32,
    /// Whether the cell that was read last is a formula whose value is not there.
    uncomputed: bool,
    value: String,
    text: String,
}

impl Reader<'_> {
    fn end_row(&mut self, sink: &mut Sink<'_>) {
        self.row = self.row.saturating_add(1);
        self.col = 0;
        sink.row();
    }

    fn open(&mut self, tag: &Tag<'_>) -> Result<Open, ReadError> {
        let mut open = Open { row: self.row, col: self.col, written: Written::Number, style: 0 };
        for (name, value) in tag.attributes() {
            match name {
                b"r" => (open.row, open.col) = place(value).ok_or_else(|| corrupt("a cell has no place"))?,
                b"s" => open.style = std::str::from_utf8(value).ok().and_then(|style| style.parse().ok()).unwrap_or_default(),
                b"t" => {
                    open.written = match value {
                        b"s" => Written::Shared,
                        b"b" => Written::Bool,
                        b"e" => Written::Error,
                        b"d" => Written::Iso,
                        b"str" | b"inlineStr" => Written::Text,
                        _ => Written::Number,
                    }
                }
                _ => {}
            }
        }
        self.col = open.col.saturating_add(1);
        Ok(open)
    }

    // Reads until the cell is closed. A text of its own stands in `is`, everything else in `v`; the formula in `f` is not read.
    fn value(&mut self, xml: &mut Xml<'_>, open: &Open, sink: &mut Sink<'_>) -> Result<Cell, ReadError> {
        let mut cell = Cell::Empty;
        let (mut in_value, mut formula) = (false, false);
        self.value.clear();
        loop {
            match xml.next()? {
                Token::Text(piece) if in_value => unescape(piece, &mut self.value)?,
                Token::Verbatim(piece) if in_value => self.value.push_str(&String::from_utf8_lossy(piece)),
                Token::Open(tag) if tag.closed => formula |= tag.name == b"f",
                Token::Open(tag) => match tag.name {
                    b"v" => in_value = true,
                    b"is" => {
                        self.text.clear();
                        rich(xml, b"is", &mut self.text)?;
                        cell = sink.text(&self.text)?;
                    }
                    name => {
                        formula |= name == b"f";
                        xml.skip()?;
                    }
                },
                Token::Close(b"v") => in_value = false,
                Token::Close(b"c") => break,
                Token::End => return Err(cut_short()),
                Token::Close(_) | Token::Text(_) | Token::Verbatim(_) => {}
            }
        }
        // A formula that comes to an empty text is computed, and says so by its type.
        self.uncomputed = formula && cell.is_empty() && self.value.is_empty() && open.written != Written::Text;
        if cell.is_empty() && !self.value.is_empty() { self.typed(open, sink) } else { Ok(cell) }
    }

    fn typed(&mut self, open: &Open, sink: &mut Sink<'_>) -> Result<Cell, ReadError> {
        let plain = self.value.trim_ascii();
        match open.written {
            Written::Number => match plain.parse() {
                Ok(number) => Ok(self.styles.cell(number, open.style)),
                Err(_) => sink.text(&self.value),
            },
            Written::Shared => {
                let found = plain.parse::<usize>().ok().and_then(|number| self.shared.get(number));
                found.map(|id| id.map_or(Cell::Empty, Cell::Text)).ok_or_else(|| corrupt("a cell refers to a text that is not there"))
            }
            Written::Text => {
                self.text.clear();
                add_decoded(&self.value, &mut self.text);
                sink.text(&self.text)
            }
            Written::Bool => match plain {
                "1" | "true" | "TRUE" => Ok(Cell::Bool(true)),
                "0" | "false" | "FALSE" => Ok(Cell::Bool(false)),
                _ => sink.text(&self.value),
            },
            Written::Error => sink.error(plain),
            Written::Iso => match moments::iso(plain) {
                Some(cell) => Ok(cell),
                None => sink.text(&self.value),
            },
        }
    }
}

fn is_true(value: Option<&[u8]>) -> bool {
    matches!(value, Some(b"1" | b"true"))
}

// Row and column, counted from 0, of `B3`.
fn place(name: &[u8]) -> Option<(u32, u32)> {
    let letters = name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (letters, digits) = name.split_at(letters);
    if letters.is_empty() || letters.len() > 3 || digits.is_empty() || digits.len() > 7 {
        return None;
    }
    let col = letters.iter().fold(0, |col, byte| col * 26 + u32::from(byte.to_ascii_uppercase() - b'A') + 1);
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let row = digits.iter().try_fold(0, |row, byte| Some(row * 10 + digit(byte)?))?;
    Some((row.checked_sub(1)?, col.checked_sub(1)?))
}

fn range(name: &[u8]) -> Option<CellRange> {
    let mut ends = name.split(|byte| *byte == b':');
    let (top, left) = place(ends.next()?)?;
    let (bottom, right) = ends.next().map_or(Some((top, left)), place)?;
    Some(CellRange { top, left, bottom, right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cells_are_places() {
        assert_eq!((place(b"A1"), place(b"xfd1048576"), place(b"AA10")), (Some((0, 0)), Some((1_048_575, 16_383)), Some((9, 26))));
        for wrong in ["", "A", "1", "A0", "AAAA1", "A12345678", "A1B", "가1"] {
            assert_eq!(place(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(range(b"B3:M120"), Some(CellRange { top: 2, left: 1, bottom: 119, right: 12 }));
        assert_eq!(range(b"B3"), Some(CellRange { top: 2, left: 1, bottom: 2, right: 1 }));
    }
}
