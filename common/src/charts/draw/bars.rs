//! Bars, alone or in groups: upright where the labels fit below them, else lying, so that labels never overlap.

use std::collections::{HashMap, HashSet};

use plotters::style::RGBColor;

use super::{
    canvas::{Anchor, Canvas, FAINT, GRID, INK, MARGIN_OF_LABELS, MIDDLE, OUTLIER, RULE, WIDTH, series_color},
    font::Font,
    frame::{self, Area, SMALL},
    scale::{Scale, Zero},
};
use crate::charts::{Chart, ChartError, MAX_POINTS, Point, format};

/// More bars than this lie.
const MOST_UPRIGHT: usize = 12;
/// What is surely left for upright bars beside the axis.
const UPRIGHT_WIDTH: f64 = 800.0;
const WIDEST_BAR: f64 = 90.0;
const WIDEST_LABEL: f64 = 280.0;
const VALUE_EM: f64 = 11.0;

/// The points of all series by category.
struct Grid<'a> {
    labels: Vec<&'a str>,
    /// A row for each label, in it a cell for each series.
    rows: Vec<Vec<Option<&'a Point>>>,
}

/// Everything both directions need.
struct Plan<'a> {
    chart: &'a Chart,
    grid: Grid<'a>,
    scale: Scale,
    ticks: Vec<(f64, String)>,
    /// The values as texts, in the form of the grid's rows.
    texts: Vec<Vec<String>>,
}

struct Bar<'a> {
    row: usize,
    column: usize,
    value: f64,
    text: &'a str,
    color: RGBColor,
}

impl<'a> Grid<'a> {
    fn of(chart: &'a Chart) -> Self {
        if let [only] = chart.series.as_slice() {
            let labels = only.points.iter().map(|point| point.label.as_str()).collect();
            return Self { labels, rows: only.points.iter().map(|point| vec![Some(point)]).collect() };
        }
        let mut order: Vec<(f64, &str)> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for point in chart.series.iter().flat_map(|series| &series.points) {
            if order.len() < MAX_POINTS && seen.insert(point.label.as_str()) {
                order.push((point.at.unwrap_or(0.0), point.label.as_str()));
            }
        }
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let labels: Vec<&str> = order.into_iter().map(|(_, label)| label).collect();
        let places: HashMap<&str, usize> = labels.iter().enumerate().map(|(place, label)| (*label, place)).collect();
        let mut rows: Vec<Vec<Option<&Point>>> = vec![vec![None; chart.series.len()]; labels.len()];
        for (column, series) in chart.series.iter().enumerate() {
            for point in &series.points {
                let Some(place) = places.get(point.label.as_str()) else { continue };
                if let Some(cell) = rows.get_mut(*place).and_then(|row| row.get_mut(column)) {
                    *cell = Some(point);
                }
            }
        }
        Self { labels, rows }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.rows.iter().flatten().filter_map(|cell| cell.and_then(Point::drawable))
    }
}

/// Whether the bars of this chart lie: there are many, or their labels are long.
pub(in crate::charts) fn horizontal(chart: &Chart) -> bool {
    let grid = Grid::of(chart);
    let room = UPRIGHT_WIDTH / grid.labels.len().max(1) as f64 - MARGIN_OF_LABELS;
    let long = |font: Font| grid.labels.iter().any(|label| font.width(label, SMALL) > room);
    grid.labels.len() > MOST_UPRIGHT || Font::load().is_ok_and(long)
}

/// Draws the bars of all series.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    let area = frame::draw(canvas, chart, true)?;
    let grid = Grid::of(chart);
    let scale = Scale::covering(grid.values(), Zero::Always);
    let ticks = scale.ticks();
    let names = format::ticks(&ticks, scale.step(), chart.y.unit, chart.language);
    let text = |(column, cell): (usize, &Option<&Point>)| {
        let unit = chart.series.get(column).map_or(chart.y.unit, |series| series.unit);
        cell.and_then(|point| format::point(point, unit)).unwrap_or_default()
    };
    let texts = grid.rows.iter().map(|row| row.iter().enumerate().map(text).collect()).collect();
    let plan = Plan { chart, grid, scale, ticks: ticks.into_iter().zip(names).collect(), texts };
    if horizontal(chart) { lying(canvas, &plan, area) } else { upright(canvas, &plan, area) }
}

impl Plan<'_> {
    fn bars_in_group(&self) -> f64 {
        self.chart.series.len().max(1) as f64
    }

    fn widest_tick(&self, canvas: &Canvas<'_>) -> f64 {
        self.ticks.iter().map(|(_, name)| canvas.width(name, SMALL)).fold(0.0, f64::max)
    }

    // The widest text of the values on one side of zero.
    fn widest_text(&self, canvas: &Canvas<'_>, negative: bool) -> f64 {
        let cells = self.grid.rows.iter().flatten().zip(self.texts.iter().flatten());
        let on_side = cells.filter(|(cell, _)| cell.and_then(Point::drawable).is_some_and(|value| (value < 0.0) == negative));
        on_side.map(|(_, text)| canvas.width(text, VALUE_EM)).fold(0.0, f64::max)
    }

    fn bars(&self) -> impl Iterator<Item = Bar<'_>> {
        self.grid.rows.iter().zip(&self.texts).enumerate().flat_map(|(row, (cells, texts))| {
            cells.iter().zip(texts).enumerate().filter_map(move |(column, (cell, text))| {
                let point = (*cell)?;
                let color = if point.outlier { OUTLIER } else { series_color(column) };
                Some(Bar { row, column, value: point.drawable()?, text, color })
            })
        })
    }
}

