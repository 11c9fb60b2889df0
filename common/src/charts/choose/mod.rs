//! Which chart shows a result: decided by code from the columns' kinds and counts; a model's wish only chooses among what they allow.

mod asked;
mod collect;
mod columns;
mod numbers;

#[cfg(test)]
mod tests;

use super::{CategoryAxis, Chart, ChartType, MAX_POINTS, MeasureAxis, Series, Unit, labels, limit};
use crate::model::{language::Language, results::ResultView};
use asked::Asked;
use columns::{Roles, TimeAxis, distinct};

/// A grouped bar chart of more bars than this shows nothing but stripes.
const MAX_BARS: usize = 400;

/// Measures share an axis where the largest values of one are at most this many times those of another.
const LIKE_SIZE: f64 = 50.0;

/// A chart before its limits and its final kind.
pub(super) struct Draft {
    pub(super) kind: ChartType,
    x: CategoryAxis,
    y_title: String,
    series_title: String,
    pub(super) series: Vec<Series>,
    /// Rows left out because their time is unknown.
    pub(super) undated: usize,
    /// Whether one place on the axis is one row of the result.
    pub(super) row_is_place: bool,
    /// Of how many places these are the largest; none: all are there.
    pub(super) largest_of: Option<usize>,
    /// Measures that would be flat beside the first one.
    pub(super) left_out: Vec<String>,
    /// Whether areas stand on each other.
    stacked: bool,
    /// Rows left out because a number is missing.
    pub(super) unvalued: usize,
    /// Of how many pairs these are a sample; none: all are there.
    pub(super) sampled_from: Option<u64>,
}

impl Draft {
    fn new(kind: ChartType, x: CategoryAxis, y_title: String, series: Vec<Series>) -> Self {
        Self {
            kind,
            x,
            y_title,
            series_title: String::new(),
            series,
            undated: 0,
            row_is_place: false,
            largest_of: None,
            left_out: Vec::new(),
            stacked: false,
            unvalued: 0,
            sampled_from: None,
        }
    }
}

/// Chooses the chart of a result and fills it. `wish` is a word of a model ("bar"), followed when the columns allow it and the question
/// names no other form.
#[must_use]
pub fn choose(view: &ResultView<'_>, question: &str, language: Language, wish: Option<&str>) -> Chart {
    let wish = wish.and_then(wished);
    let title = labels::clean(question, labels::MAX_TITLE);
    let asked = Asked::of(question);
    let found = if wish == Some(ChartType::Table) { None } else { draft(view, with_wish(asked, wish), language) };
    let Some(mut found) = found else { return table(title, language, view) };
    leave_out_unlike(&mut found);
    found.kind = kind(&found, view, asked, wish);
    found.stacked = found.kind == ChartType::Area && are_parts(&found);
    let shared = found.series.first().map_or(Unit::None, |first| first.unit);
    let unit = if found.series.iter().all(|series| series.unit == shared) { shared } else { Unit::None };
    let limited = limit::apply(&mut found, view, language);
    Chart {
        kind: found.kind,
        title: if title.is_empty() { found.y_title.clone() } else { title },
        language,
        x: found.x,
        y: MeasureAxis { title: found.y_title, unit },
        series_title: found.series_title,
        series: found.series,
        stacked: found.stacked,
        note: limited.note,
        truncated: limited.truncated,
    }
}

// A form that the question names comes before the one that a model thinks of.
fn with_wish(asked: Asked, wish: Option<ChartType>) -> Asked {
    match wish {
        _ if asked.scatter || asked.histogram || asked.area => asked,
        Some(ChartType::Scatter) => Asked { scatter: true, ..asked },
        Some(ChartType::Histogram) => Asked { histogram: true, ..asked },
        _ => asked,
    }
}

