//! The most telling pictures of the tables: over time, by category, how numbers are spread, which move together, and parts of a whole.

use chrono::{DateTime, NaiveDateTime};
use datagenie_common::{
    analyses::{AnalysedTable, AnalysisChart, HistogramBin, MAX_CHARTS},
    charts::{Bin, Chart, ChartType, Grain, Pair, TimeSeries, Timeline, Unit},
    model::language::Language,
    wording::{capital, names::display},
};

use super::{
    View,
    groups::{self, Course},
    relations::Place,
    roles::{Measure, Roles},
    steps::Step,
};
use crate::times::MICROS_PER_DAY;

/// Pictures of one table.
const MAX_OF_TABLE: usize = 7;
/// Parts that a pie can show.
const PARTS: std::ops::RangeInclusive<usize> = 2..=6;
/// Pairs that a scatter chart is given; of more rows some are left out.
const MOST_PAIRS: usize = 20_000;

/// What may be drawn of a table.
#[derive(Clone, Copy)]
enum Idea {
    OverTime(usize),
    Bars(usize),
    Histogram(usize),
    Scatter,
    Pie(usize),
    Times(usize),
}

/// At most [`MAX_CHARTS`] pictures: the tables take turns, the longest first.
pub(super) fn draw(view: &View<'_>) -> Vec<AnalysisChart> {
    let order = view.longest(view.analysed.len());
    let mut ideas: Vec<(usize, std::vec::IntoIter<Idea>, usize)> =
        order.into_iter().map(|table| (table, ideas(view, table).into_iter(), 0)).collect();
    let mut charts = Vec::new();
    while charts.len() < MAX_CHARTS && !ideas.is_empty() {
        for (table, ideas, drawn) in &mut ideas {
            let chart = ideas.find_map(|idea| of_idea(view, *table, idea));
            *drawn = if chart.is_some() { *drawn + 1 } else { MAX_OF_TABLE };
            charts.extend(chart.map(|chart| AnalysisChart { table: *table, chart }));
            if charts.len() == MAX_CHARTS {
                break;
            }
        }
        ideas.retain(|(_, _, drawn)| *drawn < MAX_OF_TABLE);
    }
    charts
}

fn ideas(view: &View<'_>, table: usize) -> Vec<Idea> {
    let Some(roles) = view.roles.get(table).filter(|_| view.analysed.get(table).is_some_and(|table| table.rows > 1)) else {
        return Vec::new();
    };
    let time = roles.times.first().copied();
    let categories = &roles.categories;
    let mut ideas: Vec<Idea> = time.map(Idea::OverTime).into_iter().collect();
    ideas.extend(categories.first().copied().map(Idea::Bars));
    ideas.extend(roles.measures.first().map(|measure| Idea::Histogram(measure.column)));
    if view.found.correlations.iter().any(|(a, _, _)| a.table == table) {
        ideas.push(Idea::Scatter);
    }
    ideas.extend(categories.get(1..).unwrap_or_default().iter().copied().map(Idea::Pie).next());
    ideas.extend(categories.get(1).copied().map(Idea::Bars));
    ideas.extend(roles.measures.get(1).map(|measure| Idea::Histogram(measure.column)));
    ideas.extend(time.map(Idea::Times));
    ideas.extend(categories.first().copied().map(Idea::Pie));
    ideas
}

fn of_idea(view: &View<'_>, table: usize, idea: Idea) -> Option<Chart> {
    let drawing = Drawing { view, table, seen: view.analysed.get(table)?, roles: view.roles.get(table)? };
    match idea {
        Idea::OverTime(time) => drawing.over_time(time),
        Idea::Bars(category) => drawing.bars(category),
        Idea::Histogram(column) => drawing.histogram(column),
        Idea::Scatter => drawing.scatter(),
        Idea::Pie(category) => drawing.pie(category),
        Idea::Times(time) => drawing.histogram_of_times(time),
    }
}

struct Drawing<'a> {
    view: &'a View<'a>,
    table: usize,
    seen: &'a AnalysedTable,
    roles: &'a Roles,
}

