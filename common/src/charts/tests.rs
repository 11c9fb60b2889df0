//! The specification and the pictures, of ordinary and of nasty charts.

use serde_json::json;

use super::*;
use crate::model::results::{Column, ColumnKind, ResultView, Row};

fn chart(columns: &[(&str, ColumnKind)], rows: serde_json::Value, question: &str) -> Chart {
    let column = |(name, kind): &(&str, ColumnKind)| Column { name: (*name).to_owned(), type_name: String::new(), kind: *kind };
    let columns: Vec<Column> = columns.iter().map(column).collect();
    let rows: Vec<Row> = serde_json::from_value(rows).expect("rows of cells");
    let view = ResultView { columns: &columns, rows: &rows, row_count: rows.len() as u64, complete: true, truncated: false };
    choose(&view, question, Language::of(question), None)
}

fn sales() -> Chart {
    let columns = [("도시", ColumnKind::Text), ("매출(원)", ColumnKind::Integer)];
    chart(&columns, json!([["서울", 1_234_567], ["<script>&\"'", 500_000], ["부산", -250_000]]), "도시별 매출은?")
}

fn months() -> Chart {
    let columns = [("m", ColumnKind::Text), ("city", ColumnKind::Text), ("n", ColumnKind::Integer)];
    let rows = json!([["2024-01", "서울", 1], ["2024-01", "부산", 2], ["2024-02", "서울", 3], ["2024-02", "부산", null]]);
    chart(&columns, rows, "월별 주문 수")
}

#[test]
fn bars_are_specified() {
    let spec = sales().vega_lite();
    assert_eq!(spec["$schema"], "https://vega.github.io/schema/vega-lite/v5.json");
    assert_eq!(spec["mark"]["type"], "bar");
    assert_eq!((&spec["width"], &spec["height"]), (&json!(800), &json!(400)));
    assert_eq!(spec["encoding"]["x"]["title"], "도시");
    assert_eq!(spec["encoding"]["x"]["sort"], json!(null));
    assert_eq!(spec["encoding"]["y"]["title"], "매출(원)");
    assert!(spec["encoding"]["y"]["axis"]["labelExpr"].as_str().is_some_and(|label| label.contains('₩')));
    assert_eq!(spec["data"]["values"][0]["category"], "서울");
    assert_eq!(spec["data"]["values"][0]["value"], json!(1_234_567.0));
    assert_eq!(spec["data"]["values"][2]["shown"], "-₩250,000");
}

#[test]
fn lines_are_specified() {
    let spec = months().vega_lite();
    assert_eq!(spec["mark"]["type"], "line");
    assert_eq!(spec["encoding"]["x"]["type"], "temporal");
    assert_eq!(spec["encoding"]["x"]["axis"]["format"], "%Y-%m");
    assert_eq!(spec["encoding"]["color"]["field"], "series");
    assert_eq!(spec["data"]["values"][0]["time"], "2024-01-01T00:00:00");
    let gap = spec["data"]["values"].as_array().into_iter().flatten().find(|value| value["value"].is_null());
    assert_eq!(gap.map(|value| &value["series"]), Some(&json!("부산")));
}

#[test]
fn the_other_kinds_are_specified() {
    let mut chart = sales();
    for (kind, mark) in [(ChartType::Pie, json!("arc")), (ChartType::Number, json!("text"))] {
        chart.kind = kind;
        assert_eq!(chart.vega_lite()["mark"]["type"], mark);
    }
    let mut grouped = months();
    grouped.kind = ChartType::GroupedBar;
    assert_eq!(grouped.vega_lite()["encoding"]["xOffset"]["field"], "series");
    let columns = [("c", ColumnKind::Text), ("n", ColumnKind::Integer)];
    let many = self::chart(&columns, (0..30).map(|n| json!([format!("c{n}"), n])).collect(), "q");
    assert_eq!(many.vega_lite()["encoding"]["y"]["field"], "category", "many bars lie");
    let table = self::chart(&columns, json!([]), "q");
    assert_eq!(table.vega_lite()["data"]["values"], json!([]));
}

#[test]
fn charts_survive_storage() {
    for chart in [sales(), months()] {
        let stored = serde_json::to_string(&chart).expect("a chart serialises");
        assert_eq!(serde_json::from_str::<Chart>(&stored).expect("and comes back"), chart);
    }
}

