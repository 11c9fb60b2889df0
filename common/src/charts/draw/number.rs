//! One number, as large as fits.

use super::{
    canvas::{Anchor, Canvas, FAINT, HEIGHT, INK, WIDTH, series_color},
    frame::{self, MARGIN},
};
use crate::charts::{Chart, ChartError, Unit, format};

const LARGEST: f64 = 96.0;
const SMALLEST: f64 = 22.0;
const CAPTION: f64 = 22.0;

/// Draws the first value of the chart with its label below.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    frame::draw(canvas, chart, false)?;
    let first = chart.series.iter().find_map(|series| series.points.first().map(|point| (series.unit, point)));
    let Some((unit, point)) = first else { return Ok(()) };
    let unit = if unit == Unit::None { chart.y.unit } else { unit };
    let number = format::point(point, unit).unwrap_or_default();
    let room = WIDTH - 2.0 * MARGIN;
    let em = (LARGEST * room / canvas.width(&number, LARGEST).max(1.0)).clamp(SMALLEST, LARGEST);
    // A unit of slack: the em was chosen so that the number fits exactly.
    let number = canvas.fit(&number, em, room + 1.0);
    canvas.text(&number, (WIDTH / 2.0, HEIGHT / 2.0 + em * 0.3), em, Anchor::Middle, series_color(0))?;
    let label = if point.label.is_empty() { &chart.y.title } else { &point.label };
    // The title may be the column's name already.
    let label = if *label == chart.title { "" } else { label.strip_suffix(&format!(" · {}", chart.title)).unwrap_or(label) };
    let color = if chart.title.is_empty() { INK } else { FAINT };
    let label = canvas.fit(label, CAPTION, room);
    canvas.text(&label, (WIDTH / 2.0, HEIGHT / 2.0 + em * 0.3 + CAPTION * 2.2), CAPTION, Anchor::Middle, color)
}
