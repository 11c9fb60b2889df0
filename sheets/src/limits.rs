//! How much of a workbook is read.

use serde::{Deserialize, Serialize};

/// Bounds beyond which a workbook is refused with `workbook_too_large`, never cut silently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Cells with a value, in all sheets that are read.
    pub max_cells: u64,
    /// Bytes of different texts, in all sheets.
    pub max_text_bytes: u64,
    /// Bytes of all parts of a zipped workbook, unzipped.
    pub max_unzipped_bytes: u64,
    /// Unzipped bytes per zipped byte, of each part that unzips to more than a few MiB.
    pub max_ratio: u64,
    /// Sheets.
    pub max_sheets: usize,
    /// Tables, in all sheets.
    pub max_tables: usize,
    /// Columns of one table.
    pub max_columns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_cells: 40_000_000,
            max_text_bytes: 256 * 1_048_576,
            max_unzipped_bytes: 2 * 1_073_741_824,
            max_ratio: 300,
            max_sheets: 500,
            max_tables: 500,
            max_columns: 1_500,
        }
    }
}

/// What the caller wants of a workbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Read hidden sheets too. Otherwise they are told of and left out.
    pub include_hidden: bool,
    /// What people call the file: the only sheet of a text file has no other name.
    #[serde(default)]
    pub name: Option<String>,
    /// The bounds.
    #[serde(default)]
    pub limits: Limits,
}
