//! The row and byte limits of a statement, the same for every engine: between the wire and the caller's sink.

use datagenie_common::model::{
    policies::Limits,
    results::{Column, Row},
};

use super::{Flow, RowSink, SourceError, Truncation, values};

/// Counts what passes, and stops at the limits. The row that shows there are more is read and not passed on.
pub(super) struct MeteredSink<'a> {
    sink: &'a mut dyn RowSink,
    max_rows: u64,
    max_bytes: u64,
    rows: u64,
    bytes: u64,
    truncated: Option<Truncation>,
}

impl<'a> MeteredSink<'a> {
    pub(super) fn new(sink: &'a mut dyn RowSink, limits: &Limits) -> Self {
        Self { sink, max_rows: limits.max_rows, max_bytes: limits.max_bytes, rows: 0, bytes: 0, truncated: None }
    }

    pub(super) fn start(&mut self, columns: Vec<Column>) -> Result<(), SourceError> {
        Ok(self.sink.start(columns)?)
    }

    pub(super) fn row(&mut self, row: Row) -> Result<Flow, SourceError> {
        if self.rows == self.max_rows {
            self.truncated = Some(Truncation::Rows);
            return Ok(Flow::Stop);
        }
        let size = values::encoded_size(&row);
        if self.bytes.saturating_add(size) > self.max_bytes {
            if self.rows == 0 {
                // Cut off here, the result would look as if nothing matched.
                return Err(SourceError::RowTooLarge { limit: self.max_bytes });
            }
            self.truncated = Some(Truncation::Bytes);
            return Ok(Flow::Stop);
        }
        self.rows += 1;
        self.bytes += size;
        Ok(self.sink.row(row)?)
    }

    /// A row came that is larger than any result may be, and was not taken: the result ends before it.
    pub(super) fn cut_off(&mut self) -> Result<(), SourceError> {
        if self.rows == 0 {
            // Cut off here, the result would look as if nothing matched.
            return Err(SourceError::RowTooLarge { limit: self.max_bytes });
        }
        self.truncated = Some(if self.rows == self.max_rows { Truncation::Rows } else { Truncation::Bytes });
        Ok(())
    }

    /// How many more rows are of use: those that may pass, and the one that shows there are more.
    pub(super) fn wanted(&self) -> u64 {
        (self.max_rows - self.rows).saturating_add(1)
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn truncated(&self) -> Option<Truncation> {
        self.truncated
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::SinkError;

    struct Counting(u64);

    impl RowSink for Counting {
        fn start(&mut self, _columns: Vec<Column>) -> Result<(), SinkError> {
            Ok(())
        }
        fn row(&mut self, _row: Row) -> Result<Flow, SinkError> {
            self.0 += 1;
            Ok(Flow::Continue)
        }
    }

    fn feed(max_rows: u64, max_bytes: u64, rows: u64) -> (u64, Option<Truncation>) {
        let mut sink = Counting(0);
        let limits = Limits { max_rows, max_bytes, max_seconds: 1 };
        let mut metered = MeteredSink::new(&mut sink, &limits);
        for _ in 0..rows {
            if metered.row(vec![json!("abc")]).expect("the sink takes it") == Flow::Stop {
                break;
            }
        }
        let truncated = metered.truncated();
        (sink.0, truncated)
    }

    #[test]
    fn exactly_the_limit_is_not_truncated() {
        assert_eq!(feed(3, 1_000, 3), (3, None));
        assert_eq!(feed(3, 1_000, 4), (3, Some(Truncation::Rows)));
        assert_eq!(feed(0, 1_000, 1), (0, Some(Truncation::Rows)));
    }

    #[test]
    fn bytes_are_counted_as_json() {
        // `["abc"]` and its separator are 8 bytes.
        assert_eq!(feed(100, 16, 2), (2, None));
        assert_eq!(feed(100, 16, 3), (2, Some(Truncation::Bytes)));
    }

    #[test]
    fn a_first_row_past_the_limit_is_an_error() {
        let mut sink = Counting(0);
        let limits = Limits { max_rows: 100, max_bytes: 7, max_seconds: 1 };
        let mut metered = MeteredSink::new(&mut sink, &limits);
        let refused = metered.row(vec![json!("abc")]);
        assert!(matches!(refused, Err(SourceError::RowTooLarge { limit: 7 })));
        assert_eq!(sink.0, 0);
    }

    #[test]
    fn a_row_that_is_not_taken_ends_the_result_before_it() {
        for (max_rows, before, expected) in [(3, 2, Truncation::Bytes), (2, 2, Truncation::Rows)] {
            let mut sink = Counting(0);
            let limits = Limits { max_rows, max_bytes: 1_000, max_seconds: 1 };
            let mut metered = MeteredSink::new(&mut sink, &limits);
            for _ in 0..before {
                assert_eq!(metered.row(vec![json!("abc")]).expect("the sink takes it"), Flow::Continue);
            }
            metered.cut_off().expect("there are rows before it");
            assert_eq!((metered.rows(), metered.truncated()), (before, Some(expected)));
        }
        let mut sink = Counting(0);
        let limits = Limits { max_rows: 3, max_bytes: 1_000, max_seconds: 1 };
        let refused = MeteredSink::new(&mut sink, &limits).cut_off();
        assert!(matches!(refused, Err(SourceError::RowTooLarge { limit: 1_000 })));
    }
}
