//! How values are spread: bars with round edges that cover the whole range, whose counts add up to the values that are there.

use datagenie_common::analyses::HistogramBin;
use serde_json::Value;

use super::{steps::Step, values};

/// Bars at most; of long ranges at least [`LEAST_BARS`].
pub(super) const MAX_BARS: i64 = 20;
const LEAST_BARS: i64 = 5;
/// Multiples of a step are exact up to here.
const EXACT: f64 = 4_503_599_627_370_496.0;

/// Bars of sorted whole numbers: one a number where they are few, else of a round width.
pub(super) fn of_whole(sorted: &[i64], distinct: u64) -> Vec<HistogramBin> {
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let (min, max) = (i128::from(min), i128::from(max));
    let grid = grid_of(sorted, distinct).filter(|grid| (max - min) / grid < i128::from(MAX_BARS));
    let (start, width, bars) = match grid {
        Some(grid) => (min, grid, (max - min) / grid + 1),
        None => round_whole(min, max, wanted(sorted.len())),
    };
    let edge = |bar: i128| {
        let edge = start + bar * width;
        i64::try_from(edge).unwrap_or(if edge < 0 { i64::MIN } else { i64::MAX })
    };
    let edges: Vec<i64> = (0..=bars).map(edge).collect();
    bins(sorted, &edges, Value::from)
}

// The distance of which all distances are multiples: 1 where they cover less than the most bars.
fn grid_of(sorted: &[i64], distinct: u64) -> Option<i128> {
    let (first, last) = (i128::from(*sorted.first()?), i128::from(*sorted.last()?));
    if last - first < i128::from(MAX_BARS) {
        return Some(1);
    }
    if distinct > MAX_BARS.unsigned_abs() {
        return None;
    }
    let mut grid: i128 = 0;
    for run in sorted.chunk_by(|a, b| a == b) {
        let (mut a, mut b) = (grid, i128::from(*run.first()?) - first);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        grid = a;
    }
    Some(grid.max(1))
}

// Start, width and count of bars of a round width.
fn round_whole(min: i128, max: i128, wanted: i128) -> (i128, i128, i128) {
    let mut best: Option<(i128, i128, i128)> = None;
    let mut power: i128 = 1;
    while power <= max - min {
        for width in [power, power * 2, power * 5] {
            let start = min.div_euclid(width) * width;
            // The largest number belongs to the last bar even where it is its upper edge.
            let bars = (max - start + width - 1).div_euclid(width).max(1);
            if fits(bars) && best.is_none_or(|(_, _, other)| (bars - wanted).abs() < (other - wanted).abs()) {
                best = Some((start, width, bars));
            }
        }
        power *= 10;
    }
    best.unwrap_or((min, (max - min).max(1), 1))
}

fn fits(bars: i128) -> bool {
    (i128::from(LEAST_BARS)..=i128::from(MAX_BARS)).contains(&bars)
}

// Sturges' rule.
fn wanted(count: usize) -> i128 {
    i128::from(count.max(1).ilog2() + 1).clamp(i128::from(LEAST_BARS), i128::from(MAX_BARS))
}

/// Bars of sorted finite floats.
pub(super) fn of_floats(sorted: &[f64]) -> Vec<HistogramBin> {
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    // Where no round width fits (floats that are neighbours) one bar holds all.
    let edges = round_edges(min, max, wanted(sorted.len())).unwrap_or_else(|| vec![min, max]);
    bins(sorted, &edges, Value::from)
}

fn round_edges(min: f64, max: f64, wanted: i128) -> Option<Vec<f64>> {
    let tenth = max / 10.0 - min / 10.0;
    if !tenth.is_normal() {
        return None;
    }
    let power = tenth.log10().floor() as i32;
    let mut best: Option<Vec<f64>> = None;
    for exponent in power - 1..=power + 1 {
        for (digits, exponent) in [(1, exponent), (2, exponent), (25, exponent - 1), (5, exponent)] {
            let Some(edges) = edges(min, max, digits, exponent) else { continue };
            let bars = edges.len() as i128 - 1;
            let better = |other: &Vec<f64>| (bars - wanted).abs() < (other.len() as i128 - 1 - wanted).abs();
            if fits(bars) && best.as_ref().is_none_or(better) {
                best = Some(edges);
            }
        }
    }
    best
}

// Multiples of digits · 10^exponent around the range; none if they are too many or not exact.
fn edges(min: f64, max: f64, digits: i64, exponent: i32) -> Option<Vec<f64>> {
    // Read as a decimal, so that the third multiple of 0.1 is 0.3.
    let multiple = |times: i64| format!("{}e{exponent}", times * digits).parse::<f64>().ok().map(|edge| edge.clamp(f64::MIN, f64::MAX));
    let width = multiple(1)?;
    let (low, high) = ((min / width).floor(), (max / width).ceil());
    if low.abs() > EXACT || high.abs() > EXACT || high - low > (MAX_BARS + 2) as f64 {
        return None;
    }
    let (mut first, mut last) = (low as i64, high as i64);
    while multiple(first)? > min {
        first -= 1;
    }
    while multiple(first + 1)? <= min && first + 1 < last {
        first += 1;
    }
    while multiple(last)? < max {
        last += 1;
    }
    while last - 1 > first && multiple(last - 1)? >= max {
        last -= 1;
    }
    (first..=last).map(multiple).collect()
}

/// Bars of sorted moments: days, weeks, months, quarters, years, or parts of a day. The edges are days where `are_days` says so.
pub(super) fn of_moments(sorted: &[i64], are_days: bool) -> Vec<HistogramBin> {
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let step = Step::within(min, max, are_days, MAX_BARS);
    let edges: Vec<i64> = (step.index(min)..=step.index(max).saturating_add(1)).map(|index| step.start(index)).collect();
    bins(sorted, &edges, |edge| values::moment(edge, are_days))
}

// Counts between neighbouring edges; what lies on the last edge belongs to the last bar.
fn bins<T: Copy + PartialOrd>(sorted: &[T], edges: &[T], json: impl Fn(T) -> Value) -> Vec<HistogramBin> {
    let mut before = 0;
    let mut bins = Vec::with_capacity(edges.len());
    for (at, pair) in edges.windows(2).enumerate() {
        let [from, to] = *pair else { continue };
        let end = if at + 2 == edges.len() { sorted.len() } else { sorted.partition_point(|value| *value < to) };
        bins.push(HistogramBin { from: json(from), to: json(to), count: (end - before) as u64 });
        before = end;
    }
    bins
}
