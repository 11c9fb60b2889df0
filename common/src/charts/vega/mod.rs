//! The chart as a Vega-Lite 5 specification with its data inline and a fixed size.

mod spread;

use serde_json::{Map, Value, json};

use super::{Chart, ChartType, Grain, OUTLIER_COLOR, PALETTE, Point, Unit, draw, format, periods};

const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v5.json";
/// Lines of more points show no dots.
const MOST_DOTS: usize = 100;
const WIDTH: u32 = 800;
const HEIGHT: u32 = 400;

/// What tells where a chart's points lie, in a field's name and type.
struct Field {
    name: &'static str,
    /// Where stretches end.
    end: &'static str,
    kind: &'static str,
}

/// The whole specification. Field names are fixed words; names and labels of the data occur as data only.
pub(super) fn spec(chart: &Chart) -> Value {
    let (mark, encoding) = match chart.kind {
        ChartType::Number => number(),
        ChartType::Bar | ChartType::GroupedBar => bars(chart),
        ChartType::Line | ChartType::Area => lines(chart),
        ChartType::Pie => pie(chart),
        ChartType::Scatter => spread::scatter(chart),
        ChartType::Histogram => spread::histogram(chart),
        ChartType::Table => (json!("text"), json!({})),
    };
    let mut spec = json!({
        "$schema": SCHEMA,
        "title": title(chart),
        "width": WIDTH,
        "height": height(chart),
        "background": "white",
        "data": {"values": values(chart)},
        "config": {"range": {"category": palette()}, "mark": {"color": palette().first()}, "axis": {"labelLimit": 280}},
    });
    if let Some(spec) = spec.as_object_mut() {
        if chart.marks_outliers() && matches!(chart.kind, ChartType::Line | ChartType::Area) {
            spec.insert("layer".to_owned(), json!([{ "mark": mark, "encoding": encoding }, marks_on_lines(chart, &encoding)]));
        } else {
            spec.insert("mark".to_owned(), mark);
            spec.insert("encoding".to_owned(), encoding);
        }
    }
    spec
}

// Diamonds over lines: a layer of its own, as a line is one mark for many points.
fn marks_on_lines(chart: &Chart, lines: &Value) -> Value {
    let mut encoding = Map::new();
    for channel in ["x", "y", "tooltip"] {
        encoding.insert(channel.to_owned(), lines[channel].clone());
    }
    if chart.stacked {
        // Where the areas below end was added up before: this layer has the marked points only.
        encoding.insert("y".to_owned(), json!({"field": "top", "type": "quantitative"}));
    }
    json!({
        "transform": [{"filter": "datum.outlier"}],
        "mark": {"type": "point", "shape": "diamond", "filled": true, "size": 110, "color": outlier_color(), "opacity": 1},
        "encoding": encoding,
    })
}

