//! What a file is, by its content and never by its name.

use std::{fs::File, io::Read, path::Path};

use memchr::memmem;

use super::{
    compound::{Compound, MAGIC},
    corrupt,
    dialect::{self, Dialect},
    encoding, ods,
    package::Package,
};
use crate::{error::ReadError, limits::Limits};

const HEAD: u64 = 64 * 1_024;
const CONTENT_TYPES: u64 = 1_048_576;

/// A kind of file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A workbook of XML parts, or a template of one.
    Xlsx,
    /// The same with macros, which are never run.
    Xlsm,
    /// A workbook of binary parts.
    Xlsb,
    /// A workbook of Excel 5 to 2003.
    Xls,
    /// An OpenDocument spreadsheet.
    Ods,
    /// A text with fields.
    Csv,
    /// A text with fields between tabs.
    Tsv,
}

impl Format {
    /// Its usual suffix.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Xlsm => "xlsm",
            Self::Xlsb => "xlsb",
            Self::Xls => "xls",
            Self::Ods => "ods",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
        }
    }
}

/// Says what a file is.
///
/// # Errors
/// [`ReadError::Unsupported`] with what it seems to be, [`ReadError::Encrypted`], [`ReadError::Empty`] for a file without bytes,
/// [`ReadError::Corrupt`] for a container that can't be opened.
pub fn detect(path: &Path) -> Result<Format, ReadError> {
    let mut file = File::open(path).map_err(ReadError::Io)?;
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(ReadError::Io)?;
    if head.is_empty() {
        return Err(ReadError::Empty("the file has no content".to_owned()));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return zipped(path);
    }
    if head.starts_with(MAGIC) {
        return compound(path);
    }
    if let Some(what) = binary(&head) {
        return Err(unsupported(what));
    }
    // A bare stream of records, as some programs write it.
    if head.starts_with(&[0x09, 0x08]) && matches!(head.get(4..6), Some([0, 5 | 6])) {
        return Ok(Format::Xls);
    }
    text(&head)
}

fn unsupported(what: &str) -> ReadError {
    ReadError::Unsupported(format!("it seems to be {what}; save the table as xlsx, xlsb, xls, ods, csv or tsv and upload that"))
}

fn zipped(path: &Path) -> Result<Format, ReadError> {
    let mut package = Package::open(path, &Limits { max_unzipped_bytes: u64::MAX, max_ratio: u64::MAX, ..Limits::default() })?;
    let types = package.head("[Content_Types].xml", CONTENT_TYPES)?.unwrap_or_default();
    let has = |what: &str| memmem::find(&types, what.as_bytes()).is_some();
    if has("sheet.binary.macroEnabled.main") || package.has("xl/workbook.bin") {
        return Ok(Format::Xlsb);
    }
    if has("ms-excel.sheet.macroEnabled.main") || has("ms-excel.template.macroEnabled.main") || has("ms-excel.addin.macroEnabled.main") {
        return Ok(Format::Xlsm);
    }
    if has("spreadsheetml.sheet.main") || has("spreadsheetml.template.main") || package.has("xl/workbook.xml") {
        return Ok(Format::Xlsx);
    }
    if has("wordprocessingml") || has("ms-word") {
        return Err(unsupported("a Word document"));
    }
    if has("presentationml") || has("ms-powerpoint") {
        return Err(unsupported("a PowerPoint presentation"));
    }
    open_document(&mut package)
}

fn open_document(package: &mut Package) -> Result<Format, ReadError> {
    let kind = package.head("mimetype", HEAD)?.unwrap_or_default();
    if let Some(kind) = kind.strip_prefix(b"application/vnd.oasis.opendocument.") {
        if !kind.starts_with(b"spreadsheet") {
            return Err(unsupported("an OpenDocument file that is no spreadsheet"));
        }
        return if ods::is_encrypted(package)? { Err(ReadError::Encrypted) } else { Ok(Format::Ods) };
    }
    if package.names().any(|name| name.ends_with(".iwa")) {
        return Err(unsupported("a document of Apple's Numbers, Pages or Keynote"));
    }
    if package.names().next().is_none() {
        return Err(corrupt("its zip archive is empty"));
    }
    Err(ReadError::Unsupported(
        "it seems to be a zip archive without a workbook; unpack it and upload the files in it one by one".to_owned(),
    ))
}

