//! From the sampled values of a column to its profile, and to the list of choices that it may be.

use std::collections::HashMap;

use datagenie_common::model::schemas::{ColumnProfile, PROFILE_CHARS, PROFILE_FREQUENT, ValueCount};

use super::{number::Number, shape};

/// A column with more values than this is not a list of choices.
const CHOICES: usize = 50;
/// A column with a value longer than this many characters is not a list of choices.
const CHOICE_CHARS: usize = 60;
/// As many of a hundred values must be numbers for the least and the greatest to be ones.
const NUMBERS: u64 = 95;

/// What a sample says of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Described {
    pub(super) profile: ColumnProfile,
    /// Its values, where it is a list of choices.
    pub(super) values: Vec<String>,
}

/// Describes a column by its sampled values; none is NULL. `textual`: whether it may be a list of choices.
pub(super) fn describe<'a>(sampled: impl Iterator<Item = Option<&'a str>>, textual: bool) -> Described {
    let (mut rows, mut nulls) = (0, 0);
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for value in sampled {
        rows += 1;
        match value {
            Some(value) => *counts.entry(value).or_default() += 1,
            None => nulls += 1,
        }
    }
    // In one order, so that the same sample makes the same profile.
    let mut counted: Vec<(&str, u64)> = counts.into_iter().collect();
    counted.sort_unstable();
    let (min, max) = ends(&counted).map_or((None, None), |(min, max)| (Some(kept(min)), Some(kept(max))));
    // An empty text says as little of the others as NULL does.
    let filled: Vec<(&str, u64)> = counted.iter().copied().filter(|(value, _)| !value.trim().is_empty()).collect();
    let profile =
        ColumnProfile { rows, nulls, distinct: counted.len() as u64, min, max, frequent: frequent(&counted), shape: shape::of(&filled) };
    let values = if textual { choices(&counted) } else { Vec::new() };
    Described { profile, values }
}

/// The least and the greatest value: as numbers where nearly all are ones, else as texts.
fn ends<'a>(sorted: &[(&'a str, u64)]) -> Option<(&'a str, &'a str)> {
    let numbers: Vec<(Number, &str, u64)> =
        sorted.iter().filter_map(|(value, count)| Some((Number::parse(value)?, *value, *count))).collect();
    let total: u64 = sorted.iter().map(|(_, count)| count).sum();
    let numeric: u64 = numbers.iter().map(|(_, _, count)| count).sum();
    if numeric > 0 && numeric * 100 >= total * NUMBERS {
        let least = numbers.iter().min_by(|(a, ..), (b, ..)| a.cmp(b))?;
        let greatest = numbers.iter().max_by(|(a, ..), (b, ..)| a.cmp(b))?;
        return Some((least.1, greatest.1));
    }
    Some((sorted.first()?.0, sorted.last()?.0))
}

fn frequent(counted: &[(&str, u64)]) -> Vec<ValueCount> {
    let mut often: Vec<&(&str, u64)> = counted.iter().filter(|(_, count)| *count > 1).collect();
    // Stable: values that occur as often stay in their own order.
    often.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    often.into_iter().take(PROFILE_FREQUENT).map(|(value, count)| ValueCount { value: kept(value), count: *count }).collect()
}

/// The different values, sorted, if they are a list of choices: few, short, and not blank.
fn choices(sorted: &[(&str, u64)]) -> Vec<String> {
    let too_long = |value: &str| value.chars().nth(CHOICE_CHARS).is_some();
    if sorted.len() > CHOICES || sorted.iter().any(|(value, _)| too_long(value)) {
        return Vec::new();
    }
    sorted.iter().filter(|(value, _)| !value.trim().is_empty()).map(|(value, _)| kept(value)).collect()
}

