//! Pictures: a scene of plain shapes on a canvas of 960 x 540, laid out here and drawn by plotters' backends.
//!
//! Plotters' own axes and meshes are not used: they panic on empty and infinite ranges, and let labels overlap.

mod across;
mod bars;
mod canvas;
mod encode;
mod font;
mod frame;
mod histogram;
mod lines;
mod number;
mod pie;
mod places;
mod scale;
mod scatter;

use super::{Chart, ChartError, ChartType, MAX_SERIES, PICTURE_HEIGHT, PICTURE_WIDTH, labels, most_places};
use canvas::{Canvas, PIXELS_PER_UNIT};

pub(super) use bars::horizontal;
pub(super) use lines::shows_zero;
pub(super) use places::tops;
pub(super) use scale::round_step;

/// The size of the drawing in the backends' pixels: finer than the picture, so that shapes get smooth.
const FINE: (u32, u32) = (PICTURE_WIDTH * PIXELS_PER_UNIT, PICTURE_HEIGHT * PIXELS_PER_UNIT);

/// Draws an SVG document.
pub(super) fn svg(chart: &Chart) -> Result<String, ChartError> {
    let chart = presentable(chart)?;
    let mut document = String::new();
    let mut canvas = Canvas::svg(&mut document, FINE)?;
    scene(&mut canvas, &chart)?;
    canvas.finish()?;
    // The view box keeps the fine grid; the document says how large it wants to be shown.
    let fine = format!(r#"width="{}" height="{}""#, FINE.0, FINE.1);
    let shown = format!(r#"width="{PICTURE_WIDTH}" height="{PICTURE_HEIGHT}""#);
    Ok(document.replacen(&fine, &shown, 1))
}

/// Draws a PNG file.
pub(super) fn png(chart: &Chart) -> Result<Vec<u8>, ChartError> {
    let chart = presentable(chart)?;
    let mut pixels = vec![u8::MAX; FINE.0 as usize * FINE.1 as usize * 3];
    let mut canvas = Canvas::bitmap(&mut pixels, FINE)?;
    scene(&mut canvas, &chart)?;
    canvas.finish()?;
    encode::png(&encode::halve(&pixels, FINE.0 as usize), PICTURE_WIDTH, PICTURE_HEIGHT)
}

fn scene(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    canvas.paper()?;
    if chart.series.iter().flat_map(|series| &series.points).all(|point| point.drawable().is_none()) {
        return frame::nothing(canvas, chart);
    }
    match chart.kind {
        ChartType::Number => number::draw(canvas, chart),
        ChartType::Bar | ChartType::GroupedBar => bars::draw(canvas, chart),
        ChartType::Line | ChartType::Area => lines::draw(canvas, chart),
        ChartType::Pie => pie::draw(canvas, chart),
        ChartType::Scatter => scatter::draw(canvas, chart),
        ChartType::Histogram => histogram::draw(canvas, chart),
        ChartType::Table => Err(ChartError::NoPicture(chart.kind)),
    }
}

// The chart with its limits and printable texts made sure of: it may have been stored by another version, or made by hand.
fn presentable(chart: &Chart) -> Result<Chart, ChartError> {
    if !chart.has_picture() {
        return Err(ChartError::NoPicture(chart.kind));
    }
    let clean = |text: &str| labels::clean(text, labels::MAX_LABEL);
    let mut shown = chart.clone();
    shown.title = labels::clean(&chart.title, labels::MAX_TITLE);
    shown.x.title = clean(&chart.x.title);
    shown.y.title = clean(&chart.y.title);
    // Said once is enough, where the measure's name is the title too.
    if shown.y.title == shown.title {
        shown.y.title.clear();
    }
    shown.note = chart.note.as_deref().map(clean);
    shown.series.truncate(MAX_SERIES);
    let mut most = most_places(chart.kind, shown.series.len());
    // Places of time are seconds, which a calendar must hold; numbers may be as large as they like.
    let numbers = chart.x.grain.is_none() && matches!(chart.kind, ChartType::Scatter | ChartType::Histogram);
    let furthest = if numbers { 1e300 } else { 1e12 };
    let placed = |place: Option<f64>| place.filter(|place| place.is_finite()).map(|place| place.clamp(-furthest, furthest));
    for series in &mut shown.series {
        series.name = clean(&series.name);
        series.points.truncate(most);
        // The pairs of all series share one limit.
        if chart.kind == ChartType::Scatter {
            most -= series.points.len();
        }
        for point in &mut series.points {
            point.label = clean(&point.label);
            point.at = placed(point.at);
            point.to = placed(point.to);
            point.exact = point.exact.as_deref().map(clean);
        }
    }
    Ok(shown)
}
