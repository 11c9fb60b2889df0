//! What an upload is, by its content and never by its name: a workbook of a kind that is read, or something else, told in words.

mod compound;
mod plain;
#[cfg(test)]
mod tests;
mod zipped;

use self::plain::Looks;
use super::{Files, FilesError, ObjectPath};
use crate::word_enum;

word_enum! {
    /// The kinds of files that are read.
    pub enum FileKind {
        /// Excel since 2007.
        Xlsx = "xlsx",
        /// The same with macros, which are not run.
        Xlsm = "xlsm",
        /// Excel's binary form of it.
        Xlsb = "xlsb",
        /// Excel 97 to 2003.
        Xls = "xls",
        /// OpenDocument.
        Ods = "ods",
        /// Text with commas, semicolons and the like between the cells.
        Csv = "csv",
        /// Text with tabs between the cells.
        Tsv = "tsv",
    }
}

/// How much of a file's beginning [`of_content`] wants to see.
pub const HEAD_BYTES: usize = 65_536;
/// How much of an archive's directory is looked at.
const DIRECTORY_BYTES: u64 = 4 * 1_048_576;

/// The kind of a stored file of so many bytes that begins like this; or what it seems to be instead, as in "it seems to be a PDF document".
///
/// # Errors
/// If the storage fails.
pub async fn of_content(files: &Files, path: ObjectPath, size: u64, head: &[u8]) -> Result<Result<FileKind, String>, FilesError> {
    Ok(match plain::look(head) {
        Looks::Text(kind) => Ok(kind),
        Looks::Other(what) => Err(what.to_owned()),
        Looks::Zip => {
            let tail = size.saturating_sub(zipped::TAIL_BYTES);
            let end = files.get_range(path, tail..size).await?;
            let mut names = zipped::names_at_head(head);
            if let Some(place) = zipped::directory(&end, tail) {
                let directory = files.get_range(path, place.start..place.end.min(place.start.saturating_add(DIRECTORY_BYTES))).await?;
                names.extend(zipped::names_of_directory(&directory));
            }
            zipped::kind(zipped::declared_type(head), &names)
        }
        Looks::Compound => match compound::directory(head) {
            Some(place) => compound::kind(&files.get_range(path, place).await?),
            None => Ok(FileKind::Xls),
        },
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