// Members of a category whose amounts, none of them negative, add up to something.
fn are_parts(draft: &Draft) -> bool {
    let name = draft.y_title.to_lowercase();
    let no_amount =
        ["avg", "average", "mean", "median", "min", "max", "price", "rate", "ratio", "평균", "중앙", "최대", "최소", "단가", "점수"];
    let amounts = !no_amount.iter().any(|word| name.contains(word));
    let each = |series: &Series| {
        let once = series.points.windows(2).all(|pair| pair[0].at != pair[1].at);
        let rate = matches!(series.unit, Unit::Percent | Unit::Fraction);
        once && !rate && series.points.iter().filter_map(|point| point.value).all(|value| value >= 0.0)
    };
    draft.series.len() > 1 && !draft.series_title.is_empty() && amounts && draft.series.iter().all(each)
}

// Of measures of unlike size all but the largest would lie flat on the axis: the first one stays, with those like it.
fn leave_out_unlike(draft: &mut Draft) {
    let of_measures = draft.series.len() > 1 && draft.series_title.is_empty() && draft.kind != ChartType::Scatter;
    let size = |series: &Series| series.points.iter().filter_map(|point| point.value).map(f64::abs).fold(0.0, f64::max);
    let first = draft.series.first().map_or(0.0, size);
    if !of_measures || first <= 0.0 {
        return;
    }
    let unlike = |series: &Series| {
        let other = size(series);
        other > 0.0 && first.max(other) / first.min(other) > LIKE_SIZE
    };
    draft.left_out = draft.series.iter().filter(|series| unlike(series)).map(|series| series.name.clone()).collect();
    draft.series.retain(|series| !unlike(series));
    if let [only] = draft.series.as_slice()
        && !draft.left_out.is_empty()
    {
        draft.y_title = only.name.clone();
        if draft.kind == ChartType::GroupedBar {
            draft.kind = ChartType::Bar;
        }
    }
}

fn table(title: String, language: Language, view: &ResultView<'_>) -> Chart {
    Chart {
        kind: ChartType::Table,
        title,
        language,
        x: CategoryAxis::default(),
        y: MeasureAxis { title: String::new(), unit: Unit::None },
        series_title: String::new(),
        series: Vec::new(),
        stacked: false,
        note: None,
        truncated: view.truncated,
    }
}

// A model's word for a chart.
fn wished(word: &str) -> Option<ChartType> {
    let word = word.trim().to_lowercase().replace([' ', '-'], "_");
    match word.strip_suffix("_chart").unwrap_or(&word) {
        "column" | "columns" | "bars" => Some(ChartType::Bar),
        "grouped" | "clustered_bar" | "stacked_bar" => Some(ChartType::GroupedBar),
        "donut" | "doughnut" => Some(ChartType::Pie),
        "metric" | "kpi" | "big_number" => Some(ChartType::Number),
        "stacked_area" => Some(ChartType::Area),
        "scatterplot" | "scatter_plot" | "bubble" => Some(ChartType::Scatter),
        other => other.parse().ok(),
    }
}

// What the columns can show; none: only the rows themselves.
fn draft(view: &ResultView<'_>, asked: Asked, language: Language) -> Option<Draft> {
    if view.rows.is_empty() {
        return None;
    }
    if let Some(single) = collect::single_cell(view, language) {
        return Some(single);
    }
    let mut roles = Roles::of(view, language);
    if roles.measures.is_empty() {
        return None;
    }
    if view.rows.len() == 1 && view.row_count <= 1 {
        return collect::one_row(view, &roles, language);
    }
    if let Some(of_numbers) = numbers::of(view, &roles, asked, language) {
        return Some(of_numbers);
    }
    let unique_id = roles.ids.iter().any(|id| is_unique(view, *id));
    let listing = unique_id && roles.time.is_some();
    if roles.categories.is_empty()
        && let Some(id) = roles.ids.first()
    {
        roles.categories.push(*id);
    }
    let entity = roles.categories.iter().copied().find(|index| is_unique(view, *index));
    match roles.time.take() {
        Some(time) => over_time(view, &roles, &time, listing, entity, language),
        None => by_categories(view, &roles, unique_id, entity, language),
    }
}

fn is_unique(view: &ResultView<'_>, index: usize) -> bool {
    distinct(view, index) == view.rows.len()
}

