//! Charts of bare numbers: pairs of two measures, and the distribution of one.

use super::{
    Draft,
    asked::Asked,
    collect::{column_name, unit_of},
    columns::{Roles, cell, distinct},
};
use crate::{
    charts::{
        CategoryAxis, ChartType, MAX_SERIES, Series, labels,
        make::{self, Pair},
        spread,
    },
    model::{
        language::Language,
        results::{ResultView, Row, number},
    },
};

/// Fewer pairs are no cloud.
const FEWEST_PAIRS: usize = 3;
/// So many pairs of two measures and nothing else are a cloud without being asked for.
const CLOUD: usize = 12;
/// Fewer values of named things are compared as bars, whatever their form is called.
const FEWEST_NAMED_VALUES: usize = 30;

/// The chart of pairs or of a distribution, if the columns hold that and it is asked for, or nothing else would show them.
pub(super) fn of(view: &ResultView<'_>, roles: &Roles, asked: Asked, language: Language) -> Option<Draft> {
    let bare = roles.categories.is_empty() && roles.time.is_none();
    let rows = view.rows.len();
    match roles.measures.as_slice() {
        [only] => {
            let named = roles.categories.iter().any(|index| distinct(view, *index) == rows) || !roles.ids.is_empty();
            let by_name = asked.histogram && (bare || (named && rows >= FEWEST_NAMED_VALUES));
            (by_name || (asked.distribution && bare)).then(|| distribution(view, *only, language))?
        }
        [x, y] if asked.relation || (bare && rows >= CLOUD && !asked.histogram && !asked.distribution) => {
            pairs(view, roles, (*x, *y), language)
        }
        [x, y, ..] if asked.scatter => pairs(view, roles, (*x, *y), language),
        _ => None,
    }
}

fn distribution(view: &ResultView<'_>, measure: usize, language: Language) -> Option<Draft> {
    let values: Vec<f64> = view.rows.iter().filter_map(|row| number(cell(row, measure))).collect();
    if values.is_empty() {
        return None;
    }
    let x = CategoryAxis::numbers(column_name(view, measure, language), unit_of(view, measure));
    let name = labels::count(language).to_owned();
    let points = make::distribution(&x, spread::bins(&values));
    let series = Series { name: name.clone(), points, ..Series::default() };
    Some(Draft { unvalued: view.rows.len() - values.len(), ..Draft::new(ChartType::Histogram, x, name, vec![series]) })
}

// Each pair carries the name of its row, where rows have names, or its group's, where there are few groups.
fn pairs(view: &ResultView<'_>, roles: &Roles, (across, up): (usize, usize), language: Language) -> Option<Draft> {
    let rows = view.rows.len();
    let names = roles.categories.iter().copied().find(|index| distinct(view, *index) == rows);
    let groups = roles.categories.iter().copied().find(|index| names.is_none() && (2..=MAX_SERIES).contains(&distinct(view, *index)));
    let label = |place: usize, row: &Row| match (names.or(groups), &roles.time) {
        (Some(index), _) => labels::of_cell(cell(row, index), language),
        (None, Some(time)) => time.ticks.get(place).and_then(Option::as_ref).map(|tick| tick.label.clone()).unwrap_or_default(),
        (None, None) => String::new(),
    };
    let found = view.rows.iter().enumerate().filter_map(|(place, row)| {
        let (x, y) = number(cell(row, across)).zip(number(cell(row, up)))?;
        Some(Pair { x, y, label: label(place, row), outlier: false })
    });
    let (points, seen) = make::sampled(found);
    if points.len() < FEWEST_PAIRS {
        return None;
    }
    let sampled_from = ((points.len() as u64) < seen).then_some(seen);
    let unvalued = rows - usize::try_from(seen).unwrap_or(rows);
    let unit = unit_of(view, up);
    let name = column_name(view, up, language);
    let mut series: Vec<Series> = Vec::new();
    for mut point in points {
        let group = if groups.is_some() { std::mem::take(&mut point.label) } else { name.clone() };
        match series.iter_mut().find(|series| series.name == group) {
            Some(series) => series.points.push(point),
            None => series.push(Series { name: group, unit, points: vec![point] }),
        }
    }
    let x = CategoryAxis::numbers(column_name(view, across, language), unit_of(view, across));
    let series_title = groups.map(|index| column_name(view, index, language)).unwrap_or_default();
    Some(Draft { series_title, unvalued, sampled_from, ..Draft::new(ChartType::Scatter, x, name, series) })
}
