//! The axis of values: round ticks around finite numbers.

/// A range whose ends are ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    step: f64,
    steps: u32,
}

/// Whether zero lies on a scale whose values all lie on one side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    /// Bars and areas are as long as their values.
    Always,
    /// Lines: unless their values lie far from it and close together.
    UnlessFar,
    /// Pairs: only where that costs little room.
    IfNear,
}

impl Scale {
    /// A scale that holds all values, which must be finite and within ±1e300 (sums of a dozen such are fine).
    pub(super) fn covering(values: impl Iterator<Item = f64>, zero: Zero) -> Self {
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for value in values.filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
            whole = whole && value.fract() == 0.0;
        }
        if low > high {
            (low, high) = (0.0, 0.0);
        }
        let largest = low.abs().max(high.abs());
        let nearest = if low.signum() == high.signum() { low.abs().min(high.abs()) } else { 0.0 };
        let shown = match zero {
            Zero::Always => true,
            Zero::UnlessFar => nearest <= largest * 0.6,
            Zero::IfNear => nearest <= largest * 0.25,
        };
        let spread = high - low > largest * 1e-9;
        if shown || !spread {
            low = low.min(0.0);
            high = high.max(0.0);
        }
        // Nothing but zeros, or numbers so small that their step underflows.
        if high - low < 1e-290 {
            high = low + 1.0;
        }
        let step = round_step((high - low) / 5.0, whole);
        let first = (low / step).floor();
        let steps = ((high / step).ceil() - first).clamp(1.0, 12.0);
        Self { low: first * step, step, steps: steps as u32 }
    }

    /// The distance of two ticks.
    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// The ticks, both ends included.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step).round();
        (0..=self.steps).map(|index| (first + f64::from(index)) * self.step).collect()
    }

    /// Where a value lies, from 0 at the lower end to 1 at the upper.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = (value - self.low) / self.step / f64::from(self.steps);
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// 1, 2, 2.5 or 5 times a power of ten, at least `raw`; a whole number for whole values.
pub(in crate::charts) fn round_step(raw: f64, whole: bool) -> f64 {
    let power = 10.0_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= raw * 0.999_999).unwrap_or(10.0);
    let step = factor * power;
    match whole {
        true if step < 1.0 => 1.0,
        true if step == 2.5 => 5.0,
        _ => step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let cases: &[(&[f64], Zero, &[f64])] = &[
            (&[3.0, 97.0], Zero::Always, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
            (&[1.0], Zero::Always, &[0.0, 1.0]),
            (&[0.0], Zero::Always, &[0.0, 1.0]),
            (&[], Zero::Always, &[0.0, 1.0]),
            (&[-10.0, 10.0], Zero::Always, &[-10.0, -5.0, 0.0, 5.0, 10.0]),
            (&[1000.5, 1001.5], Zero::UnlessFar, &[1000.4, 1000.6, 1000.8, 1001.0, 1001.2, 1001.4, 1001.6]),
            (&[7.0, 7.0], Zero::UnlessFar, &[0.0, 2.0, 4.0, 6.0, 8.0]),
            (&[50.0, 100.0], Zero::UnlessFar, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
            (&[50.0, 100.0], Zero::IfNear, &[50.0, 60.0, 70.0, 80.0, 90.0, 100.0]),
            (&[20.0, 100.0], Zero::IfNear, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
            (&[7.0], Zero::IfNear, &[0.0, 2.0, 4.0, 6.0, 8.0]),
        ];
        for (values, zero, expected) in cases {
            let ticks = Scale::covering(values.iter().copied(), *zero).ticks();
            let close = ticks.len() == expected.len() && ticks.iter().zip(expected.iter()).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "{values:?}: {ticks:?}");
        }
    }

    #[test]
    fn extreme_values_have_places() {
        for values in [[1e300, -1e300], [1e-300, 0.0], [1e300, 1e300], [5e-324, -5e-324], [f64::NAN, f64::INFINITY], [-0.0, 0.0]] {
            for zero in [Zero::Always, Zero::UnlessFar, Zero::IfNear] {
                let scale = Scale::covering(values.into_iter(), zero);
                assert!(scale.ticks().iter().all(|tick| tick.is_finite()), "{values:?}");
                assert!(values.iter().all(|value| (0.0..=1.0).contains(&scale.place(*value))), "{values:?}");
                assert!(scale.ticks().len() <= 13);
            }
        }
    }
}
