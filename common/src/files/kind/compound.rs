//! OLE2 compound files: Excel 97 to 2003, encrypted workbooks, and much that is neither.

use std::ops::Range;

use super::{FileKind, u16_at, u32_at};

const ENTRY_BYTES: usize = 128;
/// How much is looked at from the directory's first sector on. Its sectors need not follow each other, and mostly do.
const LOOK_BYTES: u64 = 16 * 1024;

/// Where the directory of a compound file begins.
pub(super) fn directory(head: &[u8]) -> Option<Range<u64>> {
    let shift = u16_at(head, 30).filter(|shift| (7..=16).contains(shift))?;
    let start = (u64::from(u32_at(head, 48)?) + 1) << shift;
    Some(start..start + LOOK_BYTES)
}

/// What a compound file with this directory is. Where that can't be told it is taken for a workbook: its reader says more.
pub(super) fn kind(directory: &[u8]) -> Result<FileKind, String> {
    let names: Vec<String> = directory.chunks_exact(ENTRY_BYTES).filter_map(name).collect();
    let has = |name: &str| names.iter().any(|found| found == name);
    if has("workbook") || has("book") {
        return Ok(FileKind::Xls);
    }
    // Whatever is inside, its reader says that it needs a password.
    if has("encryptedpackage") {
        return Ok(FileKind::Xlsx);
    }
    for (name, what) in [
        ("worddocument", "a Word document of a version before 2007"),
        ("powerpoint document", "a PowerPoint presentation of a version before 2007"),
        ("visiodocument", "a Visio drawing"),
        ("__properties_version1.0", "an Outlook message"),
    ] {
        if has(name) {
            return Err(what.to_owned());
        }
    }
    Ok(FileKind::Xls)
}

fn name(entry: &[u8]) -> Option<String> {
    let bytes = usize::from(u16_at(entry, 64)?).checked_sub(2).filter(|bytes| (2..=62).contains(bytes) && bytes % 2 == 0)?;
    // A storage, a stream or the root; anything else is no entry.
    if !matches!(entry.get(66)?, 1 | 2 | 5) {
        return None;
    }
    let units = entry.get(..bytes)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<String, _>>().ok().map(|name| name.to_ascii_lowercase())
}
