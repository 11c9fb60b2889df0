//! One chart model: chosen from a result's columns or made by a program from its figures, told as a Vega-Lite spec, drawn as SVG or PNG.
//! Everything here is synchronous and takes milliseconds of CPU: callers run it off the async threads.

mod choose;
mod draw;
mod format;
mod labels;
mod limit;
mod make;
mod periods;
mod spread;
mod units;
mod vega;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{model::language::Language, word_enum};

pub use choose::choose;
pub use make::{Pair, TimeSeries, Timeline};
pub use periods::Grain;
pub use spread::{Bin, bins};
pub use units::Unit;

/// Most points of a series that a chart keeps, unless it is a line.
pub const MAX_POINTS: usize = 200;
/// Most points that a line keeps.
pub const MAX_LINE_POINTS: usize = 2_000;
/// Most pairs that a scatter chart keeps, all series together.
pub const MAX_PAIRS: usize = 1_000;
/// Most series that a chart keeps.
pub const MAX_SERIES: usize = 12;
/// Most points of all lines of a chart together, so that many long lines stay quick to draw.
const MAX_ALL_LINES: usize = 4_000;
/// Width of a picture, in pixels.
pub const PICTURE_WIDTH: u32 = 960;
/// Height of a picture, in pixels.
pub const PICTURE_HEIGHT: u32 = 540;

/// Series colours, in order: Okabe and Ito's first, then Tol's, which colour-blind readers can tell apart.
const PALETTE: [(u8, u8, u8); MAX_SERIES] = [
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (86, 180, 233),
    (51, 34, 136),
    (153, 153, 51),
    (136, 34, 85),
    (127, 127, 127),
    (68, 170, 153),
    (221, 204, 119),
];

/// The colour of outliers: none of the palette's.
const OUTLIER_COLOR: (u8, u8, u8) = (200, 16, 46);

/// How many places a chart of this kind and so many series keeps.
fn most_places(kind: ChartType, series: usize) -> usize {
    match kind {
        ChartType::Line | ChartType::Area => (MAX_ALL_LINES / series.max(1)).clamp(MAX_POINTS, MAX_LINE_POINTS),
        ChartType::Scatter => MAX_PAIRS,
        _ => MAX_POINTS,
    }
}

word_enum! {
    /// The kinds of charts, in the contract's words.
    pub enum ChartType {
        /// One number, in large type.
        Number = "number",
        /// A bar for each category.
        Bar = "bar",
        /// Several bars for each category.
        GroupedBar = "grouped_bar",
        /// Values over time.
        Line = "line",
        /// Values over time, filled down to zero; several parts of a whole stand on each other ([`Chart::stacked`]).
        Area = "area",
        /// Parts of a whole.
        Pie = "pie",
        /// Pairs of numbers: [`Point::at`] across, [`Point::value`] up.
        Scatter = "scatter",
        /// How many values lie in each stretch, from [`Point::at`] to [`Point::to`]; [`Point::value`] is the count.
        Histogram = "histogram",
        /// No chart: the rows say it best.
        Table = "table",
    }
}

/// What is drawn, independent of how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// The kind of chart.
    pub kind: ChartType,
    /// The question, shortened.
    pub title: String,
    /// The language of notes and axis units.
    pub language: Language,
    /// What the points are told apart by.
    pub x: CategoryAxis,
    /// What is measured.
    pub y: MeasureAxis,
    /// What the series are told apart by; empty if by the measures themselves.
    pub series_title: String,
    /// One or more series; none in a table. At most [`MAX_SERIES`].
    pub series: Vec<Series>,
    /// Whether the series of an area chart are parts of a whole, to be drawn on top of each other.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stacked: bool,
    /// What the chart leaves out, in a phrase ("first 200 of 1,234").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the chart shows only a part of the result.
    pub truncated: bool,
}

