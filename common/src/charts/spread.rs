//! How numbers lie: the stretches of a histogram, and a sample of more pairs than a picture can show.

use std::collections::BTreeMap;

use super::draw::round_step;

/// Most bars that [`bins`] makes.
const MOST_BINS: f64 = 30.0;
/// Fewest bars that it aims at.
const FEWEST_BINS: f64 = 5.0;

/// A stretch of values and how many lie in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// From this value on; of times in seconds since 1970.
    pub from: f64,
    /// Up to this value, which belongs to the next one; the last one's own.
    pub to: f64,
    /// How many values.
    pub count: u64,
}

/// Values in stretches of one round width, as many as show their form (the rule of Freedman and Diaconis, 5 to about 30). What is not
/// finite is left out; of no values there are no stretches.
#[must_use]
pub fn bins(values: &[f64]) -> Vec<Bin> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).map(|value| value.clamp(-1e300, 1e300)).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (sorted.first().copied(), sorted.last().copied()) else { return Vec::new() };
    let whole = sorted.iter().all(|value| value.fract() == 0.0);
    let step = width(&sorted, low, high, whole);
    let first = (low / step).floor();
    // Of whole numbers one by one the largest has a bar of its own; else it belongs to the bar that ends with it.
    let last = if (whole && step == 1.0) || low == high { (high / step).floor() + 1.0 } else { (high / step).ceil() };
    let count = (last - first).clamp(1.0, MOST_BINS * 3.0);
    let mut bins: Vec<Bin> = (0..count as u32)
        .map(|index| Bin { from: (first + f64::from(index)) * step, to: (first + f64::from(index) + 1.0) * step, count: 0 })
        .collect();
    for value in sorted {
        let index = ((value / step).floor() - first).clamp(0.0, count - 1.0);
        if let Some(bin) = bins.get_mut(index as usize) {
            bin.count += 1;
        }
    }
    bins
}

fn width(sorted: &[f64], low: f64, high: f64, whole: bool) -> f64 {
    let largest = low.abs().max(high.abs());
    let range = high - low;
    // All equal, or so close that their edges would be the same number.
    if range <= largest * 1e-12 || range < 1e-290 {
        let one_by_one = whole && largest < 1e15;
        return round_step(if one_by_one || largest <= 1e-290 { 1.0 } else { largest / 100.0 }, whole);
    }
    let at = |share: f64| sorted.get(((sorted.len() - 1) as f64 * share).round() as usize).copied().unwrap_or(low);
    let count = sorted.len() as f64;
    let freedman = 2.0 * (at(0.75) - at(0.25)) / count.cbrt();
    let sturges = range / (count.log2().ceil() + 1.0);
    let wanted = if freedman > 0.0 { freedman } else { sturges };
    round_step(wanted.clamp(range / MOST_BINS, range / FEWEST_BINS), whole)
}

/// A sample of bounded size of any number of things: each has the same chance, and the same things always give the same sample.
pub(super) struct Sample<T> {
    most: usize,
    seen: u64,
    kept: BTreeMap<(u64, u64), T>,
}

impl<T> Sample<T> {
    pub(super) fn of(most: usize) -> Self {
        Self { most, seen: 0, kept: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, thing: T) {
        // Not every so many-th: data often have a rhythm of their own (weeks, shops in turn).
        self.kept.insert((scramble(self.seen), self.seen), thing);
        self.seen += 1;
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }

    /// At most `most` of the things that were kept, in the order they came in.
    pub(super) fn take(self, most: usize) -> Vec<T> {
        let mut kept: Vec<(u64, T)> = self.kept.into_iter().take(most).map(|((_, place), thing)| (place, thing)).collect();
        kept.sort_by_key(|(place, _)| *place);
        kept.into_iter().map(|(_, thing)| thing).collect()
    }
}

// The finishing steps of SplitMix64: neighbouring numbers get unrelated ones.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: &[f64]) -> Vec<(f64, f64, u64)> {
        bins(values).into_iter().map(|bin| (bin.from, bin.to, bin.count)).collect()
    }

    #[test]
    fn bins_are_round_and_count_every_value_once() {
        assert_eq!(counted(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0]), [(1.0, 2.0, 1), (2.0, 3.0, 2), (3.0, 4.0, 3)]);
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        let found = counted(&hundred);
        assert_eq!(found, [(0.0, 20.0, 20), (20.0, 40.0, 20), (40.0, 60.0, 20), (60.0, 80.0, 20), (80.0, 100.0, 21)]);
        let skewed: Vec<f64> = (1..500).map(|n| 1.0 / f64::from(n)).collect();
        let found = counted(&skewed);
        assert!((5..=40).contains(&found.len()), "{found:?}");
        assert_eq!(found.iter().map(|(_, _, count)| count).sum::<u64>(), 499);
    }

    #[test]
    fn degenerate_values_have_bins() {
        assert_eq!(counted(&[]), []);
        assert_eq!(counted(&[f64::NAN, f64::INFINITY]), []);
        assert_eq!(counted(&[7.0; 4]), [(7.0, 8.0, 4)]);
        assert_eq!(counted(&[0.0]), [(0.0, 1.0, 1)]);
        for values in [[1e300, -1e300, 5.0], [1e-300, 2e-300, 5e-324], [1e15, 1e15 + 0.125, 1e15], [-5.0, -5.0, -4.0], [0.1, 0.1, f64::MAX]]
        {
            let found = bins(&values);
            assert_eq!(found.iter().map(|bin| bin.count).sum::<u64>(), 3, "{values:?}: {found:?}");
            assert!(found.len() <= 90 && found.iter().all(|bin| bin.from < bin.to && bin.to.is_finite()), "{values:?}: {found:?}");
        }
    }

    #[test]
    fn samples_are_bounded_fair_and_always_the_same() {
        let take = || -> Vec<u32> {
            let mut sample = Sample::of(100);
            (0..10_000_u32).for_each(|thing| sample.add(thing));
            sample.take(100)
        };
        let kept = take();
        assert_eq!((kept.len(), &kept), (100, &take()));
        assert!(kept.is_sorted());
        let (early, sevenths) = (kept.iter().filter(|n| **n < 5_000).count(), kept.iter().filter(|n| **n % 7 == 0).count());
        assert!((30..=70).contains(&early) && (5..=30).contains(&sevenths), "{early} in the first half, {sevenths} sevenths");
    }
}
