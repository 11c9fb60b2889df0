//! A measure by category and over time.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{numbers::Sum, roles::Measure, steps::Step, values::midnight};
use crate::{
    tables::{Table, TypedColumn, Values},
    texts::Texts,
    times::MICROS_PER_DAY,
};

/// Points in time of one axis; of more a coarser step is taken.
const MOST_POINTS: i64 = 62;
/// Most hours that are told one by one.
const MOST_HOURS: i64 = 48;
const MICROS_PER_HOUR: i64 = MICROS_PER_DAY / 24;

/// What lies in one group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    /// Rows.
    pub(super) rows: u64,
    /// Rows with a number.
    pub(super) count: u64,
    sum: Sum,
}

impl Group {
    fn add(&mut self, number: Option<f64>) {
        self.rows += 1;
        if let Some(number) = number {
            self.count += 1;
            self.sum.add(number);
        }
    }

    /// The sum of a measure that can be added, else the mean; without a measure the rows. None: there is no number, or it is beyond a float.
    pub(super) fn value(&self, measure: Option<&Measure>) -> Option<f64> {
        let value = match measure {
            None => return Some(self.rows as f64),
            Some(_) if self.count == 0 => return None,
            Some(measure) if measure.additive => self.sum.value(),
            Some(_) => self.sum.value() / self.count as f64,
        };
        value.is_finite().then(|| tidy(value))
    }
}

/// A computed number to 15 digits: the others are what rounding left.
pub(super) fn tidy(number: f64) -> f64 {
    format!("{number:.14e}").parse().unwrap_or(number)
}

/// Whether every group is one row, so that counting them says nothing.
pub(super) fn are_single<'a>(mut groups: impl Iterator<Item = &'a Group>) -> bool {
    groups.all(|group| group.rows == 1)
}

/// The groups of a time axis, in its order; periods without rows are not among them.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) step: Step,
    pub(super) points: Vec<(i64, Group)>,
    /// The earliest and the latest moment, in microseconds; none where the axis is of years as numbers.
    pub(super) ends: Option<(i64, i64)>,
    /// Whether all rows of a period have the same moment: figures by period, not what happened during it.
    pub(super) by_period: bool,
}

/// The number of a measure in a row.
fn numbers<'a>(table: &'a Table, measure: Option<&Measure>) -> impl Fn(usize) -> Option<f64> + 'a {
    let column = measure.and_then(|measure| table.columns.get(measure.column));
    move |row| number(column?, row)
}

/// The number in a row of a column of numbers.
pub(super) fn number(column: &TypedColumn, row: usize) -> Option<f64> {
    if column.present.get(row) != Some(&true) {
        return None;
    }
    match &column.values {
        Values::Integers(numbers) => numbers.get(row).map(|number| *number as f64),
        Values::Numbers(numbers) => numbers.get(row).copied(),
        Values::Texts(_) | Values::Booleans(_) | Values::Days(_) | Values::Micros(_) | Values::None => None,
    }
}

/// Groups by the values of a column of texts or truth values; the largest first, those that are the same by name. None is the group of
/// rows without a value.
pub(super) fn by_category(table: &Table, texts: &Texts, category: usize, measure: Option<&Measure>) -> Vec<(Option<String>, Group)> {
    let Some(column) = table.columns.get(category) else { return Vec::new() };
    let number = numbers(table, measure);
    let mut groups: HashMap<Option<u32>, Group> = HashMap::new();
    for (row, present) in column.present.iter().enumerate() {
        let key = if *present { key(column, row) } else { None };
        groups.entry(key).or_default().add(number(row));
    }
    let name = |key: u32| match &column.values {
        Values::Booleans(_) => (key != 0).to_string(),
        _ => texts.get(crate::texts::TextId(key)).to_owned(),
    };
    let mut named: Vec<(Option<String>, Group)> = groups.into_iter().map(|(key, group)| (key.map(name), group)).collect();
    let size = |group: &Group| group.value(measure).unwrap_or(f64::NEG_INFINITY);
    named.sort_by(|a, b| size(&b.1).total_cmp(&size(&a.1)).then_with(|| a.0.cmp(&b.0)));
    named
}

fn key(column: &TypedColumn, row: usize) -> Option<u32> {
    match &column.values {
        Values::Texts(ids) => ids.get(row).map(|id| id.0),
        Values::Booleans(values) => values.get(row).map(|value| u32::from(*value)),
        Values::Integers(_) | Values::Numbers(_) | Values::Days(_) | Values::Micros(_) | Values::None => None,
    }
}

/// Groups over time, as finely as an axis has room for. None: the column has no time.
pub(super) fn over_time(table: &Table, time: usize, measure: Option<&Measure>) -> Option<Course> {
    let column = table.columns.get(time)?;
    let number = numbers(table, measure);
    let there = || column.present.iter().enumerate().filter(|(_, present)| **present).map(|(row, _)| row);
    if let Values::Integers(years) = &column.values {
        // The index of a step of a year is the year.
        let mut points: BTreeMap<i64, Group> = BTreeMap::new();
        there().for_each(|row| points.entry(years.get(row).copied().unwrap_or_default()).or_default().add(number(row)));
        return Some(Course { step: Step::YEAR, points: points.into_iter().collect(), ends: None, by_period: true });
    }
    let moment = |row: usize| match &column.values {
        Values::Days(days) => days.get(row).map(|day| midnight(*day)),
        Values::Micros(micros) => micros.get(row).copied(),
        Values::Integers(_) | Values::Numbers(_) | Values::Texts(_) | Values::Booleans(_) | Values::None => None,
    };
    let mut moments = there().filter_map(moment);
    let first = moments.next()?;
    let (min, max) = moments.fold((first, first), |(min, max), moment| (min.min(moment), max.max(moment)));
    let step = step(min, max, matches!(column.values, Values::Days(_)));
    let mut points: BTreeMap<i64, (Group, i64)> = BTreeMap::new();
    let mut by_period = true;
    for row in there() {
        let Some(moment) = moment(row) else { continue };
        let (group, first) = points.entry(step.index(moment)).or_insert_with(|| (Group::default(), moment));
        group.add(number(row));
        by_period &= *first == moment;
    }
    let points = points.into_iter().map(|(index, (group, _))| (index, group)).collect();
    Some(Course { step, points, ends: Some((min, max)), by_period })
}

// Weeks have no names that people use, so months follow days.
fn step(min: i64, max: i64, are_days: bool) -> Step {
    let hours = Step::Micros(MICROS_PER_HOUR);
    if !are_days && hours.index(max) - hours.index(min) < MOST_HOURS {
        return hours;
    }
    let steps = [Step::DAY, Step::Months(1), Step::Months(3)];
    steps.into_iter().find(|step| step.index(max) - step.index(min) < MOST_POINTS).unwrap_or(Step::YEAR)
}
