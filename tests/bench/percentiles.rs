//! Percentiles of samples.

use serde::Serialize;

/// Milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// One in a hundred takes longer.
    pub p99: f64,
}

/// The percentiles of these samples; zero of none.
pub fn of(mut samples: Vec<f64>) -> Percentiles {
    samples.sort_by(f64::total_cmp);
    let at = |part: usize| samples.get(samples.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    Percentiles { p50: at(50), p99: at(99) }
}
