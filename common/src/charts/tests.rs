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
fn charts_of_older_versions_are_read() {
    let stored = json!({
        "kind": "line", "title": "월별", "language": "ko", "x": {"title": "m", "grain": "month"}, "y": {"title": "n", "unit": "none"},
        "series_title": "", "truncated": false,
        "series": [{"name": "n", "unit": "none", "points": [{"label": "2024-01", "at": 1_704_067_200.0, "value": 1.0}]}],
    });
    let chart: Chart = serde_json::from_value(stored.clone()).expect("an older chart is read");
    let point = &chart.series[0].points[0];
    assert_eq!((chart.stacked, chart.x.unit, point.to, point.outlier), (false, Unit::None, None, false));
    assert_eq!(serde_json::to_value(&chart).expect("a chart serialises"), stored, "what is not used is not written");
}

fn days(values: &[f64]) -> TimeSeries {
    let day = |n: usize| chrono::DateTime::from_timestamp(n as i64 * 86_400, 0).expect("a day").naive_utc();
    let points = values.iter().enumerate().map(|(n, value)| (day(n), Some(*value))).collect();
    TimeSeries { name: "매출".to_owned(), unit: Unit::Won, points }
}

fn ages() -> Chart {
    let values = [21.0, 22.0, 25.0, 31.0, 33.0, 34.0, 36.0, 38.0, 41.0, 97.0];
    Chart::histogram("나이", Language::Korean, "나이", Unit::None, bins(&values)).marking_outside(0.0, 60.0)
}

fn cloud(pairs: u32) -> Chart {
    let pair = |n: u32| Pair { x: f64::from(n), y: f64::from(n * n % 101), label: format!("행 {n}"), outlier: n == 7 };
    Chart::scatter("가격과 수량", Language::Korean, ("가격", Unit::Won), ("수량", Unit::None), (0..pairs).map(pair), None)
}

#[test]
fn programs_make_charts() {
    let bars = Chart::bars("t", Language::English, "city", "sales", Unit::Dollar, (0..201).map(|n| (format!("c{n}\n"), Some(1.0))));
    assert_eq!((bars.kind, bars.series[0].points.len(), bars.truncated), (ChartType::Bar, 200, true));
    assert_eq!((bars.series[0].points[0].label.as_str(), bars.note.as_deref()), ("c0", Some("first 200 of 201")));
    let series = (0..14_u8).map(|n| TimeSeries { name: format!("s{n}"), ..days(&[f64::from(n)]) }).collect();
    let lines = Chart::over_time(Timeline::Stacked, "t", Language::Korean, "일", Grain::Day, "매출", series);
    assert_eq!((lines.kind, lines.stacked, lines.y.unit, lines.series.len()), (ChartType::Area, true, Unit::Won, MAX_SERIES));
    assert_eq!(lines.note.as_deref(), Some("14개 계열 중 가장 큰 12개"));
    assert_eq!(lines.series[0].points[0].label, "1970-01-01");

    let counted: Vec<Bin> = (0..450_u32).map(|n| Bin { from: f64::from(n), to: f64::from(n + 1), count: 1 }).collect();
    let histogram = Chart::histogram("t", Language::English, "age", Unit::None, counted);
    let points = &histogram.series[0].points;
    assert_eq!((points.len(), points.iter().filter_map(|point| point.value).sum::<f64>()), (150, 450.0), "neighbours are put together");
    assert_eq!((points[0].label.as_str(), histogram.x.title.as_str(), histogram.y.title.as_str()), ("0 – 3", "age", "count"));
    let moments = vec![Bin { from: 0.0, to: 86_400.0, count: 3 }];
    let moments = Chart::histogram_of_times("t", Language::English, "day", Grain::Day, moments);
    assert_eq!(moments.series[0].points[0].label, "1970-01-01 – 1970-01-02");
}

