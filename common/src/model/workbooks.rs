//! Spreadsheets as they are asked: the tables of a workbook and what their columns hold.

use serde::{Deserialize, Serialize};

use crate::word_enum;

word_enum! {
    /// What a column of a spreadsheet holds.
    pub enum SheetColumnType {
        /// Whole numbers.
        Integer = "integer",
        /// Numbers.
        Number = "number",
        /// Text.
        Text = "text",
        /// Days.
        Date = "date",
        /// Moments.
        Timestamp = "timestamp",
        /// Times of day or durations.
        Time = "time",
        /// True or false.
        Boolean = "boolean",
        /// Values of several types, none of which is nearly all (19 of 20): read as text.
        Mixed = "mixed",
        /// Nothing.
        Empty = "empty",
    }
}

/// A workbook that is ready to be asked: what its SQLite file holds, as kept in `files.tables`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// The tables of the SQLite file.
    pub tables: Vec<PreparedTable>,
}

/// A table of the SQLite file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreparedTable {
    /// Its name, in SQLite and in the analysis.
    pub name: String,
    /// Where it comes from.
    pub sheet: String,
    /// Its place there.
    pub range: String,
    /// Rows.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<PreparedColumn>,
}

/// A column of the SQLite file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreparedColumn {
    /// Its name, in SQLite and in the analysis.
    pub name: String,
    /// What it holds; its declared SQLite type is INTEGER, REAL, TEXT, DATE, DATETIME, TIME or BOOLEAN.
    #[serde(rename = "type")]
    pub kind: SheetColumnType,
    /// Whether it is its table's key.
    pub primary_key: bool,
    /// The key of another table that it points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<(String, String)>,
    /// Frequent values of a column with few different ones, to link a question's words to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}
