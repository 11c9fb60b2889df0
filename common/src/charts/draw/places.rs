//! Where the points of lines and areas stand: each by itself, or on top of the series before.

use std::collections::HashMap;

use crate::charts::{Chart, ChartType, Point};

/// A place of a series on the time axis.
pub(super) struct Place<'a> {
    pub(super) at: f64,
    /// Where the line passes; none: a gap.
    pub(super) height: Option<f64>,
    /// Where the area below it ends.
    pub(super) base: f64,
    /// The point itself; none where a stacked series has no value of its own.
    pub(super) point: Option<&'a Point>,
}

/// Points without a time stand in their order.
pub(super) fn place(index: usize, point: &Point) -> f64 {
    point.at.unwrap_or(index as f64)
}

/// The places of all series.
pub(super) fn of(chart: &Chart) -> Vec<Vec<Place<'_>>> {
    if chart.kind == ChartType::Area && chart.stacked && chart.series.len() > 1 {
        return stacked(chart);
    }
    let alone = |(index, point)| Place { at: place(index, point), height: point.drawable(), base: 0.0, point: Some(point) };
    chart.series.iter().map(|series| series.points.iter().enumerate().map(alone).collect()).collect()
}

/// Where the points of a stacked chart's series lie, in the order of the points; none for gaps.
pub(in crate::charts) fn tops(chart: &Chart) -> Vec<Vec<Option<f64>>> {
    let placed = of(chart);
    let tops = chart.series.iter().zip(&placed).map(|(series, places)| {
        let heights: HashMap<u64, Option<f64>> = places.iter().map(|place| (place.at.to_bits(), place.height)).collect();
        series.points.iter().enumerate().map(|(index, point)| *heights.get(&place(index, point).to_bits())?).collect()
    });
    tops.collect()
}

// Every series has a place at every time of any series: where it has no value it adds nothing.
fn stacked(chart: &Chart) -> Vec<Vec<Place<'_>>> {
    let points = || chart.series.iter().flat_map(|series| series.points.iter().enumerate());
    let mut times: Vec<f64> = points().map(|(index, point)| place(index, point)).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let mut levels = vec![0.0_f64; times.len()];
    let mut all = Vec::with_capacity(chart.series.len());
    for series in &chart.series {
        let mut own: HashMap<u64, (f64, &Point)> = HashMap::new();
        for (index, point) in series.points.iter().enumerate() {
            let Some(value) = point.drawable() else { continue };
            let sum = own.entry(place(index, point).to_bits()).or_insert((0.0, point));
            sum.0 = (sum.0 + value).clamp(-1e300, 1e300);
        }
        let places = times.iter().zip(&mut levels).map(|(at, level)| {
            let (value, point) = own.get(&at.to_bits()).map_or((0.0, None), |(value, point)| (*value, Some(*point)));
            let base = *level;
            *level += value;
            Place { at: *at, height: Some(*level), base, point }
        });
        all.push(places.collect());
    }
    all
}