#[test]
fn pairs_beyond_the_limit_are_a_sample_that_says_so() {
    let small = cloud(1_000);
    assert_eq!((small.series[0].points.len(), small.note.as_deref(), small.truncated), (1_000, None, false));
    let large = cloud(40_000);
    assert_eq!((large.series[0].points.len(), large.note.as_deref()), (1_000, Some("40,000개 점 중 표본 1,000개")));
    assert!(large.truncated && large.series[0].points.iter().any(|point| point.outlier), "outliers are kept");
    assert_eq!(large, cloud(40_000));
    let some = Chart::scatter("t", Language::English, ("x", Unit::None), ("y", Unit::None), [Pair::default()], Some(500));
    assert_eq!(some.note.as_deref(), Some("a sample of 1 of 500 points"));
    let odd = [(f64::NAN, 1.0), (1.0, f64::INFINITY), (1.0, 2.0)].map(|(x, y)| Pair { x, y, ..Pair::default() });
    let odd = Chart::scatter("t", Language::English, ("x", Unit::None), ("y", Unit::None), odd, None);
    assert_eq!((odd.series[0].points.len(), odd.note), (1, None), "what is not finite is no pair");
}

#[test]
fn areas_are_specified() {
    let both = vec![days(&[1.0, 2.0]), TimeSeries { name: "비용".to_owned(), ..days(&[3.0, 1.0]) }];
    let of = |form| Chart::over_time(form, "t", Language::Korean, "일", Grain::Day, "원", both.clone());
    let spec = of(Timeline::Area).vega_lite();
    assert_eq!((&spec["mark"]["type"], &spec["encoding"]["y"]["stack"]), (&json!("area"), &json!(null)));
    assert_eq!(spec["encoding"]["y"]["scale"]["zero"], true);
    let spec = of(Timeline::Stacked).vega_lite();
    assert_eq!((&spec["encoding"]["y"]["stack"], &spec["encoding"]["order"]["field"]), (&json!("zero"), &json!("place")));
    let marked = of(Timeline::Stacked).marking_outside(0.0, 2.5).vega_lite();
    assert_eq!((&marked["layer"][0]["mark"]["type"], &marked["layer"][1]["mark"]["shape"]), (&json!("area"), &json!("diamond")));
    let outliers: Vec<_> = marked["data"]["values"].as_array().into_iter().flatten().filter(|value| value["outlier"] == true).collect();
    assert_eq!((outliers.len(), &outliers[0]["value"], &outliers[0]["top"]), (1, &json!(3.0), &json!(4.0)));
}

#[test]
fn pairs_are_specified() {
    let spec = cloud(20).vega_lite();
    assert_eq!(
        (&spec["mark"]["type"], &spec["encoding"]["x"]["field"], &spec["encoding"]["x"]["type"]),
        (&json!("point"), &json!("at"), &json!("quantitative"))
    );
    assert!(spec["encoding"]["x"]["axis"]["labelExpr"].as_str().is_some_and(|label| label.contains('₩')));
    assert_eq!(spec["encoding"]["shape"]["condition"]["test"], "datum.outlier");
    let values = &spec["data"]["values"];
    assert_eq!((&values[7]["at"], &values[7]["value"], &values[7]["outlier"]), (&json!(7.0), &json!(49.0), &json!(true)));
    assert_eq!((&values[6]["outlier"], &values[6]["shown_at"]), (&json!(null), &json!("₩6")));
}

