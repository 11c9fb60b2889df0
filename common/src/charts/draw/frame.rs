//! What surrounds every chart: title, legend, note; and what is left for the chart itself.

use super::canvas::{Anchor, Canvas, FAINT, HEIGHT, INK, MIDDLE, WIDTH, series_color};
use crate::{
    charts::{Chart, ChartError},
    model::language::Language,
};

/// Empty space around everything.
pub(super) const MARGIN: f64 = 28.0;
/// Em of axis labels, legends and values.
pub(super) const SMALL: f64 = 12.0;

const TITLE: f64 = 20.0;
const LEGEND_ROW: f64 = 19.0;
const LEGEND_NAME: f64 = 170.0;

/// A rectangle of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// Draws title, legend (if there are several series) and note.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart, legend: bool) -> Result<Area, ChartError> {
    let mut area = Area { left: MARGIN, top: MARGIN, right: WIDTH - MARGIN, bottom: HEIGHT - 18.0 };
    if !chart.title.is_empty() {
        let title = canvas.fit(&chart.title, TITLE, area.right - area.left);
        canvas.text(&title, (area.left, area.top + 14.0), TITLE, Anchor::Start, INK)?;
        area.top += 30.0;
    }
    if let Some(note) = &chart.note {
        let note = canvas.fit(note, 11.0, area.right - area.left);
        canvas.text(&note, (area.right, HEIGHT - 12.0), 11.0, Anchor::End, FAINT)?;
        area.bottom = HEIGHT - 30.0;
    }
    if legend && chart.series.len() > 1 {
        area.top = draw_legend(canvas, chart, area)?;
    }
    Ok(area)
}

// Swatches and names in rows; says where the last row ends.
fn draw_legend(canvas: &mut Canvas<'_>, chart: &Chart, area: Area) -> Result<f64, ChartError> {
    let (mut x, mut middle) = (area.left, area.top + LEGEND_ROW / 2.0);
    for (index, series) in chart.series.iter().enumerate() {
        let name = canvas.fit(&series.name, SMALL, LEGEND_NAME);
        let width = 18.0 + canvas.width(&name, SMALL);
        if x > area.left && x + width > area.right {
            x = area.left;
            middle += LEGEND_ROW;
        }
        canvas.rect((x, middle - 5.0), (x + 12.0, middle + 5.0), series_color(index))?;
        canvas.text(&name, (x + 18.0, middle + SMALL * MIDDLE), SMALL, Anchor::Start, INK)?;
        x += width + 20.0;
    }
    Ok(middle + LEGEND_ROW / 2.0 + 4.0)
}

/// The title of the axis that ends above the chart; says where the chart may begin.
pub(super) fn axis_title(canvas: &mut Canvas<'_>, title: &str, area: Area) -> Result<f64, ChartError> {
    if title.is_empty() {
        return Ok(area.top + 6.0);
    }
    let title = canvas.fit(title, SMALL, area.right - area.left);
    canvas.text(&title, (area.left, area.top + 14.0), SMALL, Anchor::Start, FAINT)?;
    Ok(area.top + 24.0)
}

/// The title of the axis below the chart, in its middle or at its end; says where the axis' labels must end.
pub(super) fn bottom_title(canvas: &mut Canvas<'_>, title: &str, area: Area, anchor: Anchor) -> Result<f64, ChartError> {
    if title.is_empty() {
        return Ok(area.bottom);
    }
    let x = if anchor == Anchor::End { area.right } else { (area.left + area.right) / 2.0 };
    let title = canvas.fit(title, SMALL, area.right - area.left);
    canvas.text(&title, (x, area.bottom - 3.0), SMALL, anchor, FAINT)?;
    Ok(area.bottom - 18.0)
}

/// A picture of nothing that can be drawn.
pub(super) fn nothing(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    draw(canvas, chart, false)?;
    let text = match chart.language {
        Language::Korean => "표시할 값이 없습니다",
        Language::English => "No values to draw",
    };
    canvas.text(text, (WIDTH / 2.0, HEIGHT / 2.0), 18.0, Anchor::Middle, FAINT)
}
