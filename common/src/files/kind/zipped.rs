//! ZIP archives: the names of their entries tell what they are. Nothing is unpacked.

use std::ops::Range;

use super::{FileKind, u16_at, u32_at};

/// The end record of an archive lies within so many bytes of its end.
pub(super) const TAIL_BYTES: u64 = 22 + 65_535;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// The length of a local header without its name.
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
/// Sizes of entries written as a stream stand behind them.
const SIZES_FOLLOW: u16 = 8;

/// Names of the entries that a file's beginning shows: all that is left of an archive whose end is missing.
pub(super) fn names_at_head(head: &[u8]) -> Vec<String> {
    let (mut at, mut names) = (0, Vec::new());
    while let Some(local) = local(head, at) {
        names.push(normal(local.name));
        match local.next {
            Some(next) => at = next,
            None => break,
        }
    }
    names
}

struct Local<'a> {
    name: &'a [u8],
    content: usize,
    next: Option<usize>,
}

fn local(bytes: &[u8], at: usize) -> Option<Local<'_>> {
    if !bytes.get(at..)?.starts_with(LOCAL) {
        return None;
    }
    let (name, extra) = (usize::from(u16_at(bytes, at + 26)?), usize::from(u16_at(bytes, at + 28)?));
    let content = at + LOCAL_BYTES + name + extra;
    let next = match u16_at(bytes, at + 6)? & SIZES_FOLLOW {
        0 => usize::try_from(u32_at(bytes, at + 18)?).ok().and_then(|size| content.checked_add(size)),
        _ => None,
    };
    Some(Local { name: bytes.get(at + LOCAL_BYTES..at + LOCAL_BYTES + name)?, content, next })
}

/// The media type that an OpenDocument (and an EPUB) declares in its first entry.
pub(super) fn declared_type(head: &[u8]) -> Option<String> {
    let first = local(head, 0)?;
    if first.name != b"mimetype" {
        return None;
    }
    let end = first.next.unwrap_or(first.content + 100).min(first.content + 100).min(head.len());
    let text = String::from_utf8_lossy(head.get(first.content..end)?);
    Some(text.chars().take_while(|c| c.is_ascii_graphic()).collect())
}

/// Where the directory lies in an archive whose end, from the byte `from` on, is this.
pub(super) fn directory(end: &[u8], from: u64) -> Option<Range<u64>> {
    let at = (0..=end.len().checked_sub(END_BYTES)?).rev().find(|at| end[*at..].starts_with(END))?;
    let (size, offset) = (u64::from(u32_at(end, at + 12)?), u64::from(u32_at(end, at + 16)?));
    let record = from + u64::try_from(at).ok()?;
    if offset + size <= record {
        return Some(offset..offset + size);
    }
    // Both numbers are too large for the old form, or lie: the directory ends where the record begins.
    let size = size.min(record);
    Some(record - size..record)
}

/// Names in (the beginning of) a directory.
pub(super) fn names_of_directory(directory: &[u8]) -> Vec<String> {
    let (mut at, mut names) = (0, Vec::new());
    while directory.get(at..).is_some_and(|rest| rest.starts_with(CENTRAL)) {
        let lengths = [u16_at(directory, at + 28), u16_at(directory, at + 30), u16_at(directory, at + 32)];
        let [Some(name), Some(extra), Some(comment)] = lengths.map(|length| length.map(usize::from)) else { break };
        let Some(text) = directory.get(at + CENTRAL_BYTES..at + CENTRAL_BYTES + name) else { break };
        names.push(normal(text));
        at += CENTRAL_BYTES + name + extra + comment;
    }
    names
}

// Some writers use backslashes, and cases of their own.
fn normal(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}

/// What an archive with these entries is.
pub(super) fn kind(declared: Option<String>, names: &[String]) -> Result<FileKind, String> {
    if let Some(declared) = declared {
        return match declared.as_str() {
            text if text.contains("opendocument.spreadsheet") => Ok(FileKind::Ods),
            text if text.contains("opendocument") => Err("an OpenDocument file that is no spreadsheet".to_owned()),
            text if text.contains("epub") => Err("an e-book".to_owned()),
            _ => Err("a ZIP archive without a workbook in it".to_owned()),
        };
    }
    let has = |name: &str| names.iter().any(|found| found == name);
    let below = |folder: &str| names.iter().any(|found| found.starts_with(folder));
    if below("xl/") {
        return Ok(match (has("xl/workbook.bin"), has("xl/vbaproject.bin")) {
            (true, _) => FileKind::Xlsb,
            (false, true) => FileKind::Xlsm,
            (false, false) => FileKind::Xlsx,
        });
    }
    if has("content.xml") && has("meta-inf/manifest.xml") {
        return Ok(FileKind::Ods);
    }
    for (folder, what) in [
        ("word/", "a Word document"),
        ("ppt/", "a PowerPoint presentation"),
        ("visio/", "a Visio drawing"),
        ("index/", "an Apple iWork document"),
    ] {
        if below(folder) {
            return Err(what.to_owned());
        }
    }
    // Cut off, or laid out in a way of its own: its reader says more.
    if has("[content_types].xml") {
        return Ok(FileKind::Xlsx);
    }
    Err(if names.is_empty() { "a damaged ZIP archive" } else { "a ZIP archive without a workbook in it" }.to_owned())
}
