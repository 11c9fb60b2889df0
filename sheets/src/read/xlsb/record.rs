//! Records, one after another.

use std::io::{BufRead, BufReader, Read};

use super::super::{binary::Bytes, binary::utf_16, broken, corrupt};
use crate::error::ReadError;

/// Texts of a cell have at most 32,767 characters; a list of formulas may be longer, a hostile length much longer.
const LONGEST: usize = 16 * 1_048_576;

/// A stream of records.
pub(super) struct Records<R> {
    source: BufReader<R>,
    body: Vec<u8>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source: BufReader::with_capacity(64 * 1_024, source), body: Vec::new() }
    }

    /// The next record's type and body; none at the end of the part.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Bytes<'_>)>, ReadError> {
        if self.source.fill_buf().map_err(broken)?.is_empty() {
            return Ok(None);
        }
        let kind = self.number(2)?;
        let length = self.number(4)? as usize;
        if length > LONGEST {
            return Err(corrupt("a record claims to be longer than any"));
        }
        // Memory follows what is there, not what is claimed.
        self.body.clear();
        let count = self.source.by_ref().take(length as u64).read_to_end(&mut self.body).map_err(broken)?;
        if count < length {
            return Err(corrupt("a record of it is cut short"));
        }
        Ok(Some((kind, Bytes(&self.body))))
    }

    // Seven bits a byte, the lowest first.
    fn number(&mut self, most: u32) -> Result<u32, ReadError> {
        let mut number = 0;
        for place in 0..most {
            let mut byte = [0];
            self.source.read_exact(&mut byte).map_err(broken)?;
            let [byte] = byte;
            number |= u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(number)
    }
}

/// Reads a text of a record.
pub(super) fn text(record: &mut Bytes<'_>, into: &mut String) -> Result<(), ReadError> {
    let length = record.u32()?;
    let bytes = usize::try_from(length).ok().and_then(|length| length.checked_mul(2)).ok_or_else(|| corrupt("a text is too long"))?;
    utf_16(record.take(bytes)?, into);
    Ok(())
}
