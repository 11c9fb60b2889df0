//! Charts whose lying axis holds numbers or times by which points are placed: pairs, and stretches with their counts.

use serde_json::{Map, Value, json};

use super::{axis_labels, axis_of_places, color, measure, time_format, tooltip};
use crate::charts::{Chart, Grain};

/// Mark and encoding of pairs of numbers.
pub(super) fn scatter(chart: &Chart) -> (Value, Value) {
    let mut across = axis(chart);
    across.insert("scale".to_owned(), json!({"zero": false}));
    let mut encoding = Map::new();
    encoding.insert("x".to_owned(), Value::Object(across));
    encoding.insert("y".to_owned(), measure(chart, false));
    encoding.extend(color(chart).map(|color| ("color".to_owned(), color)));
    if chart.marks_outliers() {
        encoding.insert("shape".to_owned(), json!({"condition": {"test": "datum.outlier", "value": "diamond"}, "value": "circle"}));
        encoding.insert("size".to_owned(), json!({"condition": {"test": "datum.outlier", "value": 110}, "value": 45}));
    }
    let mut shown = Vec::new();
    if chart.series.iter().flat_map(|series| &series.points).any(|point| !point.label.is_empty()) {
        shown.push(json!({"field": "category", "type": "nominal"}));
    }
    if chart.series.len() > 1 {
        shown.push(json!({"field": "series", "type": "nominal", "title": chart.series_title}));
    }
    let place = axis_of_places(chart);
    shown.push(match place.kind {
        "temporal" => json!({"field": place.name, "type": place.kind, "title": chart.x.title}),
        _ => json!({"field": "shown_at", "type": "nominal", "title": chart.x.title}),
    });
    shown.push(json!({"field": "shown", "type": "nominal", "title": chart.y.title}));
    encoding.insert("tooltip".to_owned(), Value::Array(shown));
    (json!({"type": "point", "filled": true, "size": 45, "opacity": 0.65}), Value::Object(encoding))
}

/// Mark and encoding of counts in stretches.
pub(super) fn histogram(chart: &Chart) -> (Value, Value) {
    let place = axis_of_places(chart);
    let mut across = axis(chart);
    if place.kind == "quantitative" {
        across.insert("bin".to_owned(), json!("binned"));
        across.insert("scale".to_owned(), json!({"zero": false}));
    }
    let mut encoding = Map::new();
    encoding.insert("x".to_owned(), Value::Object(across));
    encoding.insert("x2".to_owned(), json!({"field": place.end}));
    encoding.insert("y".to_owned(), measure(chart, true));
    // With both ends of both directions given a bar is a rectangle, on an axis of times too.
    encoding.insert("y2".to_owned(), json!({"datum": 0}));
    encoding.extend(color(chart).map(|color| ("color".to_owned(), color)));
    encoding.insert("tooltip".to_owned(), tooltip(chart));
    (json!({"type": "bar"}), Value::Object(encoding))
}

fn axis(chart: &Chart) -> Map<String, Value> {
    let place = axis_of_places(chart);
    let labels = match chart.x.grain.filter(|grain| *grain != Grain::Number).and_then(time_format) {
        Some(format) => json!({"format": format}),
        None => axis_labels(chart.x.unit),
    };
    let mut axis = Map::new();
    axis.insert("field".to_owned(), json!(place.name));
    axis.insert("type".to_owned(), json!(place.kind));
    axis.insert("title".to_owned(), json!(chart.x.title));
    axis.insert("axis".to_owned(), labels);
    axis
}
