//! Text files with fields: csv, tsv and their kin, in any encoding.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use encoding_rs::UTF_8;

use super::{
    dialect::{self, Dialect},
    encoding::{self, Found, Transcoder},
    records::{Record, Records},
    sink::Sink,
};
use crate::{
    error::ReadError,
    grid::{Cell, Sheet},
};

/// The one sheet of a text file has no name of its own.
const SHEET: &str = "Sheet1";
/// How much of the text is looked at to find its delimiter.
const SAMPLE: usize = 256 * 1_024;
/// A number of more digits is not the same after it has been one.
const MOST_DIGITS: usize = 15;

/// Reads the file as one sheet.
pub(super) fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut file = File::open(path).map_err(ReadError::Io)?;
    let found = encoding::find(&file).map_err(ReadError::Io)?;
    let dialect = dialect::find(&sample(&mut file, found)?);
    if found.encoding != UTF_8 {
        sink.note(format!("The text was read as {}.", found.name()));
    }
    if dialect.delimiter != b',' {
        sink.note(format!("Fields are separated by {}.", delimiter_name(dialect.delimiter)));
    }
    if dialect.quote != b'"' {
        sink.note("Apostrophes were read as quotes around fields.".to_owned());
    }
    begin(&mut file, found)?;
    let mut records = Records::new(Transcoder::new(file, found.encoding), dialect);
    sink.sheet(SHEET, false, |sheet, sink| cells(&mut records, dialect, sheet, sink))?;
    let (malformed, open) = (records.source().malformed(), records.open_quotes());
    if malformed > 0 {
        sink.note(format!("{malformed} bytes are no {} and were read as “\u{FFFD}”.", found.name()));
    }
    if open > 0 {
        sink.note(format!("{open} quotes are not closed and were read as characters."));
    }
    Ok(())
}

fn begin(file: &mut File, found: Found) -> Result<(), ReadError> {
    file.seek(SeekFrom::Start(found.mark as u64)).map_err(ReadError::Io)?;
    Ok(())
}

fn sample(file: &mut File, found: Found) -> Result<String, ReadError> {
    begin(file, found)?;
    let mut text = Vec::new();
    let mut reader = Transcoder::new(file.by_ref().take(SAMPLE as u64), found.encoding);
    let mut chunk = vec![0; 64 * 1_024];
    loop {
        match reader.read(&mut chunk).map_err(ReadError::Io)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            count => text.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
}

fn delimiter_name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tabs".to_owned(),
        b';' => "semicolons".to_owned(),
        other => format!("“{}”", char::from(other)),
    }
}

fn cells(records: &mut Records<Transcoder<File>>, dialect: Dialect, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut record = Record::default();
    if dialect.named {
        records.next(&mut record)?;
    }
    let mut row = 0_u32;
    while records.next(&mut record)? {
        for (col, field) in (0..).zip(record.fields()) {
            let cell = match number(field) {
                Some(number) => Cell::Number(number),
                None => sink.text(&String::from_utf8_lossy(field))?,
            };
            sink.put_line(sheet, row, col, cell)?;
        }
        sink.row();
        row = row.checked_add(1).ok_or_else(|| ReadError::TooLarge("it has more than four billion lines".to_owned()))?;
    }
    Ok(())
}

// A field that is a number and nothing else, so that a million different ones need no million texts. What may be a code (`007`) or needs
// to be understood (`1,000`, `1e5`, `+3`) stays a text.
fn number(field: &[u8]) -> Option<f64> {
    let unsigned = field.strip_prefix(b"-").unwrap_or(field);
    let point = unsigned.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (unsigned.get(..at)?, Some(unsigned.get(at + 1..)?)),
        None => (unsigned, None),
    };
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let plain = digits(whole) && fraction.is_none_or(digits) && (whole.len() == 1 || whole.first() != Some(&b'0'));
    if !plain || whole.len() + fraction.map_or(0, <[u8]>::len) > MOST_DIGITS || field == b"-0" {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        for (text, expected) in
            [("1000", 1000.0), ("-12.5", -12.5), ("0", 0.0), ("0.05", 0.05), ("12.50", 12.5), ("123456789012345", 123_456_789_012_345.0)]
        {
            assert_eq!(number(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["", "-", "007", "1,000", "1e5", "+3", ".5", "5.", " 1", "1 ", "-0", "1234567890123456", "nan", "inf", "1.2.3", "₩5"]
        {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
