//! What the analysis of a spreadsheet says: the contract's `GET /v1/files/{id}/analysis`, and the file that a worker stores.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    charts::Chart,
    model::{questions::Insight, workbooks::SheetColumnType},
};

/// Everything that was found in a workbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Its tables, in the order of the sheets and from top left.
    pub tables: Vec<AnalysedTable>,
    /// How columns and tables belong together.
    pub relations: Vec<Relation>,
    /// The most telling pictures, at most [`MAX_CHARTS`].
    pub charts: Vec<AnalysisChart>,
    /// A few sentences, every number computed.
    pub summary: String,
    /// Observations, as for questions.
    pub insights: Vec<Insight>,
    /// Sheets that were not analysed, and why.
    pub skipped: Vec<SkippedSheet>,
    /// What was assumed for the whole file (encoding, delimiter, date system), in sentences of the analysis' language.
    pub notes: Vec<String>,
}

/// Pictures of one analysis at most.
pub const MAX_CHARTS: usize = 12;

/// A picture of an analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalysisChart {
    /// The place of its table in [`Analysis::tables`].
    pub table: usize,
    /// The model that SVG, PNG and Vega-Lite are made from.
    pub chart: Chart,
}

/// A sheet that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedSheet {
    /// Its name.
    pub sheet: String,
    /// `hidden`, `empty`, `no_table`, `not_a_worksheet` (a chart, a dialog, macros) or `unreadable` (its part of the file is damaged).
    pub reason: String,
    /// The same in a sentence.
    pub text: String,
}

/// A table as it was found on a sheet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnalysedTable {
    /// The name under which questions read it: made of the sheet's, unique in the workbook.
    pub name: String,
    /// The sheet's name.
    pub sheet: String,
    /// Header, rows and total rows: `B3:M120`.
    pub range: String,
    /// How many rows of the sheet are its header; 0: it has none, and its columns are called `column_1`, ….
    pub header_rows: u32,
    /// A line above it that is its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Rows of data, without header, totals and blank rows.
    pub rows: u64,
    /// Rows of the sheet that hold totals and are not counted, from 1.
    pub total_rows: Vec<u32>,
    /// What was taken for granted.
    pub assumptions: Vec<Assumption>,
    /// Its columns, from left to right.
    pub columns: Vec<AnalysedColumn>,
}

/// Something that was taken for granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    /// A word for programs: `title_row`, `multi_row_header`, `merged_header`, `no_header`, `no_table`, `duplicate_header`,
    /// `missing_header`, `blank_rows`, `blank_columns`, `total_row`, `repeated_header`, `section_row`, `note_row`, `text_as_number`, `text_as_date`, `text_as_boolean`,
    /// `percent`, `currency`, `mixed_types`, `error_cells`, `merged_cells`, `hidden_sheet`, `hidden_rows`, `hidden_columns`, `several_tables`,
    /// `placeholder_as_null`, `formula_without_value`, `blank_as_above`.
    pub kind: String,
    /// The same in a sentence.
    pub text: String,
    /// Where: `A1:C1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
}

/// A column and its figures. Values are as in an answer's rows: numbers as JSON numbers, days `2024-03-05`, moments
/// `2024-03-05T10:00:00`, times `10:00:00`, texts cut at 200 characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalysedColumn {
    /// Its name, unique in its table: what questions call it.
    pub name: String,
    /// Its letters on the sheet.
    pub column: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: SheetColumnType,
    /// Rows without a value; errors and placeholders count as none.
    pub nulls: u64,
    /// Cells that are errors such as `#DIV/0!`.
    pub errors: u64,
    /// Different values.
    pub distinct: u64,
    /// The smallest value; of a text the first in order of code points.
    pub min: Option<Value>,
    /// The largest value.
    pub max: Option<Value>,
    /// Mean of numbers.
    pub mean: Option<f64>,
    /// Sum of numbers.
    pub sum: Option<f64>,
    /// Standard deviation (of the sample, n − 1) of numbers.
    pub std_dev: Option<f64>,
    /// Quantiles of numbers, interpolated linearly between neighbours (as Excel's PERCENTILE.INC).
    pub quantiles: Option<Quantiles>,
    /// The most frequent values, most frequent first, at most 10; none where every value differs.
    pub top_values: Vec<TopValue>,
    /// How numbers, days and moments are spread.
    pub histogram: Vec<HistogramBin>,
    /// Numbers far from the others.
    pub outliers: Option<Outliers>,
    /// Of a mixed column, how many values are of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixture: Vec<TopValue>,
}

/// Quantiles of a column of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// 5 %.
    pub p05: f64,
    /// A quarter.
    pub p25: f64,
    /// The median.
    pub p50: f64,
    /// Three quarters.
    pub p75: f64,
    /// 95 %.
    pub p95: f64,
}

/// A value and how often it occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopValue {
    /// The value.
    pub value: Value,
    /// In so many rows.
    pub count: u64,
}

/// One bar of a histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramBin {
    /// From this value on.
    pub from: Value,
    /// Up to, without this value; the last bar with it.
    pub to: Value,
    /// How many values.
    pub count: u64,
}

/// Numbers outside of Tukey's fences, 1.5 interquartile ranges beyond the quartiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outliers {
    /// How many.
    pub count: u64,
    /// The lower fence.
    pub low: f64,
    /// The upper fence.
    pub high: f64,
    /// The most extreme ones, at most 10.
    pub examples: Vec<Outlier>,
}

/// One number outside of the fences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    /// The number.
    pub value: f64,
    /// Its cell: `D17`.
    pub cell: String,
}

/// A [`Relation`]'s kind: a column whose values are all there and all differ, one of a table.
pub const PRIMARY_KEY: &str = "primary_key";
/// A [`Relation`]'s kind: a column whose values are (nearly) all values of another table's key.
pub const REFERENCE: &str = "reference";
/// A [`Relation`]'s kind: two columns of numbers of one table that move together.
pub const CORRELATION: &str = "correlation";

/// How columns belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// [`PRIMARY_KEY`], [`REFERENCE`] or [`CORRELATION`].
    pub kind: String,
    /// The table, by [`AnalysedTable::name`].
    pub table: String,
    /// The column.
    pub column: String,
    /// The other table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_table: Option<String>,
    /// The other column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_column: Option<String>,
    /// Of a reference the share of different values that the key has, of a correlation Pearson's r.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Rows that it was computed from.
    pub rows: u64,
}
