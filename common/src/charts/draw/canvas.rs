//! Plain shapes in units of the picture (960 x 540), drawn by one of plotters' backends.

use std::error::Error;

use plotters::{
    prelude::{BitMapBackend, DrawingBackend, SVGBackend},
    style::{
        Color, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::font::{self, Font};
use crate::charts::{ChartError, OUTLIER_COLOR, PALETTE, PICTURE_HEIGHT, PICTURE_WIDTH};

/// The backends' pixels in a unit of the picture.
pub(super) const PIXELS_PER_UNIT: u32 = 2;
/// Width of the picture in its units.
pub(super) const WIDTH: f64 = PICTURE_WIDTH as f64;
/// Height of the picture in its units.
pub(super) const HEIGHT: f64 = PICTURE_HEIGHT as f64;

/// Text.
pub(super) const INK: RGBColor = RGBColor(38, 44, 54);
/// Axis labels and notes.
pub(super) const FAINT: RGBColor = RGBColor(96, 103, 115);
/// The zero line.
pub(super) const RULE: RGBColor = RGBColor(140, 146, 156);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(228, 231, 236);
/// What lies far from the others: its own colour, in which no series is drawn, and a shape of its own where there is room for one.
pub(super) const OUTLIER: RGBColor = {
    let (red, green, blue) = OUTLIER_COLOR;
    RGBColor(red, green, blue)
};
/// The background.
pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);

/// The half of a capital's height, by which a baseline lies below the middle of its line, in ems.
pub(super) const MIDDLE: f64 = 0.35;

/// The least space between neighbouring labels.
pub(super) const MARGIN_OF_LABELS: f64 = 10.0;

/// Which part of a text lies at its x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

enum Backend<'a> {
    Svg(SVGBackend<'a>),
    Bitmap(BitMapBackend<'a>),
}

/// A picture being drawn.
pub(super) struct Canvas<'a> {
    backend: Backend<'a>,
    font: Font,
}

/// The colour of a series.
pub(super) fn series_color(index: usize) -> RGBColor {
    let (red, green, blue) = PALETTE[index % PALETTE.len()];
    RGBColor(red, green, blue)
}

impl<'a> Canvas<'a> {
    /// Draws into an SVG document.
    pub(super) fn svg(document: &'a mut String, size: (u32, u32)) -> Result<Self, ChartError> {
        Ok(Self { font: Font::load()?, backend: Backend::Svg(SVGBackend::with_string(document, size)) })
    }

    /// Draws into rows of RGB pixels; `pixels` holds three bytes for each of `size`.
    pub(super) fn bitmap(pixels: &'a mut [u8], size: (u32, u32)) -> Result<Self, ChartError> {
        Ok(Self { font: Font::load()?, backend: Backend::Bitmap(BitMapBackend::with_buffer(pixels, size)) })
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> Result<(), ChartError> {
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.present()),
            Backend::Bitmap(backend) => drawn(backend.present()),
        }
    }

    /// How wide a text is.
    pub(super) fn width(&self, text: &str, em: f64) -> f64 {
        self.font.width(text, em)
    }

    /// A text shortened to a width.
    pub(super) fn fit(&self, text: &str, em: f64, width: f64) -> String {
        self.font.fit(text, em, width)
    }

    /// The white background.
    pub(super) fn paper(&mut self) -> Result<(), ChartError> {
        self.rect((0.0, 0.0), (WIDTH, HEIGHT), PAPER)
    }

    /// A filled rectangle between two corners; at least one backend pixel each way, so that small values stay visible.
    pub(super) fn rect(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Result<(), ChartError> {
        let (a, b) = (pixel(from), pixel(to));
        let low = (a.0.min(b.0), a.1.min(b.1));
        let high = (a.0.max(b.0).max(low.0 + 1), a.1.max(b.1).max(low.1 + 1));
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.draw_rect(low, high, &color, true)),
            Backend::Bitmap(backend) => drawn(backend.draw_rect(low, high, &color, true)),
        }
    }

    /// A horizontal line of one unit.
    pub(super) fn across(&mut self, y: f64, from: f64, to: f64, color: RGBColor) -> Result<(), ChartError> {
        self.rect((from, y.round()), (to, y.round() + 1.0), color)
    }

    /// A vertical line of one unit.
    pub(super) fn down(&mut self, x: f64, from: f64, to: f64, color: RGBColor) -> Result<(), ChartError> {
        self.rect((x.round(), from), (x.round() + 1.0, to), color)
    }

    /// A line through all points, `width` units wide.
    pub(super) fn polyline(&mut self, points: &[(f64, f64)], width: f64, color: RGBColor) -> Result<(), ChartError> {
        let style = ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: length(width).max(1) };
        let path: Vec<(i32, i32)> = points.iter().copied().map(pixel).collect();
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.draw_path(path, &style)),
            // Segment by segment with round joints: the rasterizer's own mitres spike at sharp angles.
            Backend::Bitmap(backend) => {
                for ends in path.windows(2) {
                    drawn(backend.draw_line(ends[0], ends[1], &style))?;
                }
                let radius = (style.stroke_width / 2).max(1);
                for joint in path.iter().skip(1).take(path.len().saturating_sub(2)) {
                    drawn(backend.draw_circle(*joint, radius, &color, true))?;
                }
                Ok(())
            }
        }
    }

    /// A filled polygon.
    pub(super) fn polygon(&mut self, points: &[(f64, f64)], color: RGBColor) -> Result<(), ChartError> {
        let path = points.iter().copied().map(pixel);
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.fill_polygon(path, &color)),
            Backend::Bitmap(backend) => drawn(backend.fill_polygon(path, &color)),
        }
    }

    /// A disc.
    pub(super) fn disc(&mut self, center: (f64, f64), radius: f64, color: RGBColor) -> Result<(), ChartError> {
        let radius = length(radius).max(2);
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.draw_circle(pixel(center), radius, &color, true)),
            Backend::Bitmap(backend) => drawn(backend.draw_circle(pixel(center), radius, &color, true)),
        }
    }

    /// A disc that lets what lies below it shine through, so that many on one place look denser.
    pub(super) fn dot(&mut self, center: (f64, f64), radius: f64, color: RGBColor, opacity: f64) -> Result<(), ChartError> {
        let (center, radius, color) = (pixel(center), length(radius).max(2), color.mix(opacity));
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.draw_circle(center, radius, &color, true)),
            // Row by row: the rasterizer paints the rim of a disc twice, which shows in what shines through.
            Backend::Bitmap(backend) => {
                let radius = i32::try_from(radius).unwrap_or(i32::MAX);
                for row in -radius..=radius {
                    let half = ((f64::from(radius) + 0.5).powi(2) - f64::from(row * row)).sqrt().floor() as i32;
                    for x in center.0 - half..=center.0 + half {
                        drawn(backend.draw_pixel((x, center.1 + row), color.to_backend_color()))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The mark of an outlier: a diamond with a white rim.
    pub(super) fn diamond(&mut self, center: (f64, f64), radius: f64) -> Result<(), ChartError> {
        let (x, y) = center;
        for (radius, color) in [(radius + 1.5, PAPER), (radius, OUTLIER)] {
            self.polygon(&[(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)], color)?;
        }
        Ok(())
    }

    /// What lies between two edges, each place given as x, y of the one and y of the other; x must not go back.
    pub(super) fn band(&mut self, edges: &[(f64, f64, f64)], color: RGBColor, opacity: f64) -> Result<(), ChartError> {
        let color = color.mix(opacity);
        match &mut self.backend {
            Backend::Svg(backend) => {
                let one = edges.iter().map(|(x, y, _)| pixel((*x, *y)));
                let other = edges.iter().rev().map(|(x, _, y)| pixel((*x, *y)));
                drawn(backend.fill_polygon(one.chain(other), &color))
            }
            // Column by column, each once: the rasterizer's own polygons have rims that are painted twice.
            Backend::Bitmap(backend) => {
                for pair in edges.windows(2) {
                    let [from, to] = [pair[0], pair[1]].map(|(x, one, other)| (pixel((x, one)), pixel((x, other)).1));
                    let width = f64::from((to.0.0 - from.0.0).max(1));
                    for x in from.0.0..to.0.0 {
                        let share = f64::from(x - from.0.0) / width;
                        let between = |a: i32, b: i32| (f64::from(a) + f64::from(b - a) * share).round() as i32;
                        let (one, other) = (between(from.0.1, to.0.1), between(from.1, to.1));
                        for y in one.min(other)..one.max(other) {
                            drawn(backend.draw_pixel((x, y), color.to_backend_color()))?;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// A line of text whose baseline lies at `at.1`.
    pub(super) fn text(&mut self, text: &str, at: (f64, f64), em: f64, anchor: Anchor, color: RGBColor) -> Result<(), ChartError> {
        if text.trim().is_empty() {
            return Ok(());
        }
        let h_pos = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let em_pixels = em * f64::from(PIXELS_PER_UNIT);
        // Where plotters puts the baseline of text anchored at its top, and what it takes for the size, differ between the backends.
        let (size, baseline) = match &self.backend {
            Backend::Svg(_) => (em_pixels * 1.24, em_pixels * 0.76),
            Backend::Bitmap(_) => (em_pixels * font::HEIGHT_PER_EM, em_pixels * font::HEIGHT_PER_EM / 2.0),
        };
        let style = TextStyle { font: font::sized(size), color: color.to_backend_color(), pos: Pos::new(h_pos, VPos::Top) };
        let (x, y) = pixel(at);
        let top = (x, y.saturating_sub(baseline.round() as i32));
        match &mut self.backend {
            Backend::Svg(backend) => drawn(backend.draw_text(text, &style, top)),
            Backend::Bitmap(backend) => drawn(backend.draw_text(text, &style, top)),
        }
    }
}

// Far outside the picture is as good as anywhere, and keeps the rasterizer's sums small.
fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    let scaled = |value: f64| (value.clamp(-2000.0, 4000.0) * f64::from(PIXELS_PER_UNIT)).round() as i32;
    (scaled(x), scaled(y))
}

fn length(units: f64) -> u32 {
    (units.clamp(0.0, 4000.0) * f64::from(PIXELS_PER_UNIT)).round() as u32
}

fn drawn<E: Error + Send + Sync + 'static>(result: Result<(), E>) -> Result<(), ChartError> {
    result.map_err(|error| ChartError::Draw(Box::new(error)))
}