#[test]
fn svg_shows_hangul_and_won_and_escapes_the_rest() {
    let svg = sales().svg().expect("a picture");
    assert!(svg.starts_with(r#"<svg width="960" height="540" viewBox="0 0 1920 1080""#), "{}", &svg[..80]);
    assert!(svg.trim_end().ends_with("</svg>"));
    for text in ["서울", "부산", "도시별 매출은?", "매출(원)", "₩1,234,567", "-₩250,000", "&lt;script&gt;&amp;&quot;&apos;"]
    {
        assert!(svg.contains(text), "{text} is missing");
    }
    assert!(!svg.contains("<script"));
}

#[test]
fn svg_of_lines_has_a_legend_and_times() {
    let svg = months().svg().expect("a picture");
    for text in ["서울", "2024-01", "2024-02", "월별 주문 수", "<polyline"] {
        assert!(svg.contains(text), "{text} is missing");
    }
}

#[test]
fn numbers_are_shown_large() {
    let total = chart(&[("총매출(원)", ColumnKind::Number)], json!([["12345678901234567890"]]), "총매출은?");
    let svg = total.svg().expect("a picture");
    assert!(svg.contains("₩12,345,678,901,234,567,890") && svg.contains("총매출(원)"));
}

#[test]
fn png_is_a_picture_of_the_right_size() {
    let file = sales().png().expect("a picture");
    assert_eq!(file[..8], [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n']);
    assert_eq!(&file[12..16], b"IHDR");
    assert_eq!((&file[16..20], &file[20..24]), (&960_u32.to_be_bytes()[..], &540_u32.to_be_bytes()[..]));
    let mut reader = png::Decoder::new(file.as_slice()).read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size()];
    reader.next_frame(&mut pixels).expect("pixels");
    let (red, green, blue) = PALETTE[0];
    let bars = pixels.chunks_exact(3).filter(|pixel| *pixel == [red, green, blue]).count();
    let dark = pixels.chunks_exact(3).filter(|pixel| pixel.iter().all(|channel| *channel < 120)).count();
    assert!(bars > 10_000 && dark > 100, "{bars} pixels of bars and {dark} of text");
    assert_eq!(pixels[..3], [255, 255, 255]);
}

#[test]
fn tables_have_no_picture() {
    let mut chart = sales();
    for kind in ChartType::ALL {
        chart.kind = *kind;
        assert_eq!(chart.has_picture(), chart.svg().is_ok(), "{kind}");
        assert_eq!(chart.has_picture(), chart.png().is_ok(), "{kind}");
    }
    chart.kind = ChartType::Table;
    assert!(matches!(chart.svg(), Err(ChartError::NoPicture(ChartType::Table))));
}

// Values and places that break axes, and labels that break layouts.
fn nasty() -> Vec<Vec<Series>> {
    let text = |label: &str, at: Option<f64>, value: Option<f64>| Point { label: label.to_owned(), at, value, exact: None };
    let series = |points: Vec<Point>| Series { name: "🎉<&>\"'".repeat(40), unit: Unit::Won, points };
    let valued = |values: &[f64]| {
        let points = values.iter().enumerate().map(|(n, value)| text(&format!("가{n}"), Some(n as f64), Some(*value)));
        series(points.collect())
    };
    let long = "가나다라마".repeat(2_000);
    let odd_labels = ["", " ", "\u{0}\u{8}", "👨‍👩‍👧🎉", "\u{202E}abc", "<![CDATA[", long.as_str()];
    let many: Vec<f64> = (0..500).map(|n| f64::from(n) * if n % 2 == 0 { 1e9 } else { -1.0 }).collect();
    vec![
        vec![],
        vec![series(vec![])],
        vec![series(vec![text("빈 값", Some(1.0), None)])],
        vec![valued(&[0.0, -0.0, 0.0])],
        vec![valued(&[7.0, 7.0, 7.0])],
        vec![valued(&[5.0])],
        vec![valued(&[-5.0, -6.0])],
        vec![valued(&[1e300, -1e300, f64::MAX, f64::MIN, 1.0])],
        vec![valued(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 1e-300])],
        vec![series(odd_labels.iter().map(|label| text(label, None, Some(3.5))).collect())],
        vec![series(vec![
            text("a", Some(f64::NAN), Some(1.0)),
            text("b", Some(f64::MAX), Some(2.0)),
            text("c", Some(f64::MIN), Some(3.0)),
        ])],
        vec![valued(&many); 20],
        vec![valued(&[1.0, 2.0]), series(vec![]), valued(&[3.0])],
    ]
}

fn draw_nasty(kind: ChartType) {
    for (case, series) in nasty().into_iter().enumerate() {
        for grain in [None, Some(Grain::Month)] {
            let mut chart = sales();
            chart.kind = kind;
            chart.title = "\u{0}가🎉".repeat(1_000);
            chart.note = Some("n".repeat(1_000));
            chart.x.grain = grain;
            chart.series = series.clone();
            let svg = chart.svg().unwrap_or_else(|error| panic!("{kind} {case}: {error}"));
            assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
            assert!(svg.chars().all(|c| c == '\n' || !c.is_control()), "{kind} {case}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{kind} {case}");
            assert!(chart.vega_lite().is_object());
            if grain.is_none() {
                let png = chart.png().unwrap_or_else(|error| panic!("{kind} {case}: {error}"));
                assert!(png.starts_with(&[0x89, b'P', b'N', b'G']));
            }
        }
    }
}

#[test]
fn nasty_numbers_are_drawn() {
    draw_nasty(ChartType::Number);
}

#[test]
fn nasty_bars_are_drawn() {
    draw_nasty(ChartType::Bar);
}

#[test]
fn nasty_groups_are_drawn() {
    draw_nasty(ChartType::GroupedBar);
}

#[test]
fn nasty_lines_are_drawn() {
    draw_nasty(ChartType::Line);
}

#[test]
fn nasty_pies_are_drawn() {
    draw_nasty(ChartType::Pie);
}
