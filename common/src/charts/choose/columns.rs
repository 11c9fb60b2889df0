//! What each column of a result is to a chart: time, category, identifier or measure.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDateTime};
use serde_json::Value;

use crate::{
    charts::{
        Grain, labels,
        periods::{self, Cycle},
    },
    model::{
        language::Language,
        results::{ColumnKind, ResultView, number},
    },
};

static NULL: Value = Value::Null;

/// A place on the time axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

/// The time of every row.
#[derive(Debug)]
pub(super) struct TimeAxis {
    pub(super) title: String,
    pub(super) grain: Grain,
    /// One a row; none where the time is NULL or none that a calendar has.
    pub(super) ticks: Vec<Option<Tick>>,
}

/// The columns by what they are good for, as indices into the result's columns.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) time: Option<TimeAxis>,
    /// Whether there are more times than one axis can hold.
    pub(super) more_times: bool,
    pub(super) categories: Vec<usize>,
    pub(super) ids: Vec<usize>,
    pub(super) measures: Vec<usize>,
}

enum Reading {
    Moments(Vec<Option<NaiveDateTime>>, Option<Grain>),
    Counted(Cycle, Vec<Option<u32>>),
    Category,
    Id,
    Measure,
    Nothing,
}

/// A row's cell; rows shorter than the columns end in NULLs.
pub(super) fn cell(row: &[Value], index: usize) -> &Value {
    row.get(index).unwrap_or(&NULL)
}

/// How many different values a column holds.
pub(super) fn distinct(view: &ResultView<'_>, index: usize) -> usize {
    view.rows.iter().map(|row| cell(row, index).to_string()).collect::<HashSet<_>>().len()
}

impl Roles {
    /// Reads every column. What does not vary is left out where something else tells the rows apart.
    pub(super) fn of(view: &ResultView<'_>, language: Language) -> Self {
        let mut roles = Self::default();
        let mut moments = Vec::new();
        let mut counted = Vec::new();
        for (index, column) in view.columns.iter().enumerate() {
            match read(view, index) {
                Reading::Moments(cells, grain) => moments.push((column.name.as_str(), cells, grain)),
                Reading::Counted(cycle, cells) => counted.push((column.name.as_str(), cycle, cells)),
                Reading::Category => roles.categories.push(index),
                Reading::Id => roles.ids.push(index),
                Reading::Measure => roles.measures.push(index),
                Reading::Nothing => {}
            }
        }
        join_years(&mut moments, &mut counted);
        let mut times: Vec<TimeAxis> = moments.into_iter().map(|(name, cells, grain)| moment_axis(name, &cells, grain, language)).collect();
        times.extend(counted.into_iter().map(|(name, cycle, cells)| counted_axis(name, cycle, &cells, language)));
        roles.drop_constants(view, &mut times);
        roles.more_times = times.len() > 1;
        roles.time = times.into_iter().next();
        if roles.measures.is_empty() && roles.categories.is_empty() && roles.time.is_none() {
            roles.measures.extend(roles.ids.pop());
        }
        roles
    }

    fn drop_constants(&mut self, view: &ResultView<'_>, times: &mut Vec<TimeAxis>) {
        if view.rows.len() < 2 {
            return;
        }
        if times.len() + self.categories.len() + self.ids.len() > 1 {
            times.retain(|axis| axis.ticks.iter().any(|tick| Some(tick) != axis.ticks.first()));
        }
        if times.len() + self.categories.len() + self.ids.len() > 1 {
            self.categories.retain(|index| distinct(view, *index) > 1);
        }
    }
}

fn read(view: &ResultView<'_>, index: usize) -> Reading {
    let Some(column) = view.columns.get(index) else { return Reading::Nothing };
    let filled = || view.rows.iter().map(move |row| cell(row, index)).filter(|value| !value.is_null());
    if filled().next().is_none() {
        return Reading::Nothing;
    }
    match column.kind {
        ColumnKind::Date | ColumnKind::Timestamp => match moments(view, index) {
            Some((cells, _)) => Reading::Moments(cells, None),
            None => Reading::Category,
        },
        ColumnKind::Integer | ColumnKind::Number => match counted(view, index, &column.name) {
            Some(reading) => reading,
            None if is_id(&column.name) => Reading::Id,
            None if is_stretch(&column.name) => Reading::Category,
            None if filled().any(|value| number(value).is_some()) => Reading::Measure,
            None => Reading::Nothing,
        },
        ColumnKind::Text => match moments(view, index).filter(|(cells, _)| cells.iter().flatten().count() == filled().count()) {
            Some((cells, grain)) => Reading::Moments(cells, grain),
            None => match counted(view, index, &column.name) {
                Some(reading) => reading,
                None if is_id(&column.name) => Reading::Id,
                None => Reading::Category,
            },
        },
        ColumnKind::Boolean | ColumnKind::Time => Reading::Category,
        // Enumerations of PostgreSQL arrive here, and are good categories; documents and arrays are not.
        ColumnKind::Other if filled().all(|value| value.as_str().is_some_and(|text| !text.starts_with(['{', '[', '(']))) => {
            Reading::Category
        }
        ColumnKind::Binary | ColumnKind::Other => Reading::Nothing,
    }
}

