//! Reads a file into cells: its kind by its content, whatever its name says.
//!
//! Every format is read as a stream, part by part and record by record, straight into [`crate::grid::Sheet`]: what a workbook takes
//! follows its cells, never the sizes and counts that it claims.

mod binary;
mod compound;
mod delimited;
mod dialect;
mod encoding;
pub mod kind;
mod moments;
mod ods;
mod package;
mod records;
mod relations;
mod sink;
#[cfg(test)]
pub(crate) mod tests;
mod xls;
mod xlsb;
mod xlsx;
mod xml;

use std::path::Path;

use self::{kind::Format, sink::Sink};
use crate::{error::ReadError, grid::Workbook, limits::Options};

/// Reads a workbook. `progress` is told how many rows have been read so far, every few thousand rows.
///
/// # Errors
/// [`ReadError`], for whatever is wrong with the file.
pub fn read(path: &Path, options: &Options, progress: &mut dyn FnMut(u64)) -> Result<Workbook, ReadError> {
    let mut sink = Sink::new(options, progress);
    match kind::detect(path)? {
        Format::Xlsx | Format::Xlsm => xlsx::read(path, &mut sink)?,
        Format::Xlsb => xlsb::read(path, &mut sink)?,
        Format::Xls => xls::read(path, &mut sink)?,
        Format::Ods => ods::read(path, &mut sink)?,
        Format::Csv | Format::Tsv => delimited::read(path, &mut sink)?,
    }
    sink.finish()
}

fn corrupt(what: impl Into<String>) -> ReadError {
    ReadError::Corrupt(what.into())
}

// What a reader of a packed part says: a machine's own failure has a number, everything else is the file's fault.
fn broken(error: std::io::Error) -> ReadError {
    if error.raw_os_error().is_some() {
        return ReadError::Io(error);
    }
    match error.downcast::<ReadError>() {
        Ok(told) => told,
        Err(error) => corrupt(format!("a part of it can't be unpacked ({error})")),
    }
}
