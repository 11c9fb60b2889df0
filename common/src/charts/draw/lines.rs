//! Values over time: a line or a filled area for each series, with gaps where values are missing.

use plotters::style::RGBColor;

use super::{
    canvas::{Anchor, Canvas, FAINT, INK, RULE, WIDTH, series_color},
    frame::{self, Area, SMALL},
    places::{self, Place, place},
    scale::{Scale, Zero},
};
use crate::charts::{Chart, ChartError, ChartType, Point, Series, format};

const STROKE: f64 = 2.5;
const DOT: f64 = 3.5;
const MARK: f64 = 5.5;
const VALUE_EM: f64 = 11.0;
/// Charts of more points show lines only.
const MOST_DOTS: usize = 60;
/// Lines of more points carry no values.
const MOST_VALUES: usize = 12;
/// Areas beside each other let those behind shine through; parts of a whole need not.
const ALONE: f64 = 0.28;
const STACKED: f64 = 0.75;

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

/// How a series is drawn.
#[derive(Clone, Copy)]
struct Style {
    color: RGBColor,
    dots: bool,
    /// How dense the area below is; none: there is none.
    filled: Option<f64>,
}

/// Whether zero lies on the axis of a line or area chart.
pub(in crate::charts) fn shows_zero(chart: &Chart) -> bool {
    let values = chart.series.iter().flat_map(|series| &series.points).filter_map(Point::drawable);
    chart.kind == ChartType::Area || Scale::covering(values, Zero::UnlessFar).ticks().contains(&0.0)
}

/// Draws the lines and areas of all series.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    let area = frame::draw(canvas, chart, true)?;
    let all = places::of(chart);
    let filled = chart.kind == ChartType::Area;
    let zero = if filled { Zero::Always } else { Zero::UnlessFar };
    let scale = Scale::covering(all.iter().flatten().filter_map(|place| place.height), zero);
    let (ticks, widest) = frame::value_ticks(canvas, chart, &scale);
    let times = || all.iter().flatten().map(|place| place.at);
    let told = told_values(chart);
    let top = frame::axis_title(canvas, &chart.y.title, area)? + if told.is_some() { 16.0 } else { 4.0 };
    let bottom = frame::bottom_title(canvas, &chart.x.title, area, Anchor::Middle)? - 22.0;
    let field = Field {
        plot: Area { left: area.left + widest + 8.0, top, right: area.right, bottom },
        first: times().fold(f64::INFINITY, f64::min),
        last: times().fold(f64::NEG_INFINITY, f64::max),
        scale,
    };
    frame::ticks_beside(canvas, &ticks, field.plot, &|value| field.y(value))?;
    draw_times(canvas, chart, &field)?;
    let dots = !filled && times().count() <= MOST_DOTS;
    let filled = filled.then_some(if chart.stacked { STACKED } else { ALONE });
    for (index, places) in all.iter().enumerate() {
        draw_series(canvas, &field, places, Style { color: series_color(index), dots, filled })?;
    }
    let (lowest, highest) = (ticks.first().map_or(0.0, |tick| tick.0), ticks.last().map_or(0.0, |tick| tick.0));
    canvas.across(field.y(lowest.max(0.0).min(highest)), field.plot.left, field.plot.right, RULE)?;
    for place in all.iter().flatten() {
        if let (Some(height), true) = (place.height, place.point.is_some_and(|point| point.is_marked(chart.kind))) {
            canvas.diamond((field.x(place.at), field.y(height)), MARK)?;
        }
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

fn draw_series(canvas: &mut Canvas<'_>, field: &Field, places: &[Place<'_>], style: Style) -> Result<(), ChartError> {
    let mut run: Vec<(f64, f64, f64)> = Vec::new();
    for place in places {
        match place.height {
            Some(height) => run.push((field.x(place.at), field.y(height), field.y(place.base))),
            None => draw_run(canvas, &mut run, style)?,
        }
    }
    draw_run(canvas, &mut run, style)
}

// A stretch without gaps; a lone point is a dot, as a line of one point shows nothing.
fn draw_run(canvas: &mut Canvas<'_>, run: &mut Vec<(f64, f64, f64)>, style: Style) -> Result<(), ChartError> {
    let line: Vec<(f64, f64)> = run.iter().map(|(x, y, _)| (*x, *y)).collect();
    if line.len() > 1 {
        if let Some(opacity) = style.filled {
            canvas.band(run, style.color, opacity)?;
        }
        canvas.polyline(&line, STROKE, style.color)?;
    }
    if style.dots || line.len() == 1 {
        for point in line {
            canvas.disc(point, DOT, style.color)?;
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
    for (index, (x, y, text)) in texts.iter().enumerate() {
        let half = canvas.width(text, VALUE_EM) / 2.0;
        let middle = x.min(WIDTH - 6.0 - half).max(field.plot.left + half);
        // Below the point where the line would run through the text above it.
        let near = texts.get(index.saturating_sub(1)..(index + 2).min(texts.len())).unwrap_or_default();
        let crossed =
            |baseline: f64| near.windows(2).any(|ends| crosses((ends[0].0, ends[0].1), (ends[1].0, ends[1].1), middle, half, baseline));
        let (above, below) = (y - 9.0, y + 18.0);
        let baseline = if crossed(above) && !crossed(below) && below < field.plot.bottom { below } else { above };
        canvas.text(text, (middle, baseline), VALUE_EM, Anchor::Middle, INK)?;
    }
    Ok(())
}

// Whether a stretch of the line runs through a text of this half width.
fn crosses(from: (f64, f64), to: (f64, f64), middle: f64, half: f64, baseline: f64) -> bool {
    let (left, right) = ((middle - half).max(from.0), (middle + half).min(to.0));
    if left > right || to.0 <= from.0 {
        return false;
    }
    let at = |x: f64| from.1 + (to.1 - from.1) * (x - from.0) / (to.0 - from.0);
    let (a, b) = (at(left), at(right));
    a.min(b) < baseline + 2.0 && a.max(b) > baseline - VALUE_EM + 1.0
}
