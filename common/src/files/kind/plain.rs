//! The first look at a file: signatures of what is known, and whether the rest is text.

use super::FileKind;

/// What a file's beginning looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// An archive.
    Zip,
    /// An OLE2 compound file.
    Compound,
    /// Text, with these between its cells.
    Text(FileKind),
    /// Something that is not read.
    Other(&'static str),
}

const SIGNATURES: &[(&[u8], &str)] = &[
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"{\\rtf", "a rich text document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"ID;P", "a SYLK file"),
    (b"\x09\x00\x04\x00", "a workbook of an Excel before 97"),
    (b"\x09\x02\x06\x00", "a workbook of an Excel before 97"),
    (b"\x09\x04\x06\x00", "a workbook of an Excel before 97"),
    (b"\x09\x08\x08\x00", "a workbook of an Excel before 97"),
    (b"\x09\x08\x10\x00", "a workbook of an Excel before 97"),
    (b"\x7fELF", "a program"),
];

/// The first look.
pub(super) fn look(head: &[u8]) -> Looks {
    if head.is_empty() {
        return Looks::Other("an empty file");
    }
    if head.starts_with(b"PK\x03\x04") {
        return Looks::Zip;
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Looks::Compound;
    }
    if let Some((_, what)) = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)) {
        return Looks::Other(what);
    }
    let Some(text) = text(head) else { return Looks::Other("binary data of an unknown kind") };
    // A stray one is no harm; more of them are no text.
    let controls = text.iter().filter(|byte| **byte < b' ' && !b"\t\n\r\x0b\x0c\x1a\x1b".contains(byte)).count();
    if controls * 100 > text.len() {
        return Looks::Other("binary data of an unknown kind");
    }
    if let Some(what) = markup(&text) {
        return Looks::Other(what);
    }
    Looks::Text(separated(&text))
}

/// The text, as far as ASCII goes: every other character of it stands as `x`, or in an 8-bit encoding as its bytes. None: it is no text.
fn text(head: &[u8]) -> Option<Vec<u8>> {
    let units = |from: usize, read: fn([u8; 2]) -> u16| {
        let narrow = |unit: u16| u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(b'x');
        head[from..].chunks_exact(2).map(|pair| narrow(read([pair[0], pair[1]]))).collect()
    };
    if head.starts_with(b"\xff\xfe") {
        return Some(units(2, u16::from_le_bytes));
    }
    if head.starts_with(b"\xfe\xff") {
        return Some(units(2, u16::from_be_bytes));
    }
    let nuls = |parity: usize| head.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    // UTF-16 without its mark: zeros in every other place, and only there.
    match (nuls(0), nuls(1)) {
        (0, 0) => Some(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).to_vec()),
        (0, odd) if odd * 5 >= head.len() => Some(units(0, u16::from_le_bytes)),
        (even, 0) if even * 5 >= head.len() => Some(units(0, u16::from_be_bytes)),
        _ => None,
    }
}

/// Text that is no table.
fn markup(text: &[u8]) -> Option<&'static str> {
    let start: Vec<u8> = text.trim_ascii_start().iter().take(4_096).map(u8::to_ascii_lowercase).collect();
    let holds = |needle: &[u8]| start.windows(needle.len()).any(|window| window == needle);
    if [b"<!doctype html".as_slice(), b"<html", b"<table", b"<head", b"<meta"].iter().any(|tag| start.starts_with(tag)) {
        return Some("an HTML page");
    }
    if start.starts_with(b"<?xml") || start.starts_with(b"<workbook") {
        return Some(match (holds(b"urn:schemas-microsoft-com:office:spreadsheet"), holds(b"<html")) {
            (true, _) => "an Excel workbook in the XML form of 2003",
            (false, true) => "an HTML page",
            (false, false) => "an XML document",
        });
    }
    if start.starts_with(b"mime-version:") {
        return Some("a web archive");
    }
    let mut rest = start.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    match (rest.next(), rest.next()) {
        (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'{' | b'[' | b'"')) => Some("a JSON document"),
        _ => None,
    }
}

/// Tabs, or something else: decided by the first line that is not blank. The reader looks closer.
fn separated(text: &[u8]) -> FileKind {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |byte: u8| line.iter().filter(|found| **found == byte).count();
    if count(b'\t') > count(b',').max(count(b';')) { FileKind::Tsv } else { FileKind::Csv }
}