// Rows that each are one thing (a product with its attributes) are bars of things, whatever else is known of them.
fn over_time(
    view: &ResultView<'_>,
    roles: &Roles,
    time: &TimeAxis,
    listing: bool,
    entity: Option<usize>,
    language: Language,
) -> Option<Draft> {
    if listing {
        return None;
    }
    let several = view.rows.len() > 2;
    let mut ticks: Vec<_> = time.ticks.iter().flatten().map(|tick| tick.at).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    let one_row_each = ticks.len() == view.rows.len();
    match (roles.categories.as_slice(), entity) {
        _ if roles.more_times && entity.is_none() => None,
        ([], _) => collect::line(view, time, &roles.measures, language),
        ([category], _) if several && one_row_each && !roles.more_times => {
            collect::dated_categories(view, time, *category, &roles.measures, language)
                .or_else(|| collect::lines(view, time, *category, roles.measures.first().copied()?, language))
        }
        (_, Some(entity)) if several => collect::by_category(view, entity, &roles.measures, language),
        ([category], _) if !roles.more_times => collect::lines(view, time, *category, roles.measures.first().copied()?, language),
        _ => None,
    }
}

fn by_categories(view: &ResultView<'_>, roles: &Roles, unique_id: bool, entity: Option<usize>, language: Language) -> Option<Draft> {
    let several = view.rows.len() > 2;
    match (roles.categories.as_slice(), entity) {
        ([], _) => None,
        ([category], _) => collect::by_category(view, *category, &roles.measures, language),
        (_, Some(entity)) if several => collect::by_category(view, entity, &roles.measures, language),
        ([first, ..], _) if several && unique_id => collect::by_category(view, *first, &roles.measures, language),
        ([first, second], _) => collect::pivot(view, *first, *second, roles.measures.first().copied()?, language),
        _ => None,
    }
}

// The kind to draw: what the question names or the wish if the data allow it, a pie if the question asks for shares, else what the
// columns suggest.
fn kind(draft: &Draft, view: &ResultView<'_>, asked: Asked, wish: Option<ChartType>) -> ChartType {
    let several = draft.series.len() > 1;
    match (draft.kind, wish) {
        (ChartType::Bar, Some(ChartType::Bar)) => ChartType::Bar,
        (ChartType::Bar, Some(ChartType::Pie)) if is_whole(draft, view) => ChartType::Pie,
        (ChartType::Bar, _) if asked.shares && is_whole(draft, view) => ChartType::Pie,
        (ChartType::Line, _) if asked.area => ChartType::Area,
        (ChartType::Line, Some(ChartType::Area)) => ChartType::Area,
        (ChartType::Line, Some(ChartType::Bar | ChartType::GroupedBar)) if can_be_bars(draft) => {
            if several {
                ChartType::GroupedBar
            } else {
                ChartType::Bar
            }
        }
        (kind, _) => kind,
    }
}

// Two to six positive parts, all of them there, that are not percentages of something else.
fn is_whole(draft: &Draft, view: &ResultView<'_>) -> bool {
    let [series] = draft.series.as_slice() else { return false };
    let parts: Vec<f64> = series.points.iter().filter_map(|point| point.value).collect();
    let complete = view.complete && !view.truncated && parts.len() == series.points.len();
    let sum: f64 = parts.iter().sum();
    let sums_up = match series.unit {
        Unit::Percent => (99.0..=101.0).contains(&sum),
        Unit::Fraction => (0.99..=1.01).contains(&sum),
        Unit::None | Unit::Won | Unit::Dollar => true,
    };
    complete && draft.x.grain.is_none() && (2..=6).contains(&parts.len()) && parts.iter().all(|part| *part > 0.0) && sums_up
}

// Bars need each period once a series, and room.
fn can_be_bars(draft: &Draft) -> bool {
    let once = draft.series.iter().all(|series| {
        let mut labels: Vec<&str> = series.points.iter().map(|point| point.label.as_str()).collect();
        labels.sort_unstable();
        labels.windows(2).all(|pair| pair[0] != pair[1])
    });
    let places = draft.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    once && places <= MAX_POINTS && places * draft.series.len() <= MAX_BARS
}
