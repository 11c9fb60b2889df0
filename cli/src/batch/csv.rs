//! Comma-separated values (RFC 4180), record by record; the separator may be a semicolon or a tab, which the first line tells.

use std::io::{self, BufRead, Bytes};

/// A record longer than this is none of ours: mostly a quote that never ends.
const MAX_RECORD: usize = 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What is wrong with a file.
#[derive(Debug)]
pub enum CsvError {
    /// It can't be read.
    Io(io::Error),
    /// A record is no UTF-8; its line.
    Encoding(u64),
    /// A record is too long; its line.
    TooLong(u64),
    /// A quote is never closed; the line of its record.
    Unclosed(u64),
}

impl std::fmt::Display for CsvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(_) => f.write_str("it can't be read"),
            Self::Encoding(line) => write!(f, "line {line} is not UTF-8: in Excel, save it as \"CSV UTF-8\""),
            Self::TooLong(line) => {
                write!(f, "the record that begins in line {line} is longer than {MAX_RECORD} bytes; is a quote not closed?")
            }
            Self::Unclosed(line) => write!(f, "a quote of the record that begins in line {line} is not closed"),
        }
    }
}

impl std::error::Error for CsvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// A record and the line it begins in, from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// Its line.
    pub line: u64,
    /// Its fields.
    pub fields: Vec<String>,
}

/// Reads records.
pub struct Reader<R: BufRead> {
    bytes: Bytes<R>,
    separator: u8,
    line: u64,
    /// A byte that was looked at too early.
    kept: Option<u8>,
}

/// Where a field is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Begin,
    Plain,
    Quoted,
    /// After a quote within quotes: its end, or half of a quote.
    AfterQuote,
}

impl<R: BufRead> Reader<R> {
    /// # Errors
    /// If nothing can be read.
    pub fn new(mut from: R) -> Result<Self, CsvError> {
        let head = from.fill_buf().map_err(CsvError::Io)?;
        let marked = head.starts_with(BYTE_ORDER_MARK);
        let first = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        let separator = [b',', b';', b'\t'].into_iter().find(|separator| first.contains(separator)).unwrap_or(b',');
        if marked {
            from.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self { bytes: from.bytes(), separator, line: 1, kept: None })
    }

    /// The next record; empty lines are none.
    ///
    /// # Errors
    /// [`CsvError`], after which the reader is of no use.
    pub fn next_record(&mut self) -> Result<Option<Record>, CsvError> {
        loop {
            let Some(record) = self.record()? else { return Ok(None) };
            if record.fields.iter().any(|field| !field.is_empty()) {
                return Ok(Some(record));
            }
        }
    }

    fn record(&mut self) -> Result<Option<Record>, CsvError> {
        let begun = self.line;
        let (mut fields, mut field, mut length, mut place) = (Vec::new(), Vec::new(), 0_usize, Place::Begin);
        loop {
            let Some(byte) = self.byte()? else {
                if place == Place::Quoted {
                    return Err(CsvError::Unclosed(begun));
                }
                if length == 0 {
                    return Ok(None);
                }
                break;
            };
            length += 1;
            if length > MAX_RECORD {
                return Err(CsvError::TooLong(begun));
            }
            if byte == b'\n' || byte == b'\r' {
                // A return and a line feed are one end.
                if byte == b'\r' {
                    self.kept = self.byte()?.filter(|next| *next != b'\n');
                }
                self.line += 1;
                if place != Place::Quoted {
                    break;
                }
                field.push(b'\n');
                continue;
            }
            place = match (place, byte) {
                (Place::Begin, b'"') => Place::Quoted,
                (Place::Quoted, b'"') => Place::AfterQuote,
                (Place::Quoted, byte) => {
                    field.push(byte);
                    Place::Quoted
                }
                (Place::AfterQuote, b'"') => {
                    field.push(b'"');
                    Place::Quoted
                }
                (_, byte) if byte == self.separator => {
                    fields.push(text(std::mem::take(&mut field), begun)?);
                    Place::Begin
                }
                (_, byte) => {
                    field.push(byte);
                    Place::Plain
                }
            };
        }
        fields.push(text(field, begun)?);
        Ok(Some(Record { line: begun, fields }))
    }

    fn byte(&mut self) -> Result<Option<u8>, CsvError> {
        match self.kept.take() {
            Some(byte) => Ok(Some(byte)),
            None => self.bytes.next().transpose().map_err(CsvError::Io),
        }
    }
}

fn text(bytes: Vec<u8>, line: u64) -> Result<String, CsvError> {
    String::from_utf8(bytes).map_err(|_| CsvError::Encoding(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u64, Vec<String>)>, CsvError> {
        let mut reader = Reader::new(bytes)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push((record.line, record.fields));
        }
        Ok(records)
    }

    fn record(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|field| (*field).to_owned()).collect())
    }

    #[test]
    fn quotes_hold_separators_line_breaks_and_quotes() {
        let text = "\u{feff}id,question\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n\r\n2,도시별 고객 수는?";
        let expected = [record(1, &["id", "question"]), record(2, &["1", "a, \"b\"\nc"]), record(5, &["2", "도시별 고객 수는?"])];
        assert_eq!(all(text.as_bytes()).expect("it is CSV"), expected);
    }

    #[test]
    fn the_first_line_tells_the_separator_and_any_line_end_counts_once() {
        assert_eq!(all(b"a;b\r1,2;3\r").expect("it is CSV"), [record(1, &["a", "b"]), record(2, &["1,2", "3"])]);
        assert_eq!(all(b"a\tb\n1\t\n").expect("it is CSV"), [record(1, &["a", "b"]), record(2, &["1", ""])]);
        assert_eq!(all(b"").expect("it is CSV"), []);
    }

    #[test]
    fn what_is_no_csv_is_told_with_its_line() {
        let told = |bytes: &[u8]| all(bytes).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told(b"question\nok\n\xb5\xb5\n").starts_with("line 3 is not UTF-8"));
        assert!(told(b"question\n\"never closed\nmore").contains("begins in line 2 is not closed"));
        assert!(told(&[b"question\n\"".as_slice(), &vec![b'x'; MAX_RECORD + 1]].concat()).contains("line 2 is longer"));
    }
}
