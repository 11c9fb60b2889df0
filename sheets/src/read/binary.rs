//! Values as the binary formats (xls and xlsb) write them. A record that is too short for its values is a damaged one.

use super::corrupt;
use crate::error::ReadError;

/// A record that is read from its start.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(short)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, ReadError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ReadError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, ReadError> {
        self.array().map(f64::from_le_bytes)
    }

    /// A number in four bytes: 30 bits of a whole number or of a fraction, perhaps a hundred times too large.
    pub(super) fn rk(&mut self) -> Result<f64, ReadError> {
        let word = self.u32()?;
        let number = if word & 2 != 0 { f64::from(word.cast_signed() >> 2) } else { f64::from_bits(u64::from(word & !3) << 32) };
        Ok(if word & 1 != 0 { number / 100.0 } else { number })
    }
}

fn short() -> ReadError {
    corrupt("a record of it is cut short")
}

/// The text of an error by its number.
pub(super) fn error_text(number: u8) -> &'static str {
    match number {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0f => "#VALUE!",
        0x17 => "#REF!",
        0x1d => "#NAME?",
        0x24 => "#NUM!",
        0x2a => "#N/A",
        0x2b => "#GETTING_DATA",
        _ => "#UNKNOWN!",
    }
}

/// Decodes UTF-16 into a text that is empty before.
pub(super) fn utf_16(bytes: &[u8], text: &mut String) {
    text.clear();
    let (units, _) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    text.extend(char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_are_unpacked() {
        let number = |word: u32| Bytes(&word.to_le_bytes()).rk().expect("four bytes");
        assert_eq!((number(0x3ff0_0000), number(0x3ff0_0001)), (1.0, 0.01));
        assert_eq!((number((123_456 << 2) | 2), number((123_456 << 2) | 3)), (123_456.0, 1_234.56));
        assert_eq!(number((-7_i32 << 2 | 2).cast_unsigned()), -7.0);
        assert!(Bytes(&[1, 2]).rk().is_err());
    }
}