fn upright(canvas: &mut Canvas<'_>, plan: &Plan<'_>, area: Area) -> Result<(), ChartError> {
    let mut plot = Area { left: area.left + plan.widest_tick(canvas) + 8.0, ..area };
    plot.top = frame::axis_title(canvas, &plan.chart.y.title, area)?;
    plot.bottom = frame::bottom_title(canvas, &plan.chart.x.title, area, Anchor::Middle)? - 22.0;
    let slot = (plot.right - plot.left) / plan.grid.labels.len().max(1) as f64;
    let bar = (slot * 0.72 / plan.bars_in_group()).min(WIDEST_BAR);
    let room = if plan.chart.series.len() > 1 { bar } else { slot - 4.0 };
    let (above, below) = (plan.widest_text(canvas, false), plan.widest_text(canvas, true));
    let told = above.max(below) <= room;
    let inner =
        Area { top: plot.top + if told { 18.0 } else { 4.0 }, bottom: plot.bottom - if told && below > 0.0 { 18.0 } else { 0.0 }, ..plot };
    let height = |value: f64| inner.bottom - plan.scale.place(value) * (inner.bottom - inner.top);

    for (tick, name) in &plan.ticks {
        canvas.across(height(*tick), plot.left, plot.right, GRID)?;
        canvas.text(name, (plot.left - 8.0, height(*tick) + SMALL * MIDDLE), SMALL, Anchor::End, FAINT)?;
    }
    for Bar { row, column, value, text, color } in plan.bars() {
        let middle = plot.left + slot * (row as f64 + 0.5);
        let left = middle + bar * (column as f64 - plan.bars_in_group() / 2.0);
        let gap = if bar > 6.0 { 0.5 } else { 0.0 };
        canvas.rect((left + gap, height(0.0)), (left + bar - gap, height(value)), color)?;
        if told {
            let baseline = if value < 0.0 { height(value) + 14.0 } else { height(value) - 5.0 };
            canvas.text(text, (left + bar / 2.0, baseline), VALUE_EM, Anchor::Middle, INK)?;
        }
    }
    canvas.across(height(0.0), plot.left, plot.right, RULE)?;
    for (row, label) in plan.grid.labels.iter().enumerate() {
        let label = canvas.fit(label, SMALL, slot - 6.0);
        canvas.text(&label, (plot.left + slot * (row as f64 + 0.5), plot.bottom + 16.0), SMALL, Anchor::Middle, INK)?;
    }
    Ok(())
}

fn lying(canvas: &mut Canvas<'_>, plan: &Plan<'_>, area: Area) -> Result<(), ChartError> {
    let top = frame::axis_title(canvas, &plan.chart.x.title, area)?;
    let bottom = frame::bottom_title(canvas, &plan.chart.y.title, area, Anchor::End)? - 20.0;
    let slot = (bottom - top) / plan.grid.labels.len().max(1) as f64;
    let em = (slot * 0.75).clamp(9.0, SMALL);
    let widest = plan.grid.labels.iter().map(|label| canvas.width(label, em)).fold(0.0, f64::max).min(WIDEST_LABEL);
    let half_tick = plan.widest_tick(canvas) / 2.0;
    let right = area.right.min(WIDTH - half_tick - 4.0);
    let plot = Area { left: area.left + widest + 10.0, top, right, bottom };

    let filled = if slot < 6.0 { 0.9 } else { 0.72 };
    let bar = slot * filled / plan.bars_in_group();
    let (after, before) = (plan.widest_text(canvas, false) + 8.0, plan.widest_text(canvas, true));
    let before = if before > 0.0 { before + 8.0 } else { 0.0 };
    let told = bar >= 10.0 && after + before < (plot.right - plot.left) * 0.5;
    let inner = if told { Area { left: plot.left + before, right: plot.right - after, ..plot } } else { plot };
    let across = |value: f64| inner.left + plan.scale.place(value) * (inner.right - inner.left);

    frame::ticks_below(canvas, &plan.ticks, plot, &across)?;
    for Bar { row, column, value, text, color } in plan.bars() {
        let middle = plot.top + slot * (row as f64 + 0.5);
        let upper = middle + bar * (column as f64 - plan.bars_in_group() / 2.0);
        canvas.rect((across(0.0), upper), (across(value), upper + bar), color)?;
        if told {
            let (x, anchor) = if value < 0.0 { (across(value) - 5.0, Anchor::End) } else { (across(value) + 5.0, Anchor::Start) };
            canvas.text(text, (x, upper + bar / 2.0 + VALUE_EM * MIDDLE), VALUE_EM, anchor, INK)?;
        }
    }
    canvas.down(across(0.0), plot.top, plot.bottom, RULE)?;
    // Where bars are thinner than text only every so many labels are drawn.
    let every = ((em + 2.0) / slot).ceil().max(1.0) as usize;
    for (row, label) in plan.grid.labels.iter().enumerate().step_by(every) {
        let label = canvas.fit(label, em, widest + 1.0);
        let baseline = plot.top + slot * (row as f64 + 0.5) + em * MIDDLE;
        canvas.text(&label, (plot.left - 10.0, baseline), em, Anchor::End, INK)?;
    }
    Ok(())
}