/// A value as it is kept: not too long, and with U+FFFD for U+0000, which PostgreSQL, where catalogues are kept, does not store.
fn kept(value: &str) -> String {
    value.chars().take(PROFILE_CHARS).map(|c| if c == '\0' { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use datagenie_common::model::schemas::Shape;

    use super::*;

    fn describe_all(values: &[&str], textual: bool) -> Described {
        describe(values.iter().map(|value| (*value != "NULL").then_some(*value)), textual)
    }

    fn ends_of(values: &[&str]) -> (Option<String>, Option<String>) {
        let profile = describe_all(values, false).profile;
        (profile.min, profile.max)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn rows_nulls_and_different_values_are_counted() {
        let profile = describe_all(&["b", "a", "NULL", "b", "NULL", "c", "a", "b"], true).profile;
        assert_eq!((profile.rows, profile.nulls, profile.distinct), (8, 2, 3));
        let frequent: Vec<(&str, u64)> = profile.frequent.iter().map(|one| (one.value.as_str(), one.count)).collect();
        assert_eq!(frequent, [("b", 3), ("a", 2)], "what occurs once is not frequent");
        assert_eq!((profile.min, profile.max, profile.shape), (some("a"), some("c"), None));
        assert_eq!(describe_all(&[], true), Described::default());
        assert_eq!(describe_all(&["NULL"], true).profile.min, None);
    }

    #[test]
    fn the_five_most_frequent_values_come_first_and_in_one_order() {
        let many: Vec<&str> = ["d", "c", "b", "a", "f", "e"].repeat(2);
        let profile = describe_all(&many, true).profile;
        let frequent: Vec<&str> = profile.frequent.iter().map(|one| one.value.as_str()).collect();
        assert_eq!(frequent, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn numbers_compare_as_numbers_and_texts_as_texts() {
        assert_eq!(ends_of(&["9", "10", "-3", "2.5"]), (some("-3"), some("10")));
        let huge = "123456789012345678901234567890123456789.5";
        assert_eq!(ends_of(&[huge, "99999999999999999999", "1e3"]), (some("1e3"), some(huge)));
        assert_eq!(ends_of(&["9", "10", "ten"]), (some("10"), some("ten")));
        assert_eq!(ends_of(&["2024-03-05", "2023-12-31", "2024-01-01"]), (some("2023-12-31"), some("2024-03-05")));
        let mut measured = vec!["1"; 97];
        measured.extend(["20", "NaN", "Infinity"]);
        assert_eq!(ends_of(&measured), (some("1"), some("20")), "what is no number is left out of numbers");
    }

    #[test]
    fn only_short_lists_of_short_values_are_choices() {
        let words = |count: usize| (0..count).map(|n| format!("v{n:03}")).collect::<Vec<_>>();
        let values = |words: &[String], textual: bool| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            describe_all(&words, textual).values
        };
        assert_eq!(values(&words(50), true).len(), 50);
        assert_eq!(values(&words(51), true), Vec::<String>::new());
        assert_eq!(values(&words(3), false), Vec::<String>::new(), "numbers and dates are no choices");
        assert_eq!(values(&["서울".repeat(30), "부산".to_owned()], true).len(), 2);
        assert_eq!(values(&["서울".repeat(31)], true), Vec::<String>::new());
        assert_eq!(describe_all(&["b", " ", "a", "b", "NULL", ""], true).values, ["a", "b"]);
    }

    #[test]
    fn what_is_kept_is_cut_and_can_be_stored() {
        let long = "가".repeat(150);
        let profile = describe_all(&[&long, &long, "a\0b"], true).profile;
        assert_eq!(profile.max.map(|max| max.chars().count()), Some(PROFILE_CHARS));
        assert_eq!(profile.frequent[0].value.chars().count(), PROFILE_CHARS);
        assert_eq!(profile.min, some("a\u{FFFD}b"));
        assert_eq!(describe_all(&["a\0b"], true).values, ["a\u{FFFD}b"]);
    }

    #[test]
    fn empty_texts_hide_no_shape() {
        let mut values = vec![""; 5];
        values.extend(["a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com"]);
        let profile = describe_all(&values, true).profile;
        assert_eq!((profile.shape, profile.distinct), (Some(Shape::Email), 6));
    }
}
