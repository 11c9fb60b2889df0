//! Pairs of numbers as dots, outliers as diamonds; names beside them where there are few.

use plotters::style::RGBColor;

use super::{
    across::Across,
    canvas::{Anchor, Canvas, INK, MIDDLE, OUTLIER, RULE, WIDTH, series_color},
    frame::{self, Area, SMALL},
    scale::{Scale, Zero},
};
use crate::charts::{Chart, ChartError, ChartType};

const MARK: f64 = 5.5;
const NAME_EM: f64 = 11.0;
const LONGEST_NAME: f64 = 140.0;
/// Of more dots only outliers are named.
const MOST_NAMES: usize = 25;

/// A pair in the picture.
struct Dot<'a> {
    x: f64,
    y: f64,
    color: RGBColor,
    marked: bool,
    name: &'a str,
}

/// Draws the pairs of all series; a point that lacks one of its numbers is no pair.
pub(super) fn draw(canvas: &mut Canvas<'_>, chart: &Chart) -> Result<(), ChartError> {
    let pairs: Vec<(f64, f64)> =
        chart.series.iter().flat_map(|series| &series.points).filter_map(|point| point.at.zip(point.drawable())).collect();
    if pairs.is_empty() {
        return frame::nothing(canvas, chart);
    }
    let area = frame::draw(canvas, chart, true)?;
    let scale = Scale::covering(pairs.iter().map(|(_, y)| *y), Zero::IfNear);
    let across = Across::covering(chart, &pairs.iter().map(|(x, _)| *x).collect::<Vec<f64>>());
    let (ticks, widest) = frame::value_ticks(canvas, chart, &scale);
    let half_tick = across.ticks.last().map_or(0.0, |(_, name)| canvas.width(name, SMALL) / 2.0);
    let plot = Area {
        left: area.left + widest + 8.0,
        top: frame::axis_title(canvas, &chart.y.title, area)? + 4.0,
        right: area.right.min(WIDTH - half_tick - 6.0),
        bottom: frame::bottom_title(canvas, &chart.x.title, area, Anchor::Middle)? - 22.0,
    };
    let height = |value: f64| plot.bottom - scale.place(value) * (plot.bottom - plot.top);
    frame::ticks_beside(canvas, &ticks, plot, &height)?;
    frame::ticks_below(canvas, &across.ticks, plot, &|number| across.x(plot, number))?;
    canvas.across(plot.bottom, plot.left, plot.right, RULE)?;
    canvas.down(plot.left, plot.top, plot.bottom, RULE)?;

    let mut dots = Vec::with_capacity(pairs.len());
    for (index, series) in chart.series.iter().enumerate() {
        for point in &series.points {
            let Some((x, y)) = point.at.zip(point.drawable()) else { continue };
            let marked = point.is_marked(ChartType::Scatter);
            let color = if marked { OUTLIER } else { series_color(index) };
            dots.push(Dot { x: across.x(plot, x), y: height(y), color, marked, name: &point.label });
        }
    }
    draw_dots(canvas, &dots)?;
    draw_names(canvas, &dots, plot)
}

// The more there are, the smaller and lighter.
fn draw_dots(canvas: &mut Canvas<'_>, dots: &[Dot<'_>]) -> Result<(), ChartError> {
    let (radius, opacity) = match dots.len() {
        0..=60 => (4.5, 0.8),
        61..=300 => (3.5, 0.65),
        _ => (2.5, 0.5),
    };
    for dot in dots.iter().filter(|dot| !dot.marked) {
        canvas.dot((dot.x, dot.y), radius, dot.color, opacity)?;
    }
    for dot in dots.iter().filter(|dot| dot.marked) {
        canvas.diamond((dot.x, dot.y), MARK)?;
    }
    Ok(())
}

// Names that cover neither one another nor a dot.
fn draw_names(canvas: &mut Canvas<'_>, dots: &[Dot<'_>], plot: Area) -> Result<(), ChartError> {
    let few = dots.len() <= MOST_NAMES;
    let mut taken: Vec<Area> = Vec::new();
    for dot in dots.iter().filter(|dot| !dot.name.is_empty() && (few || dot.marked)) {
        if taken.len() >= MOST_NAMES {
            break;
        }
        let name = canvas.fit(dot.name, NAME_EM, LONGEST_NAME);
        let width = canvas.width(&name, NAME_EM);
        let (left, anchor) =
            if dot.x + 10.0 + width > plot.right { (dot.x - 9.0 - width, Anchor::End) } else { (dot.x + 9.0, Anchor::Start) };
        let room = Area { left, top: dot.y - 7.0, right: left + width, bottom: dot.y + 7.0 };
        let covers = |other: &Dot<'_>| {
            let (x, y) =
                (other.x > room.left - MARK && other.x < room.right + MARK, other.y > room.top - MARK && other.y < room.bottom + MARK);
            x && y
        };
        let touches =
            |other: &Area| other.left < room.right && room.left < other.right && other.top < room.bottom && room.top < other.bottom;
        if dots.iter().any(covers) || taken.iter().any(touches) {
            continue;
        }
        let x = if anchor == Anchor::End { room.right } else { room.left };
        canvas.text(&name, (x, dot.y + NAME_EM * MIDDLE), NAME_EM, anchor, INK)?;
        taken.push(room);
    }
    Ok(())
}
