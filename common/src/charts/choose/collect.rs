//! Points and series from rows.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    Draft, MAX_BARS,
    columns::{Roles, TimeAxis, cell, distinct},
};
use crate::charts::{CategoryAxis, ChartType, MAX_POINTS, MAX_SERIES, Point, Series, Unit, format, labels, units};
use crate::model::{
    language::Language,
    results::{ResultView, Row, number},
};

/// Measures that share an axis in one row: the largest at most this many times the smallest.
const COMPARABLE: f64 = 1000.0;
/// So many of too many categories are drawn.
const LARGEST_BARS: usize = 30;

/// The only cell, if it is a number.
pub(super) fn single_cell(view: &ResultView<'_>, language: Language) -> Option<Draft> {
    match (view.columns, view.rows) {
        ([_], [row]) if view.row_count <= 1 => {
            number(cell(row, 0))?;
            Some(big_number(view, row, 0, Vec::new(), language))
        }
        _ => None,
    }
}

/// One row: its number in large type, or bars of its numbers where they can be compared.
pub(super) fn one_row(view: &ResultView<'_>, roles: &Roles, language: Language) -> Option<Draft> {
    let row = view.rows.first()?;
    let time = roles.time.iter().filter_map(|time| time.ticks.first()?.as_ref()).map(|tick| tick.label.clone());
    let categories = roles.categories.iter().map(|index| labels::of_cell(cell(row, *index), language));
    let context: Vec<String> = time.chain(categories).collect();
    if let [measure] = roles.measures.as_slice() {
        return Some(big_number(view, row, *measure, context, language));
    }
    let unit = |index: &usize| unit_of(view, *index);
    let first = unit(roles.measures.first()?);
    let sizes: Vec<f64> = roles.measures.iter().filter_map(|index| number(cell(row, *index))).map(f64::abs).collect();
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let smallest = sizes.iter().copied().filter(|size| *size > 0.0).fold(f64::INFINITY, f64::min);
    if !roles.measures.iter().all(|index| unit(index) == first) || largest / smallest > COMPARABLE {
        return None;
    }
    let names = told_apart(roles.measures.iter().map(|index| column_name(view, *index, language)).collect());
    let points = names.into_iter().zip(&roles.measures).map(|(name, index)| point(name, None, row, *index)).collect();
    let series = vec![Series { name: String::new(), unit: first, points }];
    Some(Draft::new(ChartType::Bar, CategoryAxis::categories(context.join(" · ")), String::new(), series))
}

fn big_number(view: &ResultView<'_>, row: &[Value], measure: usize, context: Vec<String>, language: Language) -> Draft {
    let name = column_name(view, measure, language);
    let label = context.iter().map(String::as_str).chain([name.as_str()]).collect::<Vec<_>>().join(" · ");
    let series = Series { name: name.clone(), unit: unit_of(view, measure), points: vec![point(label, None, row, measure)] };
    Draft::new(ChartType::Number, CategoryAxis::default(), name, vec![series])
}

/// A bar for each row, several if there are several measures.
pub(super) fn by_category(view: &ResultView<'_>, category: usize, measures: &[usize], language: Language) -> Option<Draft> {
    // A category of which most rows are repetitions was not grouped by: bars of single rows would mislead.
    if distinct(view, category) * 2 < view.rows.len() {
        return None;
    }
    let names = told_apart(view.rows.iter().map(|row| labels::of_cell(cell(row, category), language)).collect());
    let title = column_name(view, category, language);
    match measures {
        [measure] if names.len() > MAX_POINTS && view.complete && !view.truncated => {
            Some(largest_bars(view, title, names, *measure, language))
        }
        _ => bars(view, title, names, measures, language),
    }
}

// Of more categories than there is room for, the largest, in their order of size. Only of a whole result: of a part nobody knows them.
fn largest_bars(view: &ResultView<'_>, title: String, names: Vec<String>, measure: usize, language: Language) -> Draft {
    let all = names.len();
    let mut points: Vec<Point> = view.rows.iter().zip(names).map(|(row, name)| point(name, None, row, measure)).collect();
    let size = |point: &Point| point.value.unwrap_or(f64::NEG_INFINITY);
    points.sort_by(|a, b| size(b).total_cmp(&size(a)));
    points.truncate(LARGEST_BARS);
    let name = column_name(view, measure, language);
    let series = vec![Series { name: name.clone(), unit: unit_of(view, measure), points }];
    Draft { largest_of: Some(all), ..Draft::new(ChartType::Bar, CategoryAxis::categories(title), name, series) }
}

