//! What surrounds every chart: title, legend, note; and what is left for the chart itself.

use super::canvas::{Anchor, Canvas, FAINT, GRID, HEIGHT, INK, MIDDLE, OUTLIER, WIDTH, series_color};
use super::scale::Scale;
use crate::{
    charts::{Chart, ChartError, ChartType, format, labels},
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

/// Draws title, legend (if there are several series, or outliers) and note.
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
    let marked = chart.marks_outliers();
    if legend && (chart.series.len() > 1 || marked) {
        area.top = draw_legend(canvas, chart, marked, area)?;
    }
    Ok(area)
}

// Swatches and names in rows; says where the last row ends.
fn draw_legend(canvas: &mut Canvas<'_>, chart: &Chart, marked: bool, area: Area) -> Result<f64, ChartError> {
    let series = chart.series.iter().map(|series| series.name.as_str()).enumerate().map(|(index, name)| (Some(index), name));
    let shown = series.filter(|_| chart.series.len() > 1).chain(marked.then(|| (None, labels::outliers(chart.language))));
    let (mut x, mut middle) = (area.left, area.top + LEGEND_ROW / 2.0);
    for (index, name) in shown {
        let name = canvas.fit(name, SMALL, LEGEND_NAME);
        let width = 18.0 + canvas.width(&name, SMALL);
        if x > area.left && x + width > area.right {
            x = area.left;
            middle += LEGEND_ROW;
        }
        match index {
            Some(index) => canvas.rect((x, middle - 5.0), (x + 12.0, middle + 5.0), series_color(index))?,
            None if matches!(chart.kind, ChartType::Line | ChartType::Area | ChartType::Scatter) => {
                canvas.diamond((x + 6.0, middle), 5.0)?
            }
            None => canvas.rect((x, middle - 5.0), (x + 12.0, middle + 5.0), OUTLIER)?,
        }
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

/// Grid lines of an upright axis with their labels at the left.
pub(super) fn ticks_beside(
    canvas: &mut Canvas<'_>,
    ticks: &[(f64, String)],
    plot: Area,
    height: &dyn Fn(f64) -> f64,
) -> Result<(), ChartError> {
    for (tick, name) in ticks {
        canvas.across(height(*tick), plot.left, plot.right, GRID)?;
        canvas.text(name, (plot.left - 8.0, height(*tick) + SMALL * MIDDLE), SMALL, Anchor::End, FAINT)?;
    }
    Ok(())
}

/// Grid lines of a lying axis, and below them as many of their labels as have room side by side.
pub(super) fn ticks_below(
    canvas: &mut Canvas<'_>,
    ticks: &[(f64, String)],
    plot: Area,
    across: &dyn Fn(f64) -> f64,
) -> Result<(), ChartError> {
    let mut free_from = f64::NEG_INFINITY;
    for (tick, name) in ticks {
        let x = across(*tick);
        canvas.down(x, plot.top, plot.bottom, GRID)?;
        let half = canvas.width(name, SMALL) / 2.0;
        if x - half > free_from {
            canvas.text(name, (x, plot.bottom + 16.0), SMALL, Anchor::Middle, FAINT)?;
            free_from = x + half + 12.0;
        }
    }
    Ok(())
}

/// The ticks of the axis of values with their labels, and how wide the widest label is.
pub(super) fn value_ticks(canvas: &Canvas<'_>, chart: &Chart, scale: &Scale) -> (Vec<(f64, String)>, f64) {
    let ticks = scale.ticks();
    let names = format::ticks(&ticks, scale.step(), chart.y.unit, chart.language);
    let widest = names.iter().map(|name| canvas.width(name, SMALL)).fold(0.0, f64::max);
    (ticks.into_iter().zip(names).collect(), widest)
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
