//! The rows of our own queries: text, taken column by column in the order of the query.

use std::str::FromStr;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::DataRowBody;

use super::error::WireError;

/// What is left of a row. Taking more columns than the query has, or one that is something else, is [`WireError::Protocol`].
pub struct OwnRow {
    values: std::vec::IntoIter<Option<String>>,
}

impl OwnRow {
    /// Bytes that are no UTF-8 (a database without an encoding) are replaced by U+FFFD.
    pub(super) fn new(row: &DataRowBody) -> Result<Self, WireError> {
        let mut values = Vec::new();
        let mut ranges = row.ranges();
        while let Some(range) = ranges.next().map_err(|_unreadable| WireError::Protocol)? {
            let bytes = range.map(|range| row.buffer().get(range).unwrap_or_default());
            values.push(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        Ok(Self { values: values.into_iter() })
    }

    /// The next column, which may be NULL.
    pub fn maybe(&mut self) -> Result<Option<String>, WireError> {
        self.values.next().ok_or(WireError::Protocol)
    }

    /// The next column.
    pub fn text(&mut self) -> Result<String, WireError> {
        self.maybe()?.ok_or(WireError::Protocol)
    }

    /// The next column, a number.
    pub fn number<T: FromStr>(&mut self) -> Result<T, WireError> {
        self.text()?.parse().map_err(|_other| WireError::Protocol)
    }

    /// The next column, a boolean.
    pub fn flag(&mut self) -> Result<bool, WireError> {
        match self.text()?.as_str() {
            "t" => Ok(true),
            "f" => Ok(false),
            _ => Err(WireError::Protocol),
        }
    }

    /// The next column, an array of texts that was made JSON.
    pub fn list(&mut self) -> Result<Vec<String>, WireError> {
        serde_json::from_str(&self.text()?).map_err(|_other| WireError::Protocol)
    }

    /// All columns that are left.
    pub fn rest(self) -> Vec<Option<String>> {
        self.values.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[Option<&str>]) -> OwnRow {
        let values: Vec<Option<String>> = values.iter().map(|value| value.map(str::to_owned)).collect();
        OwnRow { values: values.into_iter() }
    }

    #[test]
    fn columns_are_taken_in_their_order() {
        let mut given = row(&[Some("a"), None, Some("t"), Some("-1"), Some("1e+06"), Some(r#"["x","y \"z\""]"#), None, Some("b")]);
        assert_eq!(given.text().expect("a text"), "a");
        assert_eq!(given.maybe().expect("a column"), None);
        assert!(given.flag().expect("a boolean"));
        assert_eq!(given.number::<i64>().expect("a number"), -1);
        assert_eq!(given.number::<f64>().expect("a number").total_cmp(&1e6), std::cmp::Ordering::Equal);
        assert_eq!(given.list().expect("a list"), ["x", "y \"z\""]);
        assert_eq!(given.rest(), [None, Some("b".to_owned())]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(row(&[None]).text().is_err());
        assert!(row(&[]).maybe().is_err());
        assert!(row(&[Some("yes")]).flag().is_err());
        assert!(row(&[Some("{a,b}")]).list().is_err());
        assert!(row(&[Some("x")]).number::<i32>().is_err());
    }
}
