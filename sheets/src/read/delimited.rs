//! Text files with fields: csv, tsv and their kin, in any encoding.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use datagenie_common::wording::josa::toward;
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

/// What the one sheet of a text file is called where the file has no name.
const SHEET: &str = "Sheet1";
/// Names of sheets are no longer.
const LONGEST_NAME: usize = 100;
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
        sink.note(format!("텍스트를 {}로 읽었습니다.", found.name()), format!("The text was read as {}.", found.name()));
    }
    if dialect.delimiter != b',' {
        let (korean, english) = delimiter_name(dialect.delimiter);
        sink.note(format!("값은 {} 나뉘어 있습니다.", toward(&korean)), format!("Fields are separated by {english}."));
    }
    if dialect.quote != b'"' {
        sink.note("작은따옴표를 값을 감싸는 따옴표로 읽었습니다.", "Apostrophes were read as quotes around fields.");
    }
    begin(&mut file, found)?;
    let mut records = Records::new(Transcoder::new(file, found.encoding), dialect);
    let name = sheet_name(sink.options().name.as_deref());
    sink.sheet(&name, false, |sheet, sink| cells(&mut records, dialect, sheet, sink))?;
    let (malformed, open) = (records.source().malformed(), records.open_quotes());
    if malformed > 0 {
        let name = found.name();
        sink.note(
            format!("{malformed}바이트는 {name}이(가) 아니어서 “\u{FFFD}”로 읽었습니다."),
            format!("{malformed} bytes are no {name} and were read as “\u{FFFD}”."),
        );
    }
    if open > 0 {
        sink.note(
            format!("닫히지 않은 따옴표 {open}개는 글자로 읽었습니다."),
            format!("{open} quotes are not closed and were read as characters."),
        );
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

fn delimiter_name(delimiter: u8) -> (String, String) {
    match delimiter {
        b'\t' => ("탭".to_owned(), "tabs".to_owned()),
        b';' => ("세미콜론".to_owned(), "semicolons".to_owned()),
        other => (format!("“{}”", char::from(other)), format!("“{}”", char::from(other))),
    }
}

/// The name of the file without its suffix, as a spreadsheet program calls the sheet.
fn sheet_name(file: Option<&str>) -> String {
    let name = file.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).trim();
    let stem = if stem.is_empty() { name.trim_matches(['.', ' ']) } else { stem };
    let plain: String = stem.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if plain.is_empty() { SHEET.to_owned() } else { plain }
}

fn cells(records: &mut Records<Transcoder<File>>, dialect: Dialect, sheet: &mut Sheet, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut record = Record::default();
    if dialect.named {
        records.next(&mut record)?;
    }
    let mut row = 0_u32;
    while records.next(&mut record)? {
        for (col, field) in (0..).zip(record.fields()) {
            let cell = match number(field, dialect.delimiter != b',') {
                Some(number) => number,
                None if is_error(field) => sink.error(&String::from_utf8_lossy(field))?,
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
// to be understood (`1,000`, `1e5`, `+3`) stays a text, and so does what may be a month (`2024.10`) or, where commas are no delimiters and
// so perhaps decimal points, a thousand and more (`1.234`).
fn number(field: &[u8], may_be_grouped: bool) -> Option<Cell> {
    let field = field.trim_ascii();
    let unsigned = field.strip_prefix(b"-").unwrap_or(field);
    let point = unsigned.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (unsigned.get(..at)?, Some(unsigned.get(at + 1..)?)),
        None => (unsigned, None),
    };
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let plain = digits(whole) && fraction.is_none_or(digits) && (whole.len() == 1 || whole.first() != Some(&b'0'));
    let fraction = fraction.unwrap_or_default();
    let grouped = may_be_grouped && fraction.len() == 3 && whole.len() <= 3;
    let month =
        whole.len() == 4 && fraction.len() == 2 && matches!(whole, [b'1', b'9', ..] | [b'2', b'0', ..]) && fraction <= b"12".as_slice();
    if !plain || grouped || month || whole.len() + fraction.len() > MOST_DIGITS || field == b"-0" {
        return None;
    }
    let number = std::str::from_utf8(field).ok()?.parse().ok()?;
    let decimals = u8::try_from(fraction.len()).ok()?;
    Some(if fraction.ends_with(b"0") { Cell::Written(number, decimals) } else { Cell::Number(number) })
}

// As spreadsheet programs write errors into texts.
fn is_error(field: &[u8]) -> bool {
    matches!(
        field.trim_ascii(),
        b"#DIV/0!" | b"#N/A" | b"#NAME?" | b"#NULL!" | b"#NUM!" | b"#REF!" | b"#VALUE!" | b"#SPILL!" | b"#CALC!" | b"#GETTING_DATA"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        for (text, expected) in [
            ("1000", Cell::Number(1000.0)),
            ("-12.5", Cell::Number(-12.5)),
            ("0", Cell::Number(0.0)),
            ("0.05", Cell::Number(0.05)),
            (" 7 ", Cell::Number(7.0)),
            ("12.50", Cell::Written(12.5, 2)),
            ("2024.25", Cell::Number(2024.25)),
            ("123456789012345", Cell::Number(123_456_789_012_345.0)),
        ] {
            assert_eq!(number(text.as_bytes(), false), Some(expected), "{text}");
        }
        for text in
            ["", "-", "007", "1,000", "1e5", "+3", ".5", "5.", "1 2", "-0", "1234567890123456", "nan", "inf", "1.2.3", "₩5", "2024.10"]
        {
            assert_eq!(number(text.as_bytes(), false), None, "{text}");
        }
        assert_eq!((number(b"1.234", false), number(b"1.234", true)), (Some(Cell::Number(1.234)), None));
    }

    #[test]
    fn a_sheet_is_called_after_its_file() {
        for (file, name) in [
            (Some("2024년 매출.csv"), "2024년 매출"),
            (Some("a.b.tsv"), "a.b"),
            (Some("folder/sales"), "sales"),
            (Some(".csv"), "csv"),
            (Some(" "), "Sheet1"),
            (None, "Sheet1"),
        ] {
            assert_eq!(sheet_name(file), name);
        }
    }
}
