//! The records of a text with fields, one at a time out of a window that slides over it.
//!
//! A quote that is never closed would swallow the rest of the file: where its end is not found within a bound, or at all, it is taken
//! as a character, and counted.

use std::{
    io::{self, Read},
    ops::Range,
};

use memchr::{memchr, memchr2, memchr3};

use super::dialect::Dialect;
use crate::error::ReadError;

const FIRST_WINDOW: usize = 128 * 1_024;
/// A longer field in quotes is an open quote.
const LONGEST_QUOTED: usize = 1_048_576;
/// What a source is given to write into at least.
const LEAST_ROOM: usize = 4_096;
/// A longer record is no line of a table.
const LONGEST_RECORD: usize = 8 * 1_048_576;

/// Reads records out of UTF-8.
pub(super) struct Records<R> {
    source: R,
    dialect: Dialect,
    window: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// Quotes that were taken as characters.
    open_quotes: u64,
}

/// A record: its fields as pieces of one buffer, quotes and doubled quotes already taken away.
#[derive(Default)]
pub(super) struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// The fields from left to right.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// What is at the start of the window.
enum Found {
    /// A record of this length.
    Record(usize),
    /// The end of it is not there yet.
    Partial,
    /// A quote here is not closed as far as can be seen; true: it never will be.
    OpenQuote(usize, bool),
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R, dialect: Dialect) -> Self {
        Self { source, dialect, window: vec![0; FIRST_WINDOW], start: 0, end: 0, ended: false, open_quotes: 0 }
    }

    /// Quotes so far that were not closed.
    pub(super) fn open_quotes(&self) -> u64 {
        self.open_quotes
    }

    /// What is read from.
    pub(super) fn source(&self) -> &R {
        &self.source
    }

    /// Reads the next record, a blank line included; false at the end.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        // Quotes that were found to be characters, by their place in the record.
        let mut characters = Vec::new();
        loop {
            let bytes = self.window.get(self.start..self.end).unwrap_or_default();
            if bytes.is_empty() && self.ended {
                return Ok(false);
            }
            match parse(bytes, self.dialect, self.ended, &characters, record) {
                Found::Record(length) => {
                    self.start += length;
                    self.open_quotes += characters.len() as u64;
                    return Ok(true);
                }
                Found::OpenQuote(at, sure) if sure || self.ended || bytes.len() - at >= LONGEST_QUOTED => characters.push(at),
                Found::Partial | Found::OpenQuote(..) => self.fill().map_err(ReadError::Io)?,
            }
            if self.end - self.start > LONGEST_RECORD {
                let most = LONGEST_RECORD / 1_048_576;
                return Err(ReadError::TooLarge(format!("a line of it is longer than {most} MiB, which no line of a table is")));
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.window.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end * 2 > self.window.len() {
            self.window.resize(self.window.len() * 2, 0);
        }
        // Full, as what is there is looked at from its start again. A transcoder wants some room.
        while !self.ended && self.window.len() - self.end >= LEAST_ROOM {
            let count = self.source.read(self.window.get_mut(self.end..).unwrap_or_default())?;
            self.end += count;
            self.ended = count == 0;
        }
        Ok(())
    }
}

fn parse(bytes: &[u8], dialect: Dialect, ended: bool, characters: &[usize], record: &mut Record) -> Found {
    record.bytes.clear();
    record.ends.clear();
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&dialect.quote) && !characters.contains(&at) {
            match closed(bytes, at, dialect.quote, ended) {
                // A quote that seems to end lines below, and not where a field ends, is the beginning of another one.
                Some(inside) if is_stray(bytes, &inside, dialect) => return Found::OpenQuote(at, true),
                Some(inside) => {
                    at = inside.end + 1;
                    push_quoted(bytes.get(inside).unwrap_or_default(), dialect.quote, &mut record.bytes);
                }
                None => return Found::OpenQuote(at, false),
            }
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(length) = memchr3(dialect.delimiter, b'\n', b'\r', rest) else {
            if !ended {
                return Found::Partial;
            }
            record.bytes.extend_from_slice(rest);
            record.end_field();
            return Found::Record(bytes.len());
        };
        record.bytes.extend_from_slice(rest.get(..length).unwrap_or_default());
        record.end_field();
        at += length + 1;
        match (rest.get(length), bytes.get(at)) {
            (Some(b'\r'), Some(b'\n')) => return Found::Record(at + 1),
            // Whether the end of a line is two bytes long is not known yet.
            (Some(b'\r'), None) if !ended => return Found::Partial,
            (Some(b'\r' | b'\n'), _) => return Found::Record(at),
            _ => {}
        }
    }
}

