//! A column of numbers, and what can be computed of it.

use std::cmp::Ordering;

use datagenie_common::{model::results::Row, wording::numbers::Amount};

/// A measured column: its numbers by row.
#[derive(Debug)]
pub(crate) struct Measure {
    /// Which column.
    pub(crate) column: usize,
    /// What it is called in a sentence.
    pub(crate) name: String,
    /// Whether its sum means anything.
    pub(crate) additive: bool,
    /// The numbers, with their row, in the order of the rows.
    pub(crate) values: Vec<(usize, Amount)>,
    /// How many rows have none: NULL, NaN, an infinity.
    pub(crate) skipped: usize,
}

impl Measure {
    /// Reads a column.
    pub(crate) fn of(rows: &[Row], column: usize, name: String, additive: bool) -> Self {
        let number = |(at, row): (usize, &Row)| row.get(column).and_then(Amount::of).map(|amount| (at, amount));
        let values: Vec<_> = rows.iter().enumerate().filter_map(number).collect();
        let skipped = rows.len() - values.len();
        Self { column, name, additive, values, skipped }
    }

    /// The number of a row.
    pub(crate) fn at(&self, row: usize) -> Option<&Amount> {
        let found = self.values.binary_search_by_key(&row, |(at, _)| *at).ok()?;
        self.values.get(found).map(|(_, amount)| amount)
    }

    /// The sum.
    pub(crate) fn total(&self) -> Option<Amount> {
        Amount::sum(self.values.iter().map(|(_, amount)| amount))
    }

    /// The mean of the rows that have a number.
    pub(crate) fn average(&self) -> Option<Amount> {
        self.total()?.divided_by(self.values.len())
    }

    /// The smallest number.
    pub(crate) fn least(&self) -> Option<&Amount> {
        self.values.iter().map(|(_, amount)| amount).min_by(|a, b| a.compare(b))
    }

    /// The largest number.
    pub(crate) fn largest(&self) -> Option<&Amount> {
        self.values.iter().map(|(_, amount)| amount).max_by(|a, b| a.compare(b))
    }

    /// The rows that have the largest number.
    pub(crate) fn top_rows(&self) -> Vec<usize> {
        self.largest().map(|largest| self.rows_with(largest)).unwrap_or_default()
    }

    /// The rows that have the smallest number.
    pub(crate) fn bottom_rows(&self) -> Vec<usize> {
        self.least().map(|least| self.rows_with(least)).unwrap_or_default()
    }

    fn rows_with(&self, wanted: &Amount) -> Vec<usize> {
        self.values.iter().filter(|(_, amount)| amount.compare(wanted) == Ordering::Equal).map(|(row, _)| *row).collect()
    }

    /// Whether the numbers rise from row to row, as in a list of the smallest; equal neighbours do not matter, as long as not all are.
    pub(crate) fn is_ascending(&self) -> bool {
        let falls = self.values.windows(2).any(|pair| pair[1].1.compare(&pair[0].1) == Ordering::Less);
        let differ = match (self.values.first(), self.values.last()) {
            (Some((_, first)), Some((_, last))) => last.compare(first) == Ordering::Greater,
            _ => false,
        };
        !falls && differ
    }

    /// Whether no number is below zero.
    pub(crate) fn is_non_negative(&self) -> bool {
        !self.values.iter().any(|(_, amount)| amount.is_negative())
    }
}
