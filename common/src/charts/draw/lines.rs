//! Values over time: a line for each series, with gaps where values are missing.

use plotters::style::RGBColor;

use super::{
    canvas::{Anchor, Canvas, FAINT, GRID, INK, MIDDLE, RULE, WIDTH, series_color},
    frame::{self, Area, SMALL},
    scale::Scale,
};
use crate::charts::{Chart, ChartError, Point, Series, format};

const STROKE: f64 = 2.5;
const DOT: f64 = 3.5;
const VALUE_EM: f64 = 11.0;
/// Charts of more points show lines only.
const MOST_DOTS: usize = 60;
/// Lines of more points carry no values.
const MOST_VALUES: usize = 12;

/// The places of times and values in the picture.
struct Field {
    plot: Area,
    first: f64,
    last: f64,
    scale: Scale,
}

impl Field {
    fn x(&self, at: f64) -> f64 {
        let span = self.last - self.first;
        let place = if span > 0.0 { (at - self.first) / span } else { 0.5 };
        self.plot.left + 12.0 + place * (self.plot.right - self.plot.left - 24.0)
    }

    fn y(&self, value: f64) -> f64 {
        self.plot.bottom - self.scale.place(value) * (self.plot.bottom - self.plot.top)
    }
}

/// Whether zero lies on the axis of a line chart.
pub(in crate::charts) fn shows_zero(chart: &Chart) -> bool {
    let values = chart.series.iter().flat_map(|series| &series.points).filter_map(Point::drawable);
    Scale::covering(values, false).ticks().contains(&0.0)
}

/// Draws the lines of all series.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    let area = frame::draw(canvas, chart, true)?;
    let points = || chart.series.iter().flat_map(|series| series.points.iter().enumerate());
    let scale = Scale::covering(points().filter_map(|(_, point)| point.drawable()), false);
    let values = scale.ticks();
    let names = format::ticks(&values, scale.step(), chart.y.unit, chart.language);
    let widest = names.iter().map(|name| canvas.width(name, SMALL)).fold(0.0, f64::max);
    let times = || points().map(|(index, point)| place(index, point));
    let told = told_values(chart);
    let top = frame::axis_title(canvas, &chart.y.title, area)? + if told.is_some() { 16.0 } else { 4.0 };
    let bottom = frame::bottom_title(canvas, &chart.x.title, area, Anchor::Middle)? - 22.0;
    let field = Field {
        plot: Area { left: area.left + widest + 8.0, top, right: area.right, bottom },
        first: times().fold(f64::INFINITY, f64::min),
        last: times().fold(f64::NEG_INFINITY, f64::max),
        scale,
    };
    for (value, name) in values.iter().zip(&names) {
        canvas.across(field.y(*value), field.plot.left, field.plot.right, GRID)?;
        canvas.text(name, (field.plot.left - 8.0, field.y(*value) + SMALL * MIDDLE), SMALL, Anchor::End, FAINT)?;
    }
    let zero_or_lowest = values.first().copied().unwrap_or(0.0).max(0.0).min(values.last().copied().unwrap_or(0.0));
    canvas.across(field.y(zero_or_lowest), field.plot.left, field.plot.right, RULE)?;
    draw_times(canvas, chart, &field)?;
    let dots = points().count() <= MOST_DOTS;
    for (index, series) in chart.series.iter().enumerate() {
        draw_series(canvas, &field, series, index, dots)?;
    }
    match told {
        Some(series) => draw_values(canvas, &field, series),
        None => Ok(()),
    }
}

// A single short line carries its values.
fn told_values(chart: &Chart) -> Option<&Series> {
    match chart.series.as_slice() {
        [only] if only.points.len() <= MOST_VALUES => Some(only),
        _ => None,
    }
}

// Points without a time stand in their order.
fn place(index: usize, point: &Point) -> f64 {
    point.at.unwrap_or(index as f64)
}

// Tick marks and labels of times, as many as fit side by side.
fn draw_times(canvas: &mut Canvas<'_>, chart: &Chart, field: &Field) -> Result<(), ChartError> {
    let points = chart.series.iter().flat_map(|series| series.points.iter().enumerate());
    let mut times: Vec<(f64, &str)> = points.map(|(index, point)| (place(index, point), point.label.as_str())).collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    times.dedup_by(|a, b| a.0 == b.0);
    let mut free_from = f64::NEG_INFINITY;
    for (at, label) in times {
        let x = field.x(at);
        // Of thousands of labels only those with room are measured.
        if x <= free_from {
            continue;
        }
        let label = canvas.fit(label, SMALL, 200.0);
        let half = canvas.width(&label, SMALL) / 2.0;
        let middle = x.min(WIDTH - 8.0 - half).max(8.0 + half);
        if middle - half > free_from {
            canvas.down(x, field.plot.bottom, field.plot.bottom + 4.0, RULE)?;
            canvas.text(&label, (middle, field.plot.bottom + 17.0), SMALL, Anchor::Middle, FAINT)?;
            free_from = middle + half + 14.0;
        }
    }
    Ok(())
}

fn draw_series(canvas: &mut Canvas<'_>, field: &Field, series: &Series, index: usize, dots: bool) -> Result<(), ChartError> {
    let color = series_color(index);
    let mut run: Vec<(f64, f64)> = Vec::new();
    for (order, point) in series.points.iter().enumerate() {
        match point.drawable() {
            Some(value) => run.push((field.x(place(order, point)), field.y(value))),
            None => draw_run(canvas, &mut run, color, dots)?,
        }
    }
    draw_run(canvas, &mut run, color, dots)
}

// A stretch without gaps; a lone point is a dot, as a line of one point shows nothing.
fn draw_run(canvas: &mut Canvas<'_>, run: &mut Vec<(f64, f64)>, color: RGBColor, dots: bool) -> Result<(), ChartError> {
    if run.len() > 1 {
        canvas.polyline(run, STROKE, color)?;
    }
    if dots || run.len() == 1 {
        for point in run.iter() {
            canvas.disc(*point, DOT, color)?;
        }
    }
    run.clear();
    Ok(())
}

// The values above their points, unless neighbours would touch.
fn draw_values(canvas: &mut Canvas<'_>, field: &Field, series: &Series) -> Result<(), ChartError> {
    let texts: Vec<(f64, f64, String)> = series
        .points
        .iter()
        .enumerate()
        .filter_map(|(index, point)| {
            let value = point.drawable()?;
            Some((field.x(place(index, point)), field.y(value), format::point(point, series.unit)?))
        })
        .collect();
    let widest = texts.iter().map(|(_, _, text)| canvas.width(text, VALUE_EM)).fold(0.0, f64::max);
    if texts.windows(2).any(|pair| pair[1].0 - pair[0].0 < widest + 6.0) {
        return Ok(());
    }
    for (x, y, text) in &texts {
        let half = canvas.width(text, VALUE_EM) / 2.0;
        let middle = x.min(WIDTH - 6.0 - half).max(field.plot.left + half);
        canvas.text(text, (middle, y - 9.0), VALUE_EM, Anchor::Middle, INK)?;
    }
    Ok(())
}
