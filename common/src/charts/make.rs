//! Charts of programs that have computed what is to be drawn.

use chrono::NaiveDateTime;

use super::{
    Bin, CategoryAxis, Chart, ChartType, Grain, MAX_PAIRS, MAX_POINTS, MeasureAxis, Point, Series, Unit, format, labels, limit, periods,
    spread::Sample,
};
use crate::model::language::Language;

/// Outliers take at most this part of a sample's places.
const MAX_MARKED_PAIRS: usize = MAX_PAIRS / 4;

/// How values over time are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeline {
    /// Lines.
    Line,
    /// Lines filled down to zero, each by itself.
    Area,
    /// Areas on top of each other: the series are parts of a whole, none of them negative.
    Stacked,
}

/// Values of one series over time. What is missing leaves a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSeries {
    /// Its name in the legend.
    pub name: String,
    /// The unit of its values.
    pub unit: Unit,
    /// Its values, in any order.
    pub points: Vec<(NaiveDateTime, Option<f64>)>,
}

/// A pair of a scatter chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pair {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// What it belongs to; may be empty.
    pub label: String,
    /// Whether it lies far from the others.
    pub outlier: bool,
}

impl Chart {
    /// A bar for each category, in this order; at most [`MAX_POINTS`], and the note says if there were more.
    #[must_use]
    pub fn bars(
        title: &str,
        language: Language,
        category: &str,
        measure: &str,
        unit: Unit,
        bars: impl IntoIterator<Item = (String, Option<f64>)>,
    ) -> Self {
        let point =
            |(label, value): (String, Option<f64>)| Point { label: labels::clean(&label, labels::MAX_LABEL), value, ..Point::default() };
        let points = bars.into_iter().map(point).collect();
        let mut chart =
            Self::empty(ChartType::Bar, title, language, CategoryAxis::categories(name(category)), MeasureAxis::of(measure, unit));
        chart.series.push(Series { name: name(measure), unit, points });
        chart.cut()
    }

    /// Values over time, one series or several, told as finely as `grain` says. The first times are kept, and the largest series; the note
    /// says what was left out.
    #[must_use]
    pub fn over_time(
        form: Timeline,
        title: &str,
        language: Language,
        time: &str,
        grain: Grain,
        measure: &str,
        series: Vec<TimeSeries>,
    ) -> Self {
        let kind = if form == Timeline::Line { ChartType::Line } else { ChartType::Area };
        let unit = shared_unit(series.iter().map(|series| series.unit));
        let mut chart = Self::empty(kind, title, language, CategoryAxis::times(name(time), grain), MeasureAxis::of(measure, unit));
        chart.stacked = form == Timeline::Stacked && series.len() > 1;
        chart.series = series.into_iter().map(|series| series.drawn(grain)).collect();
        chart.cut()
    }

    /// How a column's numbers are distributed, as [`super::bins`] or the caller counted them. Of more than [`MAX_POINTS`] stretches
    /// neighbours are put together.
    #[must_use]
    pub fn histogram(title: &str, language: Language, column: &str, unit: Unit, bins: Vec<Bin>) -> Self {
        Self::of_bins(title, language, CategoryAxis::numbers(name(column), unit), bins)
    }

    /// How a column's days or moments are distributed: bins in seconds since 1970, told as finely as `grain` says.
    #[must_use]
    pub fn histogram_of_times(title: &str, language: Language, column: &str, grain: Grain, bins: Vec<Bin>) -> Self {
        Self::of_bins(title, language, CategoryAxis::times(name(column), grain), bins)
    }

    fn of_bins(title: &str, language: Language, x: CategoryAxis, bins: Vec<Bin>) -> Self {
        let measure = labels::count(language);
        let points = distribution(&x, bins);
        let mut chart = Self::empty(ChartType::Histogram, title, language, x, MeasureAxis::of(measure, Unit::None));
        chart.series.push(Series { name: measure.to_owned(), unit: Unit::None, points });
        chart
    }

    /// Pairs of numbers. Of more than [`MAX_PAIRS`] a sample is kept, always the same one, with outliers first; the note says so. `all`
    /// is how many there are, if the caller gives only some of them. Pairs that are not finite are left out. Needs memory for
    /// [`MAX_PAIRS`] pairs only, however many there are.
    #[must_use]
    pub fn scatter(
        title: &str,
        language: Language,
        x: (&str, Unit),
        y: (&str, Unit),
        pairs: impl IntoIterator<Item = Pair>,
        all: Option<u64>,
    ) -> Self {
        let (points, seen) = sampled(pairs);
        let mut chart = Self::empty(ChartType::Scatter, title, language, CategoryAxis::numbers(name(x.0), x.1), MeasureAxis::of(y.0, y.1));
        let (shown, all) = (points.len() as u64, all.unwrap_or(seen).max(seen));
        if shown < all {
            chart.note = Some(limit::sample_note(shown, all, language));
            chart.truncated = true;
        }
        chart.series.push(Series { name: name(y.0), unit: y.1, points });
        chart
    }

