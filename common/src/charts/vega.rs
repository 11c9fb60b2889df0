//! The chart as a Vega-Lite 5 specification with its data inline and a fixed size.

use serde_json::{Map, Value, json};

use super::{Chart, ChartType, Grain, PALETTE, Unit, draw, format, periods};

const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v5.json";
/// Lines of more points show no dots.
const MOST_DOTS: usize = 100;
const WIDTH: u32 = 800;
const HEIGHT: u32 = 400;

/// The whole specification. Field names are fixed words; names and labels of the data occur as data only.
pub(super) fn spec(chart: &Chart) -> Value {
    let (mark, encoding) = match chart.kind {
        ChartType::Number => number(),
        ChartType::Bar | ChartType::GroupedBar => bars(chart),
        ChartType::Line => lines(chart),
        ChartType::Pie => pie(chart),
        ChartType::Area | ChartType::Scatter | ChartType::Histogram | ChartType::Table => (json!("text"), json!({})),
    };
    json!({
        "$schema": SCHEMA,
        "title": title(chart),
        "width": WIDTH,
        "height": height(chart),
        "background": "white",
        "data": {"values": values(chart)},
        "mark": mark,
        "encoding": encoding,
        "config": {"range": {"category": palette()}, "axis": {"labelLimit": 280}},
    })
}

fn title(chart: &Chart) -> Value {
    match &chart.note {
        Some(note) => json!({"text": chart.title, "subtitle": note, "anchor": "start"}),
        None => json!({"text": chart.title, "anchor": "start"}),
    }
}

// Lying bars get room for each, upright ones share the width.
fn height(chart: &Chart) -> u32 {
    let places = chart.series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    let bars = matches!(chart.kind, ChartType::Bar | ChartType::GroupedBar);
    if !bars || !draw::horizontal(chart) {
        return HEIGHT;
    }
    let each = if chart.series.len() > 1 { 12 * chart.series.len() + 8 } else { 22 };
    u32::try_from((places * each).clamp(200, 20_000)).unwrap_or(HEIGHT)
}

// One object a point: what is drawn, and `shown`, the value as people read it.
fn values(chart: &Chart) -> Vec<Value> {
    let mut values = Vec::new();
    for series in &chart.series {
        for point in &series.points {
            let mut value = Map::new();
            value.insert("category".to_owned(), json!(point.label));
            value.insert("series".to_owned(), json!(series.name));
            value.insert("value".to_owned(), json!(point.value));
            value.insert("shown".to_owned(), json!(format::point(point, series.unit)));
            match (chart.x.grain, point.at) {
                (None, _) | (_, None) => {}
                (Some(Grain::Number), Some(at)) => {
                    value.insert("at".to_owned(), json!(at));
                }
                (Some(_), Some(at)) => {
                    value.insert("time".to_owned(), json!(periods::iso(at)));
                }
            }
            values.push(Value::Object(value));
        }
    }
    values
}

fn number() -> (Value, Value) {
    (json!({"type": "text", "fontSize": 72}), json!({"text": {"field": "shown", "type": "nominal"}}))
}

fn bars(chart: &Chart) -> (Value, Value) {
    let category = json!({"field": "category", "type": "nominal", "sort": null, "title": chart.x.title, "axis": {"labelAngle": 0}});
    let grouped = chart.series.len() > 1;
    let (along, across, offset) = if draw::horizontal(chart) { ("y", "x", "yOffset") } else { ("x", "y", "xOffset") };
    let mut encoding = Map::new();
    encoding.insert(along.to_owned(), category);
    encoding.insert(across.to_owned(), measure(chart, true));
    if grouped {
        encoding.insert(offset.to_owned(), json!({"field": "series", "type": "nominal", "sort": null}));
        encoding.insert("color".to_owned(), series_color(chart));
    }
    encoding.insert("tooltip".to_owned(), tooltip(chart));
    (json!({"type": "bar"}), Value::Object(encoding))
}

fn lines(chart: &Chart) -> (Value, Value) {
    let time = match chart.x.grain.map(time_format) {
        Some(Some(format)) => json!({"field": "time", "type": "temporal", "title": chart.x.title, "axis": {"format": format}}),
        Some(None) => json!({"field": "at", "type": "quantitative", "title": chart.x.title,
            "scale": {"zero": false, "nice": false}, "axis": {"format": "d", "tickMinStep": 1}}),
        None => json!({"field": "category", "type": "ordinal", "sort": null, "title": chart.x.title}),
    };
    let mut encoding = Map::new();
    encoding.insert("x".to_owned(), time);
    encoding.insert("y".to_owned(), measure(chart, draw::shows_zero(chart)));
    if chart.series.len() > 1 {
        encoding.insert("color".to_owned(), series_color(chart));
    }
    encoding.insert("tooltip".to_owned(), tooltip(chart));
    let points: usize = chart.series.iter().map(|series| series.points.len()).sum();
    (json!({"type": "line", "point": points <= MOST_DOTS}), Value::Object(encoding))
}

fn pie(chart: &Chart) -> (Value, Value) {
    let encoding = json!({
        "theta": {"field": "value", "type": "quantitative", "stack": true, "title": chart.y.title},
        "color": {"field": "category", "type": "nominal", "sort": null, "title": chart.x.title},
        "tooltip": tooltip(chart),
    });
    (json!({"type": "arc", "stroke": "white"}), encoding)
}

// None where the axis counts periods instead of telling time.
fn time_format(grain: Grain) -> Option<&'static str> {
    match grain {
        Grain::Year => Some("%Y"),
        Grain::Quarter => Some("%Y-Q%q"),
        Grain::Month => Some("%Y-%m"),
        Grain::Day => Some("%Y-%m-%d"),
        Grain::Moment => Some("%Y-%m-%d %H:%M"),
        Grain::Number => None,
    }
}

fn measure(chart: &Chart, zero: bool) -> Value {
    let axis = match chart.y.unit {
        Unit::None => json!({"format": ","}),
        Unit::Won => json!({"labelExpr": "(datum.value < 0 ? '-₩' : '₩') + format(abs(datum.value), ',')"}),
        Unit::Dollar => json!({"labelExpr": "(datum.value < 0 ? '-$' : '$') + format(abs(datum.value), ',')"}),
        Unit::Percent => json!({"labelExpr": "format(datum.value, ',') + '%'"}),
        Unit::Fraction => json!({"labelExpr": "format(datum.value * 100, ',') + '%'"}),
    };
    // Said once is enough, where the measure's name is the title too.
    let title = if chart.y.title == chart.title { Value::Null } else { json!(chart.y.title) };
    json!({"field": "value", "type": "quantitative", "title": title, "scale": {"zero": zero}, "axis": axis})
}

fn series_color(chart: &Chart) -> Value {
    json!({"field": "series", "type": "nominal", "sort": null, "title": chart.series_title})
}

fn tooltip(chart: &Chart) -> Value {
    let mut shown = vec![json!({"field": "category", "type": "nominal", "title": chart.x.title})];
    if chart.series.len() > 1 {
        shown.push(json!({"field": "series", "type": "nominal", "title": chart.series_title}));
    }
    shown.push(json!({"field": "shown", "type": "nominal", "title": chart.y.title}));
    Value::Array(shown)
}

fn palette() -> Vec<String> {
    PALETTE.iter().map(|(red, green, blue)| format!("#{red:02x}{green:02x}{blue:02x}")).collect()
}