/// A bar for each row of one time and one category ("the best product of each month"), in time order.
pub(super) fn dated_categories(
    view: &ResultView<'_>,
    time: &TimeAxis,
    category: usize,
    measures: &[usize],
    language: Language,
) -> Option<Draft> {
    let names = view.rows.iter().zip(&time.ticks).map(|(row, tick)| {
        let name = labels::of_cell(cell(row, category), language);
        tick.as_ref().map_or(name.clone(), |tick| format!("{} · {name}", tick.label))
    });
    let mut draft = bars(view, time.title.clone(), told_apart(names.collect()), measures, language)?;
    let mut order: Vec<usize> = (0..view.rows.len()).collect();
    let place = |index: &usize| time.ticks.get(*index).and_then(Option::as_ref).map_or(f64::INFINITY, |tick| tick.at);
    order.sort_by(|a, b| place(a).total_cmp(&place(b)));
    for series in &mut draft.series {
        series.points = order.iter().filter_map(|index| series.points.get(*index).cloned()).collect();
    }
    Some(draft)
}

fn bars(view: &ResultView<'_>, title: String, names: Vec<String>, measures: &[usize], language: Language) -> Option<Draft> {
    let places = view.row_count.max(names.len() as u64);
    if places > MAX_POINTS as u64 || names.len() * measures.len() > MAX_BARS {
        return None;
    }
    let series: Vec<Series> = measures
        .iter()
        .map(|measure| Series {
            name: column_name(view, *measure, language),
            unit: unit_of(view, *measure),
            points: view.rows.iter().zip(&names).map(|(row, name)| point(name.clone(), None, row, *measure)).collect(),
        })
        .collect();
    let kind = if series.len() > 1 { ChartType::GroupedBar } else { ChartType::Bar };
    Some(Draft { row_is_place: true, ..Draft::new(kind, CategoryAxis::categories(title), shared_title(&series), series) })
}

/// Groups of bars: the category of fewer members becomes the series.
pub(super) fn pivot(view: &ResultView<'_>, first: usize, second: usize, measure: usize, language: Language) -> Option<Draft> {
    let (firsts, seconds) = (distinct(view, first), distinct(view, second));
    let (places, groups) = match (firsts, seconds) {
        (_, few) if few <= MAX_SERIES => (first, second),
        (few, _) if few <= MAX_SERIES => (second, first),
        _ => return None,
    };
    if firsts.max(seconds) > MAX_POINTS || firsts * seconds > MAX_BARS {
        return None;
    }
    let label = |row: &Row, index: usize| labels::of_cell(cell(row, index), language);
    let mut axis = Order::default();
    let mut names = Order::default();
    let mut cells: HashMap<(usize, usize), &Row> = HashMap::new();
    for row in view.rows {
        let key = (names.place(label(row, groups)), axis.place(label(row, places)));
        // Two rows of one bar: the result was not grouped by these two.
        if cells.insert(key, row).is_some() {
            return None;
        }
    }
    let unit = unit_of(view, measure);
    let gap = |name: &String| Point { label: name.clone(), ..Point::default() };
    let series = names.found.iter().enumerate().map(|(group, name)| {
        let points =
            axis.found.iter().enumerate().map(|(place, label)| {
                cells.get(&(group, place)).map_or_else(|| gap(label), |row| point(label.clone(), None, row, measure))
            });
        Series { name: name.clone(), unit, points: points.collect() }
    });
    let x = CategoryAxis::categories(column_name(view, places, language));
    let draft = Draft::new(ChartType::GroupedBar, x, column_name(view, measure, language), series.collect());
    Some(Draft { series_title: column_name(view, groups, language), ..draft })
}