fn outlier_color() -> String {
    let (red, green, blue) = OUTLIER_COLOR;
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn axis_of_places(chart: &Chart) -> Field {
    match chart.x.grain {
        None | Some(Grain::Number) => Field { name: "at", end: "to", kind: "quantitative" },
        Some(_) => Field { name: "time", end: "end", kind: "temporal" },
    }
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
    let tops = if chart.stacked && chart.marks_outliers() { draw::tops(chart) } else { Vec::new() };
    let mut values = Vec::new();
    for (index, series) in chart.series.iter().enumerate() {
        for (place, point) in series.points.iter().enumerate() {
            let mut value = Map::new();
            value.insert("category".to_owned(), json!(point.label));
            value.insert("series".to_owned(), json!(series.name));
            // A gap within a stack is no part of the whole.
            let height = if chart.stacked { point.value.or(Some(0.0)) } else { point.value };
            value.insert("value".to_owned(), json!(height));
            value.insert("shown".to_owned(), json!(format::point(point, series.unit)));
            if chart.stacked {
                value.insert("place".to_owned(), json!(index));
            }
            insert_place(&mut value, chart, point);
            if point.is_marked(chart.kind) {
                value.insert("outlier".to_owned(), json!(true));
                if let Some(top) = tops.get(index).and_then(|tops| tops.get(place)) {
                    value.insert("top".to_owned(), json!(top));
                }
            }
            values.push(Value::Object(value));
        }
    }
    values
}

// Where a point lies: a number or a time, and where a stretch ends.
fn insert_place(value: &mut Map<String, Value>, chart: &Chart, point: &Point) {
    let of_numbers = matches!(chart.kind, ChartType::Scatter | ChartType::Histogram);
    if chart.x.grain.is_none() && !of_numbers {
        return;
    }
    let field = axis_of_places(chart);
    let told = |place: f64| if field.kind == "temporal" { json!(periods::iso(place)) } else { json!(place) };
    if let Some(at) = point.at {
        value.insert(field.name.to_owned(), told(at));
        if chart.kind == ChartType::Scatter && field.kind == "quantitative" {
            value.insert("shown_at".to_owned(), json!(format::value(at, chart.x.unit)));
        }
    }
    if let Some(to) = point.to {
        value.insert(field.end.to_owned(), told(to));
    }
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
    }
    encoding.extend(color(chart).map(|color| ("color".to_owned(), color)));
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
    let mut measured = measure(chart, draw::shows_zero(chart));
    if chart.kind == ChartType::Area
        && let Some(measured) = measured.as_object_mut()
    {
        measured.insert("stack".to_owned(), if chart.stacked { json!("zero") } else { Value::Null });
    }
    encoding.insert("y".to_owned(), measured);
    if chart.series.len() > 1 {
        encoding.insert("color".to_owned(), series_color(chart));
    }
    if chart.stacked {
        // Without it the areas would be stacked by their names.
        encoding.insert("order".to_owned(), json!({"field": "place", "type": "quantitative"}));
    }
    encoding.insert("tooltip".to_owned(), tooltip(chart));
    let points: usize = chart.series.iter().map(|series| series.points.len()).sum();
    let mark = match chart.kind {
        ChartType::Area => json!({"type": "area", "line": true, "opacity": if chart.stacked { 0.75 } else { 0.28 }}),
        _ => json!({"type": "line", "point": points <= MOST_DOTS}),
    };
    (mark, Value::Object(encoding))
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
    let axis = axis_labels(chart.y.unit);
    // Said once is enough, where the measure's name is the title too.
    let title = if chart.y.title == chart.title { Value::Null } else { json!(chart.y.title) };
    json!({"field": "value", "type": "quantitative", "title": title, "scale": {"zero": zero}, "axis": axis})
}

fn axis_labels(unit: Unit) -> Value {
    match unit {
        // As an axis' own format "," would become scientific.
        Unit::None => json!({"labelExpr": "format(datum.value, ',')"}),
        Unit::Won => json!({"labelExpr": "(datum.value < 0 ? '-₩' : '₩') + format(abs(datum.value), ',')"}),
        Unit::Dollar => json!({"labelExpr": "(datum.value < 0 ? '-$' : '$') + format(abs(datum.value), ',')"}),
        Unit::Percent => json!({"labelExpr": "format(datum.value, ',') + '%'"}),
        Unit::Fraction => json!({"labelExpr": "format(datum.value * 100, ',') + '%'"}),
    }
}

// The colour of marks that are one for each point: outliers have their own.
fn color(chart: &Chart) -> Option<Value> {
    let several = chart.series.len() > 1;
    if !chart.marks_outliers() {
        return several.then(|| series_color(chart));
    }
    let mut color = if several { series_color(chart) } else { json!({"value": palette().first()}) };
    if let Some(color) = color.as_object_mut() {
        color.insert("condition".to_owned(), json!({"test": "datum.outlier", "value": outlier_color()}));
    }
    Some(color)
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
