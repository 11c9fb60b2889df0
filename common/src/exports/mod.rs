//! Results and analyses as files that people open elsewhere: CSV and xlsx. Everything here is synchronous; what may be large goes row by
//! row to a temporary file without a name.

mod analysis;
mod cells;
pub mod csv;
mod result;
mod sheet;
mod temporary;
mod words;

#[cfg(test)]
mod tests;

use std::io;

pub use analysis::{analysis_csv, analysis_xlsx};
pub use result::{About, ResultBook};

/// The media type of an xlsx file.
pub const XLSX_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// The media type of our CSV files.
pub const CSV_TYPE: &str = "text/csv; charset=utf-8";
/// Most rows of a sheet, its header included: a limit of the format.
pub const MAX_SHEET_ROWS: u32 = 1_048_576;
/// Most columns of a sheet: a limit of the format.
pub const MAX_SHEET_COLUMNS: u16 = 16_384;
/// Longest text of a cell, in UTF-16 units: a limit of the format.
pub const MAX_CELL_UNITS: usize = 32_767;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The workbook could not be made.
    #[error("the workbook cannot be written")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// The temporary file failed: the disk may be full.
    #[error("the temporary file of the export cannot be written or read")]
    File(#[from] io::Error),
}