/// A line for each measure.
pub(super) fn line(view: &ResultView<'_>, time: &TimeAxis, measures: &[usize], language: Language) -> Option<Draft> {
    let series: Vec<Series> = measures
        .iter()
        .map(|measure| {
            let dated = view.rows.iter().zip(&time.ticks).filter_map(|(row, tick)| {
                let tick = tick.as_ref()?;
                Some(point(tick.label.clone(), Some(tick.at), row, *measure))
            });
            Series { name: column_name(view, *measure, language), unit: unit_of(view, *measure), points: in_time_order(dated.collect()) }
        })
        .collect();
    lines_of(time, shared_title(&series), String::new(), series, true)
}

/// A line for each member of the category.
pub(super) fn lines(view: &ResultView<'_>, time: &TimeAxis, category: usize, measure: usize, language: Language) -> Option<Draft> {
    let mut names = Order::default();
    let mut points: Vec<Vec<Point>> = Vec::new();
    for (row, tick) in view.rows.iter().zip(&time.ticks) {
        let Some(tick) = tick else { continue };
        let place = names.place(labels::of_cell(cell(row, category), language));
        points.resize_with(points.len().max(place + 1), Vec::new);
        if let Some(points) = points.get_mut(place) {
            points.push(point(tick.label.clone(), Some(tick.at), row, measure));
        }
    }
    let unit = unit_of(view, measure);
    let series = names.found.into_iter().zip(points).map(|(name, points)| Series { name, unit, points: in_time_order(points) });
    let (y_title, series_title) = (column_name(view, measure, language), column_name(view, category, language));
    lines_of(time, y_title, series_title, series.collect(), false)
}

fn lines_of(time: &TimeAxis, y_title: String, series_title: String, series: Vec<Series>, row_is_place: bool) -> Option<Draft> {
    let undated = time.ticks.iter().filter(|tick| tick.is_none()).count();
    if undated == time.ticks.len() || series.iter().all(|series| series.points.iter().all(|point| point.value.is_none())) {
        return None;
    }
    let x = CategoryAxis::times(time.title.clone(), time.grain);
    Some(Draft { series_title, undated, row_is_place, ..Draft::new(ChartType::Line, x, y_title, series) })
}

fn in_time_order(mut points: Vec<Point>) -> Vec<Point> {
    let place = |point: &Point| point.at.unwrap_or(f64::INFINITY);
    points.sort_by(|a, b| place(a).total_cmp(&place(b)));
    points
}

fn point(label: String, at: Option<f64>, row: &[Value], measure: usize) -> Point {
    let value = cell(row, measure);
    let found = number(value);
    Point { label, at, value: found, exact: found.and_then(|_| format::exact_digits(value)), ..Point::default() }
}

/// A column's name as a title.
pub(super) fn column_name(view: &ResultView<'_>, index: usize, language: Language) -> String {
    labels::of_column(view.columns.get(index).map_or("", |column| column.name.as_str()), language)
}

/// The unit of a column's numbers.
pub(super) fn unit_of(view: &ResultView<'_>, index: usize) -> Unit {
    let name = view.columns.get(index).map_or("", |column| column.name.as_str());
    units::of(name, view.rows.iter().filter_map(|row| number(cell(row, index))))
}

// The axis is titled by its only measure; several are told apart in the legend.
fn shared_title(series: &[Series]) -> String {
    match series {
        [only] => only.name.clone(),
        _ => String::new(),
    }
}

// Equal labels of different rows get a number, so that no chart adds them up.
fn told_apart(names: Vec<String>) -> Vec<String> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut times: HashMap<String, usize> = HashMap::new();
    names
        .into_iter()
        .map(|name| {
            let mut told = name.clone();
            while !seen.insert(told.clone()) {
                let count = times.entry(name.clone()).or_insert(1);
                *count += 1;
                told = format!("{name} ({count})");
            }
            told
        })
        .collect()
}

/// Different texts in the order of their first appearance.
#[derive(Default)]
struct Order {
    found: Vec<String>,
    places: HashMap<String, usize>,
}

impl Order {
    fn place(&mut self, text: String) -> usize {
        if let Some(place) = self.places.get(&text) {
            return *place;
        }
        let place = self.found.len();
        self.found.push(text.clone());
        self.places.insert(text, place);
        place
    }
}
