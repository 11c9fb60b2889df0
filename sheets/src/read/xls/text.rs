//! Texts of records: in the code page of the file before BIFF8, in halves or wholes of UTF-16 since.

use encoding_rs::{
    BIG5, EUC_KR, Encoding, GBK, KOI8_R, MACINTOSH, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
    WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258,
};

use super::{
    super::{
        binary::{Bytes, utf_16},
        corrupt,
    },
    record::Records,
};
use crate::error::ReadError;

/// How texts are written in a file.
#[derive(Clone, Copy)]
pub(super) struct Writing {
    pub(super) is_biff8: bool,
    pub(super) page: &'static Encoding,
}

impl Writing {
    /// Reads a text whose length stands in one byte.
    pub(super) fn short(&self, record: &mut Bytes<'_>, text: &mut String) -> Result<(), ReadError> {
        let length = record.u8()?;
        self.body(record, usize::from(length), text)
    }

    /// Reads a text whose length stands in two bytes.
    pub(super) fn long(&self, record: &mut Bytes<'_>, text: &mut String) -> Result<(), ReadError> {
        let length = record.u16()?;
        self.body(record, usize::from(length), text)
    }

    fn body(&self, record: &mut Bytes<'_>, length: usize, text: &mut String) -> Result<(), ReadError> {
        if self.is_biff8 {
            let wide = record.u8()? & 1 != 0;
            let bytes = record.take(if wide { length * 2 } else { length })?;
            if wide { utf_16(bytes, text) } else { halves(bytes, text) }
        } else {
            let bytes = record.take(length)?;
            text.clear();
            text.push_str(&self.page.decode_without_bom_handling(bytes).0);
        }
        Ok(())
    }
}

/// Decodes the lower halves of UTF-16.
fn halves(bytes: &[u8], text: &mut String) {
    text.clear();
    text.extend(bytes.iter().map(|byte| char::from(*byte)));
}

/// A code page by its number; Western European for one that nobody knows.
pub(super) fn page(number: u16) -> &'static Encoding {
    match number {
        874 => WINDOWS_874,
        932 => SHIFT_JIS,
        936 => GBK,
        949 | 1361 => EUC_KR,
        950 => BIG5,
        1250 => WINDOWS_1250,
        1251 => WINDOWS_1251,
        1253 => WINDOWS_1253,
        1254 => WINDOWS_1254,
        1255 => WINDOWS_1255,
        1256 => WINDOWS_1256,
        1257 => WINDOWS_1257,
        1258 => WINDOWS_1258,
        10_000 | 32_768 => MACINTOSH,
        20_866 => KOI8_R,
        65_001 => UTF_8,
        _ => WINDOWS_1252,
    }
}

/// The bodies of a record and of those that go on with it.
pub(super) struct Pieces<'a> {
    records: &'a mut Records,
    at: usize,
}

impl<'a> Pieces<'a> {
    /// Begins within the record that was read last.
    pub(super) fn new(records: &'a mut Records, at: usize) -> Self {
        Self { records, at }
    }

    fn rest(&self) -> &[u8] {
        self.records.body.get(self.at..).unwrap_or_default()
    }

    /// Whether there is another byte.
    pub(super) fn more(&mut self) -> Result<bool, ReadError> {
        while self.rest().is_empty() {
            if !self.records.go_on()? {
                return Ok(false);
            }
            self.at = 0;
        }
        Ok(true)
    }

    fn take(&mut self, count: usize, into: &mut Vec<u8>) -> Result<(), ReadError> {
        into.clear();
        while into.len() < count {
            if !self.more()? {
                return Err(corrupt("its texts are cut short"));
            }
            let rest = self.rest();
            let piece = rest.get(..(count - into.len()).min(rest.len())).unwrap_or_default();
            into.extend_from_slice(piece);
            self.at += piece.len();
        }
        Ok(())
    }

    fn skip(&mut self, mut count: usize) -> Result<(), ReadError> {
        while count > 0 && self.more()? {
            let step = count.min(self.rest().len());
            self.at += step;
            count -= step;
        }
        Ok(())
    }

    /// Reads a text with what belongs to it: how its parts are written, and how it sounds.
    pub(super) fn text(&mut self, text: &mut String) -> Result<(), ReadError> {
        let mut head = Vec::new();
        self.take(3, &mut head)?;
        let mut record = Bytes(&head);
        let (length, flags) = (usize::from(record.u16()?), record.u8()?);
        let mut after = 0;
        if flags & 8 != 0 {
            self.take(2, &mut head)?;
            after += usize::from(Bytes(&head).u16()?) * 4;
        }
        if flags & 4 != 0 {
            self.take(4, &mut head)?;
            after += Bytes(&head).u32()? as usize;
        }
        self.characters(length, flags & 1 != 0, text)?;
        self.skip(after)
    }

    // Where a record ends within a text, the next one begins with a byte that says how the rest is written.
    fn characters(&mut self, mut length: usize, mut wide: bool, text: &mut String) -> Result<(), ReadError> {
        text.clear();
        let mut piece = String::new();
        while length > 0 {
            if self.rest().is_empty() {
                if !self.more()? {
                    return Err(corrupt("its texts are cut short"));
                }
                wide = self.rest().first().is_some_and(|flags| flags & 1 != 0);
                self.at += 1;
                continue;
            }
            let size = if wide { 2 } else { 1 };
            let count = length.min(self.rest().len() / size);
            if count == 0 {
                return Err(corrupt("a text of it is cut within a character"));
            }
            let bytes = self.rest().get(..count * size).unwrap_or_default();
            if wide {
                utf_16(bytes, &mut piece)
            } else {
                halves(bytes, &mut piece)
            }
            text.push_str(&piece);
            self.at += count * size;
            length -= count;
        }
        Ok(())
    }
}