impl Drawing<'_> {
    fn name(&self, column: usize) -> String {
        self.seen.columns.get(column).map_or_else(String::new, |column| display(&column.name, self.view.language))
    }

    // Of several tables each picture says whose it is.
    fn title(&self, korean: &str, english: &str) -> String {
        let title = match self.view.language {
            Language::Korean => korean.to_owned(),
            Language::English => capital(english),
        };
        if self.view.analysed.len() > 1 { format!("{}: {title}", self.seen.name) } else { title }
    }

    // What the measure is called on an axis: its mean says that it is one.
    fn measured(&self, measure: Option<&Measure>) -> String {
        match (measure, self.view.language) {
            (None, Language::Korean) => "행 수".to_owned(),
            (None, Language::English) => "rows".to_owned(),
            (Some(measure), _) if measure.additive => measure.name.clone(),
            (Some(measure), Language::Korean) => format!("평균 {}", measure.name),
            (Some(measure), Language::English) => format!("average {}", measure.name),
        }
    }

    fn over_time(&self, time: usize) -> Option<Chart> {
        let table = self.view.tables.tables.get(self.table)?;
        let measure = self.roles.measures.first();
        let course = groups::over_time(table, time, measure)?;
        if course.points.len() < 2 || (measure.is_none() && groups::are_single(course.points.iter().map(|(_, group)| group))) {
            return None;
        }
        let unit = measure.map_or(Unit::None, |measure| measure.unit);
        let point = |(index, group): &(i64, groups::Group)| Some((moment(course.step.start(*index))?, group.value(measure)));
        let points: Vec<(NaiveDateTime, Option<f64>)> = course.points.iter().filter_map(point).collect();
        let summed = measure.is_none_or(|measure| measure.additive);
        let filled = summed && points.iter().all(|(_, value)| value.is_none_or(|value| value >= 0.0));
        let form = if filled { Timeline::Area } else { Timeline::Line };
        let name = self.measured(measure);
        let (korean, english) = period(&course);
        let title = self.title(&format!("{korean} {name}"), &format!("{name} by {english}"));
        let series = vec![TimeSeries { name: name.clone(), unit, points }];
        Some(Chart::over_time(form, &title, self.view.language, &self.name(time), grain(course.step), &name, series))
    }

    fn grouped(&self, category: usize, measure: Option<&Measure>) -> Vec<(String, Option<f64>)> {
        let Some(table) = self.view.tables.tables.get(self.table) else { return Vec::new() };
        let nameless = match self.view.language {
            Language::Korean => "(없음)",
            Language::English => "(none)",
        };
        let groups = groups::by_category(table, &self.view.tables.texts, category, measure);
        if measure.is_none() && groups::are_single(groups.iter().map(|(_, group)| group)) {
            return Vec::new();
        }
        groups.into_iter().map(|(name, group)| (name.unwrap_or_else(|| nameless.to_owned()), group.value(measure))).collect()
    }

    fn bars(&self, category: usize) -> Option<Chart> {
        let measure = self.roles.measures.first();
        let bars = self.grouped(category, measure);
        let (name, category) = (self.measured(measure), self.name(category));
        let title = self.title(&format!("{category}별 {name}"), &format!("{name} by {category}"));
        let unit = measure.map_or(Unit::None, |measure| measure.unit);
        (bars.len() > 1).then(|| Chart::bars(&title, self.view.language, &category, &name, unit, bars))
    }

    // Few parts, all above zero, that together are the whole.
    fn pie(&self, category: usize) -> Option<Chart> {
        let measure = self.roles.total();
        let parts = self.grouped(category, measure);
        if !PARTS.contains(&parts.len()) || !parts.iter().all(|(_, value)| value.is_some_and(|value| value > 0.0)) {
            return None;
        }
        let (name, category) = (self.measured(measure), self.name(category));
        let title = self.title(&format!("{category}별 {name} 비중"), &format!("share of {name} by {category}"));
        let unit = measure.map_or(Unit::None, |measure| measure.unit);
        let mut chart = Chart::bars(&title, self.view.language, &category, &name, unit, parts);
        chart.kind = ChartType::Pie;
        Some(chart)
    }

    fn histogram(&self, column: usize) -> Option<Chart> {
        let (name, seen) = (self.name(column), self.seen.columns.get(column)?);
        let bins: Vec<Bin> = seen.histogram.iter().filter_map(|bin| bin_of(bin, serde_json::Value::as_f64)).collect();
        let unit = self.roles.measures.iter().find(|measure| measure.column == column).map_or(Unit::None, |measure| measure.unit);
        if bins.len() < 2 {
            return None;
        }
        let title = self.title(&format!("{name} 분포"), &format!("distribution of {name}"));
        let chart = Chart::histogram(&title, self.view.language, &name, unit, bins);
        Some(match &seen.outliers {
            Some(outliers) if outliers.count > 0 => chart.marking_outside(outliers.low, outliers.high),
            _ => chart,
        })
    }

    fn histogram_of_times(&self, column: usize) -> Option<Chart> {
        let (name, seen) = (self.name(column), self.seen.columns.get(column)?);
        let seconds = |value: &serde_json::Value| value.as_str().and_then(read_moment).map(|moment| moment.and_utc().timestamp() as f64);
        let bins: Vec<Bin> = seen.histogram.iter().filter_map(|bin| bin_of(bin, seconds)).collect();
        if bins.len() < 2 {
            return None;
        }
        let title = self.title(&format!("{name} 분포"), &format!("distribution of {name}"));
        let is_midnight = |bin: &Bin| bin.from.rem_euclid(86_400.0) == 0.0;
        let grain = if bins.iter().all(is_midnight) { Grain::Day } else { Grain::Moment };
        Some(Chart::histogram_of_times(&title, self.view.language, &name, grain, bins))
    }

    fn scatter(&self) -> Option<Chart> {
        let (a, b, _) = *self.view.found.correlations.iter().find(|(a, _, _)| a.table == self.table)?;
        let table = self.view.tables.tables.get(self.table)?;
        let (x, y) = (table.columns.get(a.column)?, table.columns.get(b.column)?);
        let rows = table.rows.len();
        let all = x.present.iter().zip(&y.present).filter(|(x, y)| **x && **y).count() as u64;
        let step = rows.div_ceil(MOST_PAIRS).max(1);
        // One row of each stretch, not always at the same place of it: rows often have a rhythm.
        let chosen = (0..rows).step_by(step).enumerate().map(|(turn, row)| row + turn.wrapping_mul(7_919) % step).filter(|row| *row < rows);
        let (beyond_x, beyond_y) = (self.fences(a), self.fences(b));
        let pairs = chosen.filter_map(|row| {
            let (x, y) = (groups::number(x, row)?, groups::number(y, row)?);
            Some(Pair { x, y, label: String::new(), outlier: beyond_x(x) || beyond_y(y) })
        });
        let (x, y) = (self.name(a.column), self.name(b.column));
        let title = self.title(&format!("{x} 대비 {y}"), &format!("{y} against {x}"));
        Some(Chart::scatter(&title, self.view.language, (&x, self.unit(a)), (&y, self.unit(b)), pairs, Some(all)))
    }

    fn unit(&self, place: Place) -> Unit {
        self.roles.measures.iter().find(|measure| measure.column == place.column).map_or(Unit::None, |measure| measure.unit)
    }

    fn fences(&self, place: Place) -> impl Fn(f64) -> bool + use<> {
        let outliers = self.seen.columns.get(place.column).and_then(|column| column.outliers.as_ref());
        let fences = outliers.map(|outliers| (outliers.low, outliers.high));
        move |number| fences.is_some_and(|(low, high)| !(low..=high).contains(&number))
    }
}

fn bin_of(bin: &HistogramBin, place: impl Fn(&serde_json::Value) -> Option<f64>) -> Option<Bin> {
    Some(Bin { from: place(&bin.from)?, to: place(&bin.to)?, count: bin.count })
}

fn read_moment(text: &str) -> Option<NaiveDateTime> {
    let day = || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    day().or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok())
}

fn moment(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

fn grain(step: Step) -> Grain {
    match step {
        Step::Months(12) => Grain::Year,
        Step::Months(3) => Grain::Quarter,
        Step::Months(1) => Grain::Month,
        Step::Months(_) | Step::Weeks => Grain::Day,
        Step::Micros(length) if length % MICROS_PER_DAY == 0 => Grain::Day,
        Step::Micros(_) => Grain::Moment,
    }
}

/// What the points of a course are called, in Korean and in English.
pub(super) fn period(course: &Course) -> (&'static str, &'static str) {
    match grain(course.step) {
        Grain::Year => ("연도별", "year"),
        Grain::Quarter => ("분기별", "quarter"),
        Grain::Month => ("월별", "month"),
        Grain::Day => ("일별", "day"),
        Grain::Moment | Grain::Number => ("시간별", "hour"),
    }
}
