//! How often each value of a column occurs.

use std::cmp::Ordering;

/// So many frequent values are told.
const MAX_TOP: usize = 10;

/// The values that are there, in the order of the rows.
pub(crate) fn present<'a, T: Copy>(values: &'a [T], present: &'a [bool]) -> impl Iterator<Item = T> + 'a {
    values.iter().zip(present).filter(|(_, present)| **present).map(|(value, _)| *value)
}

/// What was counted.
#[derive(Debug, PartialEq)]
pub(super) struct Tally<T> {
    /// Different values.
    pub(super) distinct: u64,
    /// The most frequent ones, most frequent first, equal ones by their value; none where every value differs.
    pub(super) top: Vec<(T, u64)>,
}

/// Counts sorted values. `order` is that of people, for values that occur equally often.
pub(super) fn tally<T: Copy + PartialEq>(sorted: &[T], order: impl Fn(T, T) -> Ordering) -> Tally<T> {
    let distinct = sorted.chunk_by(|a, b| a == b).count();
    if distinct == sorted.len() {
        return Tally { distinct: distinct as u64, top: Vec::new() };
    }
    Tally { distinct: distinct as u64, top: most_frequent(sorted, MAX_TOP, order) }
}

/// The most frequent of sorted values, most frequent first, equal ones in `order`.
pub(crate) fn most_frequent<T: Copy + PartialEq>(sorted: &[T], most: usize, order: impl Fn(T, T) -> Ordering) -> Vec<(T, u64)> {
    let mut top: Vec<(T, u64)> = Vec::with_capacity(most + 1);
    for run in sorted.chunk_by(|a, b| a == b) {
        let Some(&value) = run.first() else { continue };
        let count = run.len() as u64;
        if top.len() == most && top.last().is_some_and(|last| last.1 > count) {
            continue;
        }
        let place = top.partition_point(|(other, times)| *times > count || (*times == count && order(*other, value) == Ordering::Less));
        if place < most {
            top.insert(place, (value, count));
            top.truncate(most);
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_come_first_and_ties_by_value() {
        let found = tally(&[1, 2, 2, 3, 3, 4, 5, 5, 5], |a: i64, b| a.cmp(&b));
        assert_eq!(found, Tally { distinct: 5, top: vec![(5, 3), (2, 2), (3, 2), (1, 1), (4, 1)] });
        let many: Vec<i64> = (0..30).flat_map(|value| [value, value]).collect();
        let found = tally(&many, |a, b| b.cmp(&a));
        assert_eq!(found.top, (20..30).rev().map(|value| (value, 2)).collect::<Vec<_>>());
    }

    #[test]
    fn where_every_value_differs_none_is_frequent() {
        assert_eq!(tally(&[1, 2, 3], |a: i64, b| a.cmp(&b)), Tally { distinct: 3, top: Vec::new() });
        assert_eq!(tally(&[], |a: i64, b| a.cmp(&b)), Tally { distinct: 0, top: Vec::new() });
    }

    #[test]
    fn values_that_are_not_there_are_not_counted() {
        assert_eq!(present(&[7, 8, 9], &[true, false, true]).collect::<Vec<_>>(), [7, 9]);
    }
}