#[test]
fn histograms_are_specified() {
    let spec = ages().vega_lite();
    assert_eq!(
        (&spec["mark"]["type"], &spec["encoding"]["x"]["bin"], &spec["encoding"]["x2"]["field"]),
        (&json!("bar"), &json!("binned"), &json!("to"))
    );
    let values = spec["data"]["values"].as_array().expect("values");
    assert_eq!((&values[0]["at"], &values[0]["to"], &values[0]["category"]), (&json!(20.0), &json!(40.0), &json!("20 – 40")));
    assert_eq!(values.iter().filter(|value| value["outlier"] == true).count(), 1, "the stretch beyond the fences, and no empty one");
    assert_eq!(spec["encoding"]["color"]["condition"]["value"], "#c8102e");
    let moments = vec![Bin { from: 0.0, to: 86_400.0, count: 3 }];
    let spec = Chart::histogram_of_times("t", Language::English, "day", Grain::Day, moments).vega_lite();
    assert_eq!((&spec["encoding"]["x"]["type"], &spec["data"]["values"][0]["end"]), (&json!("temporal"), &json!("1970-01-02T00:00:00")));
}

#[test]
fn outliers_are_drawn_in_their_own_colour_and_named() {
    let line = Chart::over_time(Timeline::Line, "t", Language::English, "d", Grain::Day, "v", vec![days(&[1.0, 2.0, 90.0])]);
    let bars = Chart::bars("t", Language::English, "c", "v", Unit::None, [("a".to_owned(), Some(1.0)), ("b".to_owned(), Some(90.0))]);
    for (chart, name) in [
        (line.marking_outside(0.0, 10.0), "outliers"),
        (bars.marking_outside(0.0, 10.0), "outliers"),
        (cloud(20), "이상치"),
        (ages(), "이상치"),
    ] {
        let svg = chart.svg().expect("a picture");
        assert!(svg.contains("#C8102E") && svg.contains(name), "{}", chart.kind);
        let mut plain = chart.clone();
        plain.series.iter_mut().flat_map(|series| &mut series.points).for_each(|point| point.outlier = false);
        let svg = plain.svg().expect("a picture");
        assert!(!svg.contains("#C8102E") && !svg.contains(name), "{}", chart.kind);
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
    let text = |label: &str, at: Option<f64>, value: Option<f64>| Point { label: label.to_owned(), at, value, ..Point::default() };
    let series = |points: Vec<Point>| Series { name: "🎉<&>\"'".repeat(40), unit: Unit::Won, points };
    let valued = |values: &[f64]| {
        let points = values.iter().enumerate().map(|(n, value)| Point {
            to: Some(n as f64 + 1.0),
            outlier: n % 3 == 0,
            ..text(&format!("가{n}"), Some(n as f64), Some(*value))
        });
        series(points.collect())
    };
    let stretch = |at: f64, to: f64| Point { to: Some(to), outlier: true, ..text("가", Some(at), Some(2.0)) };
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
        vec![series(vec![stretch(1.0, 1.0), stretch(5.0, 2.0), stretch(f64::NAN, 1.0), stretch(0.0, f64::INFINITY)])],
        vec![series(vec![stretch(f64::MIN, f64::MAX), stretch(-1e-300, 1e-300)])],
        vec![series(vec![stretch(5e-324, 1e-320)])],
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
            chart.stacked = case % 2 == 0;
            let svg = chart.svg().unwrap_or_else(|error| panic!("{kind} {case}: {error}"));
            assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
            assert!(svg.chars().all(|c| c == '\n' || !c.is_control()), "{kind} {case}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{kind} {case}");
            assert!(chart.vega_lite().is_object());
            let stored = serde_json::to_string(&chart).expect("a chart serialises");
            assert!(serde_json::from_str::<Chart>(&stored).is_ok(), "{kind} {case}");
            if grain.is_none() {
                let png = chart.png().unwrap_or_else(|error| panic!("{kind} {case}: {error}"));
                assert!(png.starts_with(&[0x89, b'P', b'N', b'G']));
            }
        }
    }
}

#[test]
fn nasty_areas_are_drawn() {
    draw_nasty(ChartType::Area);
}

#[test]
fn nasty_pairs_are_drawn() {
    draw_nasty(ChartType::Scatter);
}

#[test]
fn nasty_histograms_are_drawn() {
    draw_nasty(ChartType::Histogram);
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
