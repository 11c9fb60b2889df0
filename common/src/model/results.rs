//! The rows of an answer, in the contract's form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::word_enum;

word_enum! {
    /// What a column's values are, as far as charts and summaries care.
    pub enum ColumnKind {
        /// Whole numbers (JSON numbers; strings beyond 2^53).
        Integer = "integer",
        /// Exact or floating numbers (numerics as strings, floats as JSON numbers, NaN and infinities as strings).
        Number = "number",
        /// Text.
        Text = "text",
        /// A calendar day (`2024-03-05`).
        Date = "date",
        /// A moment (RFC 3339, or the source's own text).
        Timestamp = "timestamp",
        /// A time of day or a duration.
        Time = "time",
        /// True or false.
        Boolean = "boolean",
        /// `{"base64", "truncated"}`.
        Binary = "binary",
        /// JSON, arrays, ranges and all else, as text or JSON.
        Other = "other",
    }
}

impl ColumnKind {
    /// Whether arithmetic makes sense.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    /// Whether it lies on a time axis.
    #[must_use]
    pub fn is_temporal(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp)
    }
}

/// A column of a result. Names may repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// As the statement names it.
    pub name: String,
    /// The source's own name of the type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it is to charts and summaries.
    pub kind: ColumnKind,
}

/// One row, in the order of the columns.
pub type Row = Vec<Value>;

/// A result as charts and summaries see it: all of its rows, or the first of them.
#[derive(Clone, Copy, Debug)]
pub struct ResultView<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// All rows, or (not `complete`) the first ones.
    pub rows: &'a [Row],
    /// How many rows the result has.
    pub row_count: u64,
    /// Whether `rows` holds all of them.
    pub complete: bool,
    /// Whether a limit cut the result off.
    pub truncated: bool,
}

/// A cell as a number for drawing and comparing: JSON numbers and numeric text; none for NULL, NaN, infinities and the rest.
/// Loses digits beyond an f64's: exact sums use [`decimal`].
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    let found = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse::<f64>().ok(),
        _ => None,
    };
    found.filter(|n| n.is_finite())
}

/// A cell as an exact decimal where 28 digits hold it; none for NULL, NaN, infinities, text and longer numbers.
#[must_use]
pub fn decimal(value: &Value) -> Option<rust_decimal::Decimal> {
    match value {
        Value::Number(n) => n.to_string().parse().ok().or_else(|| rust_decimal::Decimal::from_scientific(&n.to_string()).ok()),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}
