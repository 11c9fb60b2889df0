//! How many values lie in each stretch: bars that touch, on an axis of numbers or times.

use super::{
    across::Across,
    canvas::{Anchor, Canvas, INK, OUTLIER, RULE, WIDTH, series_color},
    frame::{self, Area, SMALL},
    scale::{Scale, Zero},
};
use crate::charts::{Chart, ChartError, ChartType, Point, format};

const VALUE_EM: f64 = 11.0;

/// A stretch and its count, ready to be drawn.
struct Bar<'a> {
    from: f64,
    to: f64,
    count: f64,
    point: &'a Point,
}

/// Draws the first series; a point without a stretch has no bar.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    let bars = bars(chart);
    if bars.is_empty() {
        return frame::nothing(canvas, chart);
    }
    let area = frame::draw(canvas, chart, true)?;
    let scale = Scale::covering(bars.iter().map(|bar| bar.count), Zero::Always);
    // A single bar stands in the middle, not all over the picture.
    let beside = if bars.len() == 1 { 1.0 } else { 0.0 };
    let edges: Vec<f64> =
        bars.iter().flat_map(|bar| [bar.from - (bar.to - bar.from) * beside, bar.to + (bar.to - bar.from) * beside]).collect();
    let across = Across::covering(chart, &edges);
    let (ticks, widest) = frame::value_ticks(canvas, chart, &scale);
    let half_tick = across.ticks.last().map_or(0.0, |(_, name)| canvas.width(name, SMALL) / 2.0);
    let plot = Area {
        left: area.left + widest + 8.0,
        top: frame::axis_title(canvas, &chart.y.title, area)?,
        right: area.right.min(WIDTH - half_tick - 6.0),
        bottom: frame::bottom_title(canvas, &chart.x.title, area, Anchor::Middle)? - 22.0,
    };
    let x = |number: f64| across.x(plot, number);
    let texts: Vec<String> = bars.iter().map(|bar| format::point(bar.point, chart.y.unit).unwrap_or_default()).collect();
    let told = bars.iter().zip(&texts).all(|(bar, text)| canvas.width(text, VALUE_EM) <= x(bar.to) - x(bar.from) - 2.0);
    let top = plot.top + if told { 18.0 } else { 4.0 };
    let height = |value: f64| plot.bottom - scale.place(value) * (plot.bottom - top);

    frame::ticks_below(canvas, &across.ticks, Area { top: plot.bottom, bottom: plot.bottom + 4.0, ..plot }, &x)?;
    frame::ticks_beside(canvas, &ticks, plot, &height)?;
    for (bar, text) in bars.iter().zip(&texts) {
        let (left, right) = (x(bar.from), x(bar.to));
        let gap = if right - left > 4.0 { 0.5 } else { 0.0 };
        let color = if bar.point.is_marked(ChartType::Histogram) { OUTLIER } else { series_color(0) };
        // A stretch of no values has no bar, and a bar of one pixel says that there are some.
        if bar.count != 0.0 {
            canvas.rect((left + gap, height(0.0)), (right - gap, height(bar.count)), color)?;
            if told {
                let baseline = if bar.count < 0.0 { height(bar.count) + 14.0 } else { height(bar.count) - 5.0 };
                canvas.text(text, ((left + right) / 2.0, baseline), VALUE_EM, Anchor::Middle, INK)?;
            }
        }
    }
    canvas.across(height(0.0), plot.left, plot.right, RULE)
}

fn bar(point: &Point) -> Option<Bar<'_>> {
    let (from, to) = point.at.zip(point.to)?;
    let count = point.drawable()?;
    (from <= to).then_some(Bar { from, to, count, point })
}

fn bars(chart: &Chart) -> Vec<Bar<'_>> {
    let Some(series) = chart.series.first() else { return Vec::new() };
    series.points.iter().filter_map(bar).collect()
}
