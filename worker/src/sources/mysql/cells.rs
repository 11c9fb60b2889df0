//! The cells of our own statements, whichever protocol brought them: the text one brings bytes only. The driver's own conversions panic
//! on what they don't expect.

use mysql_async::{Row, Value};

/// A cell as text; none for NULL. With U+FFFD for U+0000, which a comment or a default may hold and PostgreSQL, where catalogues are kept,
/// does not store.
pub(super) fn text(row: &Row, column: usize) -> Option<String> {
    Some(match row.as_ref(column)? {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).replace('\0', "\u{FFFD}"),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::NULL | Value::Date(..) | Value::Time(..) => return None,
    })
}

/// A cell as a number; none for NULL and for what is none.
pub(super) fn number(row: &Row, column: usize) -> Option<f64> {
    text(row, column)?.trim().parse().ok()
}

/// A cell as a whole number that is not negative.
pub(super) fn count(row: &Row, column: usize) -> Option<u64> {
    text(row, column)?.trim().parse().ok()
}

/// The place of a column by its name.
pub(super) fn place(row: &Row, name: &str) -> Option<usize> {
    row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(name))
}