fn compound(path: &Path) -> Result<Format, ReadError> {
    let compound = Compound::open(path)?;
    let named = |names: &[&str]| names.iter().any(|name| compound.has(name));
    if named(&["EncryptedPackage"]) {
        return Err(ReadError::Encrypted);
    }
    if named(&["Workbook", "Book"]) {
        return Ok(Format::Xls);
    }
    if named(&["WordDocument"]) {
        return Err(unsupported("a Word document"));
    }
    if named(&["PowerPoint Document"]) {
        return Err(unsupported("a PowerPoint presentation"));
    }
    if named(&["__properties_version1.0"]) {
        return Err(unsupported("a mail"));
    }
    Err(unsupported("a compound file without a workbook"))
}

// What begins in a way that no table does.
fn binary(head: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: &[(&[u8], &str)] = &[
        (&[0x09, 0x00, 0x04, 0x00], "a sheet of Excel 2, older than workbooks"),
        (&[0x09, 0x02, 0x06, 0x00], "a sheet of Excel 3, older than workbooks"),
        (&[0x09, 0x04, 0x06, 0x00], "a workbook of Excel 4"),
        (b"%PDF", "a PDF document"),
        (b"{\\rtf", "a rich text document"),
        (b"\x89PNG", "a picture (PNG)"),
        (b"\xff\xd8\xff", "a picture (JPEG)"),
        (b"GIF8", "a picture (GIF)"),
        (b"II*\x00", "a picture (TIFF)"),
        (b"MM\x00*", "a picture (TIFF)"),
        (b"RIFF", "a picture, sound or film"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ", "an xz archive"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"Rar!", "a rar archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"PAR1", "a Parquet file"),
        (b"SQLite format 3\x00", "a SQLite database"),
        (b"\x7fELF", "a program"),
        (b"\x00\x00\x02\x00", "a sheet of Lotus 1-2-3 or Quattro Pro"),
        (b"\x00\x00\x1a\x00", "a sheet of Lotus 1-2-3"),
        (b"\xff\x00\x02\x00", "a sheet of Works"),
        (b"ID;P", "a SYLK file"),
        (b"MIME-Version:", "a web archive"),
    ];
    BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)).map(|(_, what)| *what)
}

fn text(head: &[u8]) -> Result<Format, ReadError> {
    let found = encoding::find(head).map_err(ReadError::Io)?;
    let (text, _) = found.encoding.decode_without_bom_handling(head.get(found.mark..).unwrap_or_default());
    if is_binary(&text) {
        return Err(unsupported("a binary file of an unknown kind"));
    }
    if let Some(what) = markup(&text) {
        return Err(unsupported(what));
    }
    let tabs = matches!(dialect::find(&text), Dialect { delimiter: b'\t', .. });
    Ok(if tabs { Format::Tsv } else { Format::Csv })
}

// Tables have hardly a control character; a few zeros are the padding of old programs.
fn is_binary(text: &str) -> bool {
    let (mut controls, mut zeros, mut all) = (0_usize, 0_usize, 0_usize);
    for found in text.chars() {
        all += 1;
        zeros += usize::from(found == '\0');
        controls += usize::from(
            found == '\u{FFFD}' || found.is_control() && !matches!(found, '\0' | '\t' | '\n' | '\r' | '\u{0b}' | '\u{0c}' | '\u{1a}'),
        );
    }
    controls * 20 > all || zeros * 4 > all
}

fn markup(text: &str) -> Option<&'static str> {
    let start: String = text.trim_start().chars().take(4_096).collect::<String>().to_ascii_lowercase();
    let has = |what: &str| start.contains(what);
    if start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with('<') && (has("<table") || has("<html")) {
        return Some("a web page");
    }
    if start.starts_with("<?xml") || start.starts_with("<workbook") {
        return Some(match (has("urn:schemas-microsoft-com:office:spreadsheet"), has("office:document")) {
            (true, _) => "an XML Spreadsheet of Excel 2003",
            (_, true) => "a flat OpenDocument file",
            _ => "an XML document",
        });
    }
    let mut words = start.chars().filter(|found| !found.is_whitespace());
    match (words.next(), words.next()) {
        (Some('{'), Some('"' | '}')) | (Some('['), Some('{')) => Some("a JSON document"),
        _ => None,
    }
}