/// The axis of categories, of time, or (of a scatter chart and a histogram) of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoryAxis {
    /// The column's name.
    pub title: String,
    /// How finely time is told; none: the axis holds categories, or the numbers of a scatter chart or histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<Grain>,
    /// The unit of its numbers.
    #[serde(default, skip_serializing_if = "Unit::is_none")]
    pub unit: Unit,
}

/// The axis of values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureAxis {
    /// The measure's column name; empty where several measures share the axis.
    pub title: String,
    /// The unit all series share, or none.
    pub unit: Unit,
}

/// One measure, or one member of the second category.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// The unit of its values.
    pub unit: Unit,
    /// Its points in the order of drawing; at most [`MAX_POINTS`] different places, [`MAX_LINE_POINTS`] in a line or area, [`MAX_PAIRS`]
    /// in a scatter chart.
    pub points: Vec<Point>,
}

/// One value, pair of values or stretch of values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The category, the time as told on the axis, or what a pair belongs to (may be empty).
    pub label: String,
    /// Where on the axis. Of time: seconds since 1970 on the source's own wall clock, or for [`Grain::Number`] the number itself. Without a
    /// grain: the number of a pair, or where a stretch begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// Where a histogram's stretch ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// The value; none leaves a gap.
    pub value: Option<f64>,
    /// The source's own digits, where `value` cannot hold them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// Whether it lies far from the others, and is marked so. Pies and single numbers show no marks.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outlier: bool,
}

// The form that serde asks for.
fn is_false(value: &bool) -> bool {
    !*value
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// This kind is not drawn.
    #[error("a chart of kind `{0}` has no picture; show its rows instead")]
    NoPicture(ChartType),
    /// The embedded font does not load: a fault of the build.
    #[error("the embedded chart font cannot be read")]
    Font,
    /// The drawing backend refused.
    #[error("the chart cannot be drawn")]
    Draw(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The PNG encoder refused.
    #[error("the chart cannot be encoded as PNG")]
    Encode(#[source] png::EncodingError),
}

impl Chart {
    /// The Vega-Lite 5 specification, data included. A table's has no data: its rows are the result's own.
    #[must_use]
    pub fn vega_lite(&self) -> serde_json::Value {
        vega::spec(self)
    }

    /// The picture as an SVG document of 960 x 540.
    ///
    /// # Errors
    /// [`ChartError::NoPicture`] unless [`Chart::has_picture`]; the others are faults of ours.
    pub fn svg(&self) -> Result<String, ChartError> {
        draw::svg(self)
    }

    /// The picture as a PNG file of 960 x 540.
    ///
    /// # Errors
    /// [`ChartError::NoPicture`] unless [`Chart::has_picture`]; the others are faults of ours.
    pub fn png(&self) -> Result<Vec<u8>, ChartError> {
        draw::png(self)
    }

    /// Whether some points are marked as outliers.
    fn marks_outliers(&self) -> bool {
        self.series.iter().flat_map(|series| &series.points).any(|point| point.is_marked(self.kind))
    }

    /// Whether [`Chart::svg`] and [`Chart::png`] draw this kind.
    #[must_use]
    pub fn has_picture(&self) -> bool {
        self.kind != ChartType::Table
    }
}

impl CategoryAxis {
    /// An axis of categories.
    fn categories(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// An axis of time.
    fn times(title: String, grain: Grain) -> Self {
        Self { title, grain: Some(grain), ..Self::default() }
    }

    /// An axis of numbers.
    fn numbers(title: String, unit: Unit) -> Self {
        Self { title, unit, ..Self::default() }
    }
}

impl Point {
    /// The value as far as it can be drawn: finite, and small enough that differences of two stay finite.
    fn drawable(&self) -> Option<f64> {
        drawable(self.value)
    }

    /// Whether it is marked as an outlier in a chart of this kind.
    fn is_marked(&self, kind: ChartType) -> bool {
        self.outlier && self.drawable().is_some() && !matches!(kind, ChartType::Pie | ChartType::Number | ChartType::Table)
    }
}

fn drawable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite()).map(|value| value.clamp(-1e300, 1e300))
}
