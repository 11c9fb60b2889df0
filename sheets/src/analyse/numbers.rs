//! Figures of a column of numbers: sum, mean, deviation, quantiles, and which are far from the others.

use datagenie_common::analyses::{Outlier, Outliers, Quantiles};

use crate::{grid::letters, tables::Table};

/// Of fewer numbers none is called far from the others.
const LEAST_FOR_OUTLIERS: usize = 8;
/// So many of those far from the others are named.
const MAX_EXAMPLES: usize = 10;
/// Beyond these sizes the squares of differences leave the range of floats.
const SQUARES_FIT: std::ops::Range<f64> = 1e-150..1e150;

/// A whole number or a finite float.
pub(super) trait Number: Copy + PartialEq {
    /// The nearest float.
    fn to_f64(self) -> f64;
    /// Of all of them; not finite where it is beyond a float.
    fn sum(numbers: &[Self]) -> f64;
}

impl Number for i64 {
    fn to_f64(self) -> f64 {
        self as f64
    }

    fn sum(numbers: &[Self]) -> f64 {
        numbers.iter().map(|number| i128::from(*number)).sum::<i128>() as f64
    }
}

impl Number for f64 {
    fn to_f64(self) -> f64 {
        self
    }

    fn sum(numbers: &[Self]) -> f64 {
        let mut sum = Sum::default();
        numbers.iter().for_each(|number| sum.add(*number));
        sum.value()
    }
}

/// A sum of floats that keeps what rounding loses (Neumaier).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds a number.
    pub(super) fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        self.lost += if self.sum.abs() >= number.abs() { (self.sum - sum) + number } else { (number - sum) + self.sum };
        self.sum = sum;
    }

    /// The sum so far; not finite where it is beyond a float.
    pub(super) fn value(self) -> f64 {
        self.sum + self.lost
    }
}

/// What is computed of sorted numbers; none of an empty list. What is beyond a float is none.
pub(super) struct Figures {
    pub(super) mean: Option<f64>,
    pub(super) sum: Option<f64>,
    pub(super) std_dev: Option<f64>,
    pub(super) quantiles: Quantiles,
}

impl Figures {
    pub(super) fn of<N: Number>(sorted: &[N]) -> Option<Self> {
        let (first, last) = (sorted.first()?, sorted.last()?);
        let count = sorted.len() as f64;
        let sum = N::sum(sorted);
        let mean = if sum.is_finite() {
            sum / count
        } else {
            let mut mean = Sum::default();
            sorted.iter().for_each(|number| mean.add(number.to_f64() / count));
            mean.value()
        };
        // A mean lies between its numbers, whatever rounding did.
        let mean = mean.clamp(first.to_f64(), last.to_f64());
        let quantile = |percent| quantile(sorted, percent).unwrap_or_default();
        Some(Self {
            mean: Some(mean).filter(|mean| mean.is_finite()),
            sum: Some(sum).filter(|sum| sum.is_finite()),
            std_dev: deviation(sorted, mean),
            quantiles: Quantiles { p05: quantile(5), p25: quantile(25), p50: quantile(50), p75: quantile(75), p95: quantile(95) },
        })
    }
}

fn deviation<N: Number>(sorted: &[N], mean: f64) -> Option<f64> {
    if sorted.len() < 2 {
        return None;
    }
    let largest = [sorted.first(), sorted.last()].into_iter().flatten().map(|end| (end.to_f64() - mean).abs()).fold(0.0, f64::max);
    let scale = if largest == 0.0 || SQUARES_FIT.contains(&largest) { 1.0 } else { largest };
    let mut squares = Sum::default();
    for number in sorted {
        let difference = (number.to_f64() - mean) / scale;
        squares.add(difference * difference);
    }
    let deviation = (squares.value() / (sorted.len() - 1) as f64).sqrt() * scale;
    deviation.is_finite().then_some(deviation)
}

/// Interpolated linearly between neighbours, as Excel's PERCENTILE.INC.
pub(super) fn quantile<N: Number>(sorted: &[N], percent: usize) -> Option<f64> {
    let rank = sorted.len().checked_sub(1)? * percent;
    let below = sorted.get(rank / 100)?.to_f64();
    let above = sorted.get(rank / 100 + 1).map_or(below, |number| number.to_f64());
    let part = (rank % 100) as f64 / 100.0;
    let between = below + (above - below) * part;
    Some(if between.is_finite() { between } else { below * (1.0 - part) + above * part })
}

/// The numbers outside of Tukey's fences; none where the middle half is one number, or there are too few to tell. `values` are those of
/// all rows of the table.
pub(super) fn outliers<N: Number>(
    sorted: &[N],
    quantiles: &Quantiles,
    table: &Table,
    col: u32,
    values: impl Iterator<Item = (usize, N)>,
) -> Option<Outliers> {
    let middle = quantiles.p75 - quantiles.p25;
    let (low, high) = (quantiles.p25 - 1.5 * middle, quantiles.p75 + 1.5 * middle);
    if sorted.len() < LEAST_FOR_OUTLIERS || middle <= 0.0 || !low.is_finite() || !high.is_finite() {
        return None;
    }
    let below = sorted.partition_point(|number| number.to_f64() < low);
    let above = sorted.len() - sorted.partition_point(|number| number.to_f64() <= high);
    let mut extremes: Vec<(f64, f64, usize)> = Vec::new();
    if below + above > 0 {
        for (row, number) in values {
            let value = number.to_f64();
            let distance = if value < low { low - value } else { value - high };
            if distance <= 0.0 || (extremes.len() == MAX_EXAMPLES && extremes.last().is_some_and(|last| last.0 >= distance)) {
                continue;
            }
            let place = extremes.partition_point(|(other, _, _)| *other >= distance);
            extremes.insert(place, (distance, value, row));
            extremes.truncate(MAX_EXAMPLES);
        }
    }
    let example = |(_, value, row): (f64, f64, usize)| Outlier { value, cell: cell(table, col, row) };
    Some(Outliers { count: (below + above) as u64, low, high, examples: extremes.into_iter().map(example).collect() })
}

/// The address of a value on its sheet.
fn cell(table: &Table, col: u32, row: usize) -> String {
    let row = table.rows.get(row).copied().unwrap_or_default();
    format!("{}{}", letters(col), u64::from(row) + 1)
}