// The column as moments, with the grain that all its texts have in common; none if no cell is one.
fn moments(view: &ResultView<'_>, index: usize) -> Option<(Vec<Option<NaiveDateTime>>, Option<Grain>)> {
    let parsed: Vec<_> = view.rows.iter().map(|row| cell(row, index).as_str().and_then(periods::parse)).collect();
    let first = parsed.iter().flatten().next()?.0;
    let common = parsed.iter().flatten().all(|(grain, _)| *grain == first);
    let told = matches!(first, Grain::Year | Grain::Quarter | Grain::Month);
    let grain = if common && told { Some(first) } else { None };
    Some((parsed.into_iter().map(|cell| cell.map(|(_, moment)| moment)).collect(), grain))
}

// The column as numbered periods, if its name says so and every number can be one.
fn counted(view: &ResultView<'_>, index: usize, name: &str) -> Option<Reading> {
    let cycle = periods::cycle(name)?;
    let mut cells = Vec::with_capacity(view.rows.len());
    for row in view.rows {
        let value = cell(row, index);
        cells.push(match number(value) {
            Some(found) if cycle.holds(found) => Some(found as u32),
            None if value.is_null() => None,
            _ => return None,
        });
    }
    Some(match cycle {
        Cycle::Weekday => Reading::Category,
        Cycle::Year => Reading::Moments(starts(&cells, periods::year_start), Some(Grain::Year)),
        Cycle::YearMonth => Reading::Moments(starts(&cells, |cell| periods::month_start(cell / 100, cell % 100)), Some(Grain::Month)),
        _ => Reading::Counted(cycle, cells),
    })
}

fn starts(cells: &[Option<u32>], start: impl Fn(u32) -> Option<NaiveDateTime>) -> Vec<Option<NaiveDateTime>> {
    cells.iter().map(|cell| cell.and_then(&start)).collect()
}

// Names of identifiers and of ordinals (`rank`, `순위`), which tell rows apart and measure nothing.
fn is_id(name: &str) -> bool {
    let trimmed = name.trim();
    let lower = trimmed.to_lowercase();
    let exact = ["id", "uuid", "no", "rank", "ranking", "row_number", "rownum", "rn", "순위", "번호", "아이디", "순번"];
    let ends = ["_id", "_uuid", "_no", "_code", "_rank", "번호", "코드", "순위", "아이디"];
    let camel = trimmed.len() > 2 && trimmed.ends_with("Id");
    exact.contains(&lower.as_str()) || ends.iter().any(|end| lower.ends_with(end)) || camel
}

// Names of numbers that stand for a stretch of values: the statement counted a histogram itself.
fn is_stretch(name: &str) -> bool {
    let lower = name.trim().to_lowercase();
    lower.ends_with("구간") || lower.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "bin" | "bucket" | "bins" | "buckets"))
}

type Moments<'a> = (&'a str, Vec<Option<NaiveDateTime>>, Option<Grain>);
type Counted<'a> = (&'a str, Cycle, Vec<Option<u32>>);

// A column of years beside one of months or quarters is one axis of months or quarters.
fn join_years(moments: &mut Vec<Moments<'_>>, counted: &mut Vec<Counted<'_>>) {
    let fine = counted.iter().position(|(_, cycle, _)| matches!(cycle, Cycle::Month | Cycle::Quarter));
    let (Some(fine), Some((_, years, grain))) = (fine, moments.iter_mut().find(|(_, _, grain)| *grain == Some(Grain::Year))) else {
        return;
    };
    let (_, cycle, parts) = counted.remove(fine);
    *grain = Some(if cycle == Cycle::Quarter { Grain::Quarter } else { Grain::Month });
    for (year, part) in years.iter_mut().zip(parts) {
        let month = part.map(|part| if cycle == Cycle::Quarter { part * 3 - 2 } else { part });
        *year = year.zip(month).and_then(|(year, month)| periods::month_start(u32::try_from(year.year()).ok()?, month));
    }
}

fn moment_axis(name: &str, cells: &[Option<NaiveDateTime>], grain: Option<Grain>, language: Language) -> TimeAxis {
    let grain = grain.unwrap_or_else(|| {
        let known: Vec<NaiveDateTime> = cells.iter().flatten().copied().collect();
        periods::coarsest(&known, name)
    });
    let tick = |moment: NaiveDateTime| Tick { at: periods::place(moment), label: periods::label(moment, grain) };
    TimeAxis { title: labels::of_column(name, language), grain, ticks: cells.iter().map(|cell| cell.map(tick)).collect() }
}

fn counted_axis(name: &str, cycle: Cycle, cells: &[Option<u32>], language: Language) -> TimeAxis {
    let tick = |period: u32| Tick { at: f64::from(period), label: cycle.label(period, language) };
    TimeAxis { title: labels::of_column(name, language), grain: Grain::Number, ticks: cells.iter().map(|cell| cell.map(tick)).collect() }
}
