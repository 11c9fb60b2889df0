//! Parts of a whole: slices with their percentages, and a list of the parts with their values.

use std::f64::consts::{FRAC_PI_2, TAU};

use super::{
    canvas::{Anchor, Canvas, FAINT, INK, MIDDLE, PAPER, series_color},
    frame::{self, Area},
};
use crate::charts::{Chart, ChartError, Point, Unit, format};

const LIST_EM: f64 = 14.0;
const LIST_ROW: f64 = 30.0;
/// Slices below this part of the whole carry no percentage of their own.
const LABELLED: f64 = 0.04;

struct Slice<'a> {
    point: &'a Point,
    share: f64,
}

/// Draws the first series; what is not positive has no slice.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    let (slices, unit) = slices(chart);
    if slices.is_empty() {
        return frame::nothing(canvas, chart);
    }
    let area = frame::draw(canvas, chart, false)?;
    let middle = (area.top + area.bottom) / 2.0;
    let radius = ((area.bottom - area.top) / 2.0 - 26.0).clamp(20.0, 200.0);
    let center = (area.left + 60.0 + radius, middle);
    draw_slices(canvas, &slices, center, radius)?;
    let list = Area { left: center.0 + radius + 80.0, ..area };
    draw_list(canvas, &slices, unit, list)
}

fn slices(chart: &Chart) -> (Vec<Slice<'_>>, Unit) {
    let Some(series) = chart.series.first() else { return (Vec::new(), Unit::None) };
    let positive = |point: &Point| point.drawable().filter(|value| *value > 0.0);
    let largest = series.points.iter().filter_map(positive).fold(0.0, f64::max);
    // Relative to the largest, so that huge values have a finite sum.
    let parts: Vec<(&Point, f64)> =
        series.points.iter().filter_map(|point| positive(point).map(|value| (point, value / largest))).collect();
    let sum: f64 = parts.iter().map(|(_, part)| part).sum();
    (parts.into_iter().map(|(point, part)| Slice { point, share: part / sum }).collect(), series.unit)
}

fn draw_slices(canvas: &mut Canvas<'_>, slices: &[Slice<'_>], center: (f64, f64), radius: f64) -> Result<(), ChartError> {
    let on = |turn: f64, radius: f64| {
        let angle = turn * TAU - FRAC_PI_2;
        (center.0 + radius * angle.cos(), center.1 + radius * angle.sin())
    };
    let mut from = 0.0;
    let mut edges = Vec::new();
    for (index, slice) in slices.iter().enumerate() {
        let to = from + slice.share;
        if slice.share > 0.999 {
            canvas.disc(center, radius, series_color(index))?;
        } else {
            let arcs = (slice.share * 180.0).ceil().max(1.0) as u32;
            let mut outline = vec![center];
            outline.extend((0..=arcs).map(|arc| on(from + slice.share * f64::from(arc) / f64::from(arcs), radius)));
            canvas.polygon(&outline, series_color(index))?;
            edges.push(from);
        }
        from = to;
    }
    if edges.len() > 1 {
        for edge in edges {
            canvas.polyline(&[center, on(edge, radius + 1.0)], 1.5, PAPER)?;
        }
    }
    let mut from = 0.0;
    for slice in slices.iter() {
        let turn = from + slice.share / 2.0;
        from += slice.share;
        if slice.share >= LABELLED {
            let (x, y) = on(turn, radius + 12.0);
            let anchor = if (0.02..0.48).contains(&turn) {
                Anchor::Start
            } else if (0.52..0.98).contains(&turn) {
                Anchor::End
            } else {
                Anchor::Middle
            };
            canvas.text(&percentage(slice.share), (x, y + 12.0 * MIDDLE), 12.0, anchor, INK)?;
        }
    }
    Ok(())
}

// Rows of swatch, name, percentage and value.
fn draw_list(canvas: &mut Canvas<'_>, slices: &[Slice<'_>], unit: Unit, area: Area) -> Result<(), ChartError> {
    let room = ((area.bottom - area.top) / LIST_ROW).floor().max(1.0) as usize;
    let shown = slices.len().min(room);
    let values: Vec<String> = slices.iter().map(|slice| format::point(slice.point, unit).unwrap_or_default()).collect();
    let widest = values.iter().map(|value| canvas.width(value, LIST_EM)).fold(0.0, f64::max).min(170.0);
    let names = (area.right - widest - 70.0) - (area.left + 24.0);
    let mut middle = (area.top + area.bottom) / 2.0 - LIST_ROW * (shown as f64 - 1.0) / 2.0;
    for (index, (slice, value)) in slices.iter().zip(&values).take(shown).enumerate() {
        let baseline = middle + LIST_EM * MIDDLE;
        canvas.rect((area.left, middle - 6.0), (area.left + 14.0, middle + 6.0), series_color(index))?;
        let name = canvas.fit(&slice.point.label, LIST_EM, names);
        canvas.text(&name, (area.left + 24.0, baseline), LIST_EM, Anchor::Start, INK)?;
        canvas.text(&percentage(slice.share), (area.right - widest - 16.0, baseline), LIST_EM, Anchor::End, FAINT)?;
        let value = canvas.fit(value, LIST_EM, widest + 1.0);
        canvas.text(&value, (area.right, baseline), LIST_EM, Anchor::End, INK)?;
        middle += LIST_ROW;
    }
    Ok(())
}

fn percentage(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
