//! The lying axis of numbers or times, of scatter charts and histograms.

use super::{
    frame::Area,
    scale::{Scale, Zero},
};
use crate::charts::{Chart, Grain, format, periods};

/// So many times are told along the axis, if they differ.
const TIMES: u32 = 6;

/// Where numbers lie along the axis.
pub(super) struct Across {
    low: f64,
    high: f64,
    /// What is told below it.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Across {
    /// An axis that holds all of these places, which are finite.
    pub(super) fn covering(chart: &Chart, places: &[f64]) -> Self {
        match chart.x.grain {
            None | Some(Grain::Number) => Self::of_numbers(chart, places),
            Some(grain) => Self::of_times(places, grain),
        }
    }

    fn of_numbers(chart: &Chart, places: &[f64]) -> Self {
        let scale = Scale::covering(places.iter().copied(), Zero::IfNear);
        let ticks = scale.ticks();
        let names = format::ticks(&ticks, scale.step(), chart.x.unit, chart.language);
        Self {
            low: ticks.first().copied().unwrap_or_default(),
            high: ticks.last().copied().unwrap_or_default(),
            ticks: ticks.into_iter().zip(names).collect(),
        }
    }

    // Times told at even distances, each told once.
    fn of_times(places: &[f64], grain: Grain) -> Self {
        let low = places.iter().copied().fold(f64::INFINITY, f64::min);
        let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let even = (0..TIMES).map(|index| low + (high - low) * f64::from(index) / f64::from(TIMES - 1));
        let mut ticks: Vec<(f64, String)> = even.filter_map(|place| Some((place, periods::told(place, grain)?))).collect();
        ticks.dedup_by(|a, b| a.1 == b.1);
        Self { low, high, ticks }
    }

    /// Where a number lies in the picture.
    pub(super) fn x(&self, plot: Area, number: f64) -> f64 {
        let span = self.high - self.low;
        let place = if span > 0.0 { ((number - self.low) / span).clamp(0.0, 1.0) } else { 0.5 };
        plot.left + place * (plot.right - plot.left)
    }
}