    /// Marks what lies outside of these fences: values, and of a histogram the stretches that lie wholly outside.
    #[must_use]
    pub fn marking_outside(mut self, low: f64, high: f64) -> Self {
        let stretches = self.kind == ChartType::Histogram;
        for point in self.series.iter_mut().flat_map(|series| &mut series.points) {
            let (least, most) = if stretches { (point.to, point.at) } else { (point.value, point.value) };
            let filled = !stretches || point.value.is_some_and(|count| count > 0.0);
            point.outlier = point.outlier || (filled && (least.is_some_and(|least| least < low) || most.is_some_and(|most| most > high)));
        }
        self
    }

    fn empty(kind: ChartType, title: &str, language: Language, x: CategoryAxis, y: MeasureAxis) -> Self {
        let title = labels::clean(title, labels::MAX_TITLE);
        let series_title = String::new();
        Self { kind, title, language, x, y, series_title, series: Vec::new(), stacked: false, note: None, truncated: false }
    }

    // Keeps the limits of all charts, and says what that left out.
    fn cut(mut self) -> Self {
        let notes = limit::cut(&mut self.series, self.kind, self.language);
        if !notes.is_empty() {
            self.note = Some(notes.join(" · "));
            self.truncated = true;
        }
        self
    }
}

impl MeasureAxis {
    fn of(title: &str, unit: Unit) -> Self {
        Self { title: name(title), unit }
    }
}

impl TimeSeries {
    fn drawn(self, grain: Grain) -> Series {
        let mut points: Vec<Point> = self
            .points
            .into_iter()
            .map(|(moment, value)| Point {
                label: periods::label(moment, grain),
                at: Some(periods::place(moment)),
                value,
                ..Point::default()
            })
            .collect();
        points.sort_by(|a, b| a.at.unwrap_or(0.0).total_cmp(&b.at.unwrap_or(0.0)));
        Series { name: name(&self.name), unit: self.unit, points }
    }
}

fn name(text: &str) -> String {
    labels::clean(text, labels::MAX_LABEL)
}

fn shared_unit(mut units: impl Iterator<Item = Unit>) -> Unit {
    let first = units.next().unwrap_or_default();
    if units.all(|unit| unit == first) { first } else { Unit::None }
}

/// The bars of a histogram, labelled with their stretches; at most [`MAX_POINTS`].
pub(super) fn distribution(x: &CategoryAxis, mut bins: Vec<Bin>) -> Vec<Point> {
    bins.retain(|bin| bin.from.is_finite() && bin.to.is_finite());
    bins.sort_by(|a, b| a.from.total_cmp(&b.from));
    let together = bins.len().div_ceil(MAX_POINTS).max(1);
    let told = |place: f64| match x.grain {
        Some(Grain::Number) | None => format::value(place, x.unit),
        Some(grain) => periods::told(place, grain).unwrap_or_default(),
    };
    let joined = bins.chunks(together).filter_map(|bins| {
        let (first, last) = (bins.first()?, bins.last()?);
        let count: u64 = bins.iter().map(|bin| bin.count).sum();
        Some(Point {
            label: format!("{} – {}", told(first.from), told(last.to)),
            at: Some(first.from),
            to: Some(last.to),
            value: Some(count as f64),
            ..Point::default()
        })
    });
    joined.collect()
}

/// The points of a scatter chart, at most [`MAX_PAIRS`], and how many finite pairs there were.
pub(super) fn sampled(pairs: impl IntoIterator<Item = Pair>) -> (Vec<Point>, u64) {
    let (mut marked, mut others) = (Sample::of(MAX_MARKED_PAIRS), Sample::of(MAX_PAIRS));
    let mut seen = 0_u64;
    for pair in pairs.into_iter().filter(|pair| pair.x.is_finite() && pair.y.is_finite()) {
        let sample = if pair.outlier { &mut marked } else { &mut others };
        sample.add((seen, pair));
        seen += 1;
    }
    let marked = marked.take(MAX_MARKED_PAIRS);
    let room = MAX_PAIRS - marked.len();
    let mut kept: Vec<(u64, Pair)> = marked.into_iter().chain(others.take(room)).collect();
    kept.sort_by_key(|(place, _)| *place);
    let point = |(_, pair): (u64, Pair)| Point {
        label: name(&pair.label),
        at: Some(pair.x),
        value: Some(pair.y),
        outlier: pair.outlier,
        ..Point::default()
    };
    (kept.into_iter().map(point).collect(), seen)
}