// The inside of the quotes that open here; none if they are not closed, or if that is not known yet.
fn closed(bytes: &[u8], open: usize, quote: u8, ended: bool) -> Option<Range<usize>> {
    let mut at = open + 1;
    loop {
        let found = at + memchr(quote, bytes.get(at..)?)?;
        match bytes.get(found + 1) {
            Some(next) if *next == quote => at = found + 2,
            None if !ended => return None,
            _ => return Some(open + 1..found),
        }
    }
}

fn is_stray(bytes: &[u8], inside: &Range<usize>, dialect: Dialect) -> bool {
    let ends = match bytes.get(inside.end + 1) {
        None => true,
        Some(next) => *next == dialect.delimiter || matches!(next, b'\n' | b'\r' | b' '),
    };
    !ends && bytes.get(inside.clone()).is_some_and(|inside| memchr2(b'\n', b'\r', inside).is_some())
}

fn push_quoted(mut inside: &[u8], quote: u8, into: &mut Vec<u8>) {
    while let Some(found) = memchr(quote, inside) {
        into.extend_from_slice(inside.get(..=found).unwrap_or_default());
        inside = inside.get(found + 2..).unwrap_or_default();
    }
    into.extend_from_slice(inside);
}

#[cfg(test)]
mod tests {
    use super::*;

    // Gives a few bytes at a time, so that every boundary is met.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            let (now, later) = self.0.split_at(count);
            into[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn read(text: &str, step: usize) -> (Vec<Vec<String>>, u64) {
        let dialect = Dialect { delimiter: b',', quote: b'"', named: false };
        let mut records = Records::new(Slow(text.as_bytes(), step), dialect);
        let (mut found, mut record) = (Vec::new(), Record::default());
        while records.next(&mut record).expect("no line is long") {
            found.push(record.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect());
        }
        (found, records.open_quotes())
    }

    fn check(text: &str, expected: &[&[&str]], open_quotes: u64) {
        for step in [1, 2, 3, 1_000] {
            let (found, open) = read(text, step);
            assert_eq!(found, expected, "{text:?} by {step}");
            assert_eq!(open, open_quotes, "{text:?}");
        }
    }

    #[test]
    fn records_are_those_of_the_text() {
        check("a,b\n1,2\n", &[&["a", "b"], &["1", "2"]], 0);
        check("a,b\r\n1,\r\n,2", &[&["a", "b"], &["1", ""], &["", "2"]], 0);
        check("a\rb\r", &[&["a"], &["b"]], 0);
        check("a\n\nb", &[&["a"], &[""], &["b"]], 0);
        check("\"a,\"\"b\"\"\n\",c\n", &[&["a,\"b\"\n", "c"]], 0);
        check("5\" pipe,\"x\" y\n", &[&["5\" pipe", "x y"]], 0);
        check("", &[], 0);
    }

    #[test]
    fn a_quote_without_an_end_is_a_character() {
        check("a,b\n\"1,2\n3,4\n", &[&["a", "b"], &["\"1", "2"], &["3", "4"]], 1);
        check("\"1,\"2\n", &[&["1,2"]], 0);
        check("x,\"", &[&["x", "\""]], 1);
        let long = format!("\"open,1\n{}", "closed,2\n".repeat(150_000));
        let (found, open) = read(&long, 10_000);
        assert_eq!((found.len(), open), (150_001, 1));
        assert_eq!(found[0], ["\"open", "1"]);
    }

    #[test]
    fn quotes_that_begin_fields_and_never_end_take_nothing_with_them() {
        check("a,b\n\"1,2\n\"3,4\n", &[&["a", "b"], &["\"1", "2"], &["\"3", "4"]], 2);
        check("\"5\nlines\",x\n", &[&["5\nlines", "x"]], 0);
    }

    #[test]
    fn endless_lines_are_refused() {
        let dialect = Dialect { delimiter: b',', quote: b'"', named: false };
        let mut records = Records::new(io::repeat(b'x'), dialect);
        assert!(matches!(records.next(&mut Record::default()), Err(ReadError::TooLarge(_))));
    }
}
