//! Which chart for which columns.

use serde_json::{Value, json};

use super::*;
use crate::{
    charts::Grain,
    model::results::{Column, ColumnKind, Row},
};
use ColumnKind::{Boolean, Date, Integer, Number, Other, Text, Timestamp};

struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

impl Table {
    fn of(columns: &[(&str, ColumnKind)], rows: Value) -> Self {
        let column = |(name, kind): &(&str, ColumnKind)| Column { name: (*name).to_owned(), type_name: String::new(), kind: *kind };
        Self { columns: columns.iter().map(column).collect(), rows: serde_json::from_value(rows).expect("rows of cells") }
    }

    fn view(&self) -> ResultView<'_> {
        let row_count = self.rows.len() as u64;
        ResultView { columns: &self.columns, rows: &self.rows, row_count, complete: true, truncated: false }
    }

    fn chart(&self, question: &str, wish: Option<&str>) -> Chart {
        choose(&self.view(), question, Language::of(question), wish)
    }
}

fn labels(chart: &Chart) -> Vec<&str> {
    chart.series.iter().flat_map(|series| &series.points).map(|point| point.label.as_str()).collect()
}

#[test]
fn columns_decide() {
    let city = json!([["서울", 3], ["부산", 2], ["대구", 1]]);
    let grid = json!([["서울", "개인", 1], ["서울", "기업", 2], ["부산", "개인", 3], ["부산", "기업", 4]]);
    type Case<'a> = (&'a str, &'a [(&'a str, ColumnKind)], Value, ChartType);
    let cases: &[Case<'_>] = &[
        ("one number", &[("count", Integer)], json!([[5]]), ChartType::Number),
        ("one numeric", &[("합계", Number)], json!([["1234.50"]]), ChartType::Number),
        ("one year", &[("year", Integer)], json!([[2024]]), ChartType::Number),
        ("one id", &[("id", Integer)], json!([[7]]), ChartType::Number),
        ("one NULL", &[("sum", Number)], json!([[null]]), ChartType::Table),
        ("one member", &[("city", Text), ("total", Integer)], json!([["서울", 3]]), ChartType::Number),
        ("comparable numbers", &[("min", Integer), ("max", Integer)], json!([[3, 90]]), ChartType::Bar),
        ("incomparable numbers", &[("orders", Integer), ("sum", Integer)], json!([[3, 90_000_000]]), ChartType::Table),
        ("category", &[("city", Text), ("total", Integer)], city, ChartType::Bar),
        ("boolean", &[("active", Boolean), ("n", Integer)], json!([[true, 3], [false, 2]]), ChartType::Bar),
        ("enumeration", &[("status", Other), ("n", Integer)], json!([["paid", 3], ["open", 2]]), ChartType::Bar),
        ("document", &[("doc", Other), ("n", Integer)], json!([["{}", 3], ["[]", 2]]), ChartType::Table),
        ("id and number", &[("customer_id", Integer), ("n", Integer)], json!([[1, 3], [2, 2]]), ChartType::Bar),
        ("ids only", &[("id", Integer)], json!([[1], [2]]), ChartType::Table),
        ("weekdays", &[("dow", Integer), ("n", Integer)], json!([[0, 3], [1, 2]]), ChartType::Bar),
        ("two categories", &[("city", Text), ("segment", Text), ("n", Integer)], grid, ChartType::GroupedBar),
        ("two measures", &[("c", Text), ("a", Integer), ("b", Number)], json!([["x", 1, "2"], ["y", 3, "4"]]), ChartType::GroupedBar),
        ("raw rows", &[("c", Text), ("n", Integer)], json!([["x", 1], ["x", 2], ["x", 1], ["y", 2], ["y", 2]]), ChartType::Table),
        ("dates", &[("day", Date), ("n", Integer)], json!([["2024-01-01", 1], ["2024-01-02", 2]]), ChartType::Line),
        ("text months", &[("m", Text), ("n", Integer)], json!([["2024-01", 1], ["2024-02", 2]]), ChartType::Line),
        ("Korean months", &[("m", Text), ("n", Integer)], json!([["2024년 1월", 1], ["2024년 2월", 2]]), ChartType::Line),
        ("mixed texts", &[("m", Text), ("n", Integer)], json!([["2024-01", 1], ["기타", 2]]), ChartType::Bar),
        ("years", &[("year", Integer), ("n", Integer)], json!([[2023, 1], [2024, 2]]), ChartType::Line),
        ("numeric years", &[("연도", Number), ("n", Integer)], json!([["2023", 1], ["2024", 2]]), ChartType::Line),
        ("months of a year", &[("월", Integer), ("n", Integer)], json!([[1, 1], [2, 2]]), ChartType::Line),
        ("no month", &[("month", Integer), ("n", Integer)], json!([[1, 1], [200, 2]]), ChartType::Table),
        ("texts", &[("a", Text), ("b", Text)], json!([["x", "y"], ["z", "w"]]), ChartType::Table),
        ("no rows", &[("a", Text), ("n", Integer)], json!([]), ChartType::Table),
        ("no columns", &[], json!([[]]), ChartType::Table),
        ("short rows", &[("a", Text), ("n", Integer)], json!([["x"], ["y"]]), ChartType::Table),
        (
            "listing",
            &[("id", Integer), ("ordered_at", Timestamp), ("amount", Integer)],
            json!([[1, "2024-01-01 10:00", 5], [2, "2024-01-02 11:00", 6], [3, "2024-01-02 12:00", 7]]),
            ChartType::Table,
        ),
        (
            "customers",
            &[("name", Text), ("email", Text), ("city", Text), ("total", Integer)],
            json!([["a", "a@x", "서울", 1], ["b", "b@x", "서울", 2], ["c", "c@x", "부산", 2]]),
            ChartType::Bar,
        ),
        (
            "year and category",
            &[("year", Integer), ("city", Text), ("n", Integer)],
            json!([[2024, "서울", 1], [2024, "부산", 2], [2024, "대구", 3]]),
            ChartType::Bar,
        ),
        (
            "time and category",
            &[("m", Text), ("city", Text), ("n", Integer)],
            json!([["2024-01", "서울", 1], ["2024-01", "부산", 2], ["2024-02", "서울", 3], ["2024-02", "부산", 4]]),
            ChartType::Line,
        ),
    ];
    for (name, columns, rows, expected) in cases {
        assert_eq!(Table::of(columns, rows.clone()).chart("얼마야?", None).kind, *expected, "{name}");
    }
}

#[test]
fn questions_and_wishes_choose_among_what_is_possible() {
    let city: &[(&str, ColumnKind)] = &[("city", Text), ("total", Integer)];
    let rate: &[(&str, ColumnKind)] = &[("city", Text), ("cancel_rate", Number)];
    let month: &[(&str, ColumnKind)] = &[("m", Text), ("n", Integer)];
    let parts = json!([["서울", 3], ["부산", 2], ["대구", 1]]);
    let months = json!([["2024-01", 1], ["2024-02", 2]]);
    let seven: Vec<Value> = (1..=7).map(|n| json!([format!("c{n}"), n])).collect();
    for (columns, rows, question, wish, expected) in [
        (city, parts.clone(), "도시별 비중", None, ChartType::Pie),
        (city, parts.clone(), "share of each city", None, ChartType::Pie),
        (city, parts.clone(), "duration by city", None, ChartType::Bar),
        (city, parts.clone(), "도시별 비중", Some("bar"), ChartType::Bar),
        (city, parts.clone(), "by city", Some("Donut chart"), ChartType::Pie),
        (city, parts.clone(), "by city", Some("line"), ChartType::Bar),
        (city, parts.clone(), "by city", Some("grouped_bar"), ChartType::Bar),
        (city, parts.clone(), "by city", Some("number"), ChartType::Bar),
        (city, parts.clone(), "by city", Some("scatter"), ChartType::Bar),
        (city, parts.clone(), "by city", Some("'; DROP TABLE"), ChartType::Bar),
        (city, parts, "by city", Some("table"), ChartType::Table),
        (city, json!([["a", 3], ["b", -2]]), "비율", Some("pie"), ChartType::Bar),
        (city, json!([["a", 3], ["b", 0]]), "비율", None, ChartType::Bar),
        (city, json!([["a", 3], ["b", null]]), "비율", None, ChartType::Bar),
        (city, Value::Array(seven), "비율", None, ChartType::Bar),
        (rate, json!([["a", "0.3"], ["b", "0.2"]]), "도시별 취소 비율", None, ChartType::Bar),
        (rate, json!([["a", "0.3"], ["b", "0.7"]]), "도시별 비율", None, ChartType::Pie),
        (month, months.clone(), "월별", Some("bar"), ChartType::Bar),
        (month, months.clone(), "월별", Some("area"), ChartType::Area),
        (month, months.clone(), "월별 영역 차트", Some("line"), ChartType::Area),
        (month, months.clone(), "area chart per month", None, ChartType::Area),
        (month, months, "월별 비율", Some("pie"), ChartType::Line),
    ] {
        assert_eq!(Table::of(columns, rows).chart(question, wish).kind, expected, "{question} {wish:?}");
    }
}

#[test]
fn two_measures_are_pairs_where_asked_or_where_they_are_many() {
    let bare: &[(&str, ColumnKind)] = &[("price", Integer), ("quantity", Number)];
    let named: &[(&str, ColumnKind)] = &[("city", Text), ("price", Integer), ("quantity", Integer)];
    let monthly: &[(&str, ColumnKind)] = &[("m", Text), ("광고비", Integer), ("매출", Integer)];
    let cloud = |count: u32| Value::Array((0..count).map(|n| json!([n, format!("{}.5", n * n % 17)])).collect());
    let cities = || json!([["서울", 1, 5], ["부산", 2, 3], ["대구", 3, 1]]);
    let months = || json!([["2024-01", 1, 5], ["2024-02", 2, 3], ["2024-03", 3, 1]]);
    for (columns, rows, question, wish, expected) in [
        (bare, cloud(12), "q", None, ChartType::Scatter),
        (bare, cloud(11), "q", None, ChartType::Table),
        (bare, cloud(3), "가격과 수량의 관계", None, ChartType::Scatter),
        (bare, cloud(3), "scatter", None, ChartType::Scatter),
        (bare, cloud(3), "q", Some("scatter_plot"), ChartType::Scatter),
        (bare, cloud(2), "scatter", None, ChartType::Table),
        (named, cities(), "q", None, ChartType::GroupedBar),
        (named, cities(), "산점도", None, ChartType::Scatter),
        (named, cities(), "relationship between price and quantity", None, ChartType::Scatter),
        (monthly, months(), "월별 광고비와 매출", None, ChartType::Line),
        (monthly, months(), "광고비와 매출의 상관관계", None, ChartType::Scatter),
        (&[("bucket", Integer), ("n", Integer)], cloud(12), "q", None, ChartType::Bar),
    ] {
        let chart = Table::of(columns, rows).chart(question, wish);
        assert_eq!(chart.kind, expected, "{question} {wish:?}");
        if chart.kind == ChartType::Scatter {
            assert!(chart.series.iter().flat_map(|series| &series.points).all(|point| point.at.is_some() && point.value.is_some()));
        }
    }
    let chart = Table::of(named, cities()).chart("산점도", None);
    assert_eq!((chart.x.title.as_str(), chart.y.title.as_str(), labels(&chart)), ("가격", "수량", vec!["서울", "부산", "대구"]));
    let groups: &[(&str, ColumnKind)] = &[("g", Text), ("a", Integer), ("b", Integer)];
    let rows = json!([["x", 1, 900], ["x", 2, 3], ["y", null, 1], ["y", 3, 1], ["y", 4, 1]]);
    let chart = Table::of(groups, rows).chart("scatter", None);
    let series: Vec<_> = chart.series.iter().map(|series| (series.name.as_str(), series.points.len())).collect();
    assert_eq!((series, chart.series_title.as_str()), (vec![("x", 2), ("y", 2)], "g"));
    assert_eq!((chart.note.as_deref(), chart.truncated), (Some("1 without a value left out"), false));
    let many = Table::of(bare, cloud(2_500)).chart("q", None);
    assert_eq!((many.series[0].points.len(), many.note.as_deref()), (1_000, Some("a sample of 1,000 of 2,500 points")));
    assert!(many.truncated);
}

#[test]
fn values_are_distributed_where_asked() {
    let bare: &[(&str, ColumnKind)] = &[("amount", Number)];
    let named: &[(&str, ColumnKind)] = &[("name", Text), ("salary", Integer)];
    let listed: &[(&str, ColumnKind)] = &[("id", Integer), ("ordered_at", Timestamp), ("amount", Integer)];
    let amounts = || Value::Array((0..50).map(|n| json!([format!("{n}.25")])).collect());
    let people = |count: u32| Value::Array((0..count).map(|n| json!([format!("p{n}"), n * 100])).collect());
    let orders = || Value::Array((0..40).map(|n| json!([n, format!("2024-01-{:02} 10:00", n % 28 + 1), n])).collect());
    for (columns, rows, question, wish, expected) in [
        (bare, amounts(), "q", None, ChartType::Table),
        (bare, amounts(), "주문 금액 분포", None, ChartType::Histogram),
        (bare, amounts(), "histogram of amounts", None, ChartType::Histogram),
        (bare, amounts(), "q", Some("histogram"), ChartType::Histogram),
        (bare, json!([["x"], ["y"]]), "histogram", None, ChartType::Table),
        (named, people(6), "급여 분포", None, ChartType::Bar),
        (named, people(6), "급여 히스토그램", None, ChartType::Bar),
        (named, people(40), "급여 분포", None, ChartType::Bar),
        (named, people(40), "급여 히스토그램", None, ChartType::Histogram),
        (listed, orders(), "histogram of amounts", None, ChartType::Histogram),
        (&[("가격 구간", Integer), ("n", Integer)], json!([[0, 5], [100, 7]]), "가격 분포", None, ChartType::Bar),
    ] {
        assert_eq!(Table::of(columns, rows).chart(question, wish).kind, expected, "{question} {wish:?}");
    }
    let mut rows = amounts();
    rows.as_array_mut().expect("rows").push(json!([null]));
    let chart = Table::of(bare, rows).chart("주문 금액 분포", None);
    let counted: f64 = chart.series.iter().flat_map(|series| &series.points).filter_map(|point| point.value).sum();
    assert_eq!((counted, chart.note.as_deref(), chart.y.title.as_str()), (50.0, Some("값이 없는 1행 제외"), "개수"));
    let first = &chart.series[0].points[0];
    assert!(first.at == Some(0.0) && first.to > first.at && first.label.starts_with("0 – "), "{first:?}");
}

#[test]
fn areas_stand_on_each_other_where_they_are_parts() {
    let columns = |measure| [("m", Text), ("city", Text), (measure, Integer)];
    let rows = |last: i32| json!([["2024-01", "서울", 1], ["2024-01", "부산", 2], ["2024-02", "서울", 3], ["2024-02", "부산", last]]);
    let stacked = |measure, last| {
        let chart = Table::of(&columns(measure), rows(last)).chart("월별 영역 차트", None);
        assert_eq!(chart.kind, ChartType::Area);
        chart.stacked
    };
    assert!(stacked("sales", 4));
    assert!(!stacked("sales", -4), "a negative amount is no part");
    assert!(!stacked("avg_sales", 4), "averages do not add up");
    assert!(!stacked("cancel_rate", 4), "rates do not add up");
    let line = Table::of(&columns("sales"), rows(4)).chart("월별", None);
    assert!(line.kind == ChartType::Line && !line.stacked);
    let measures: &[(&str, ColumnKind)] = &[("m", Text), ("sales", Integer), ("costs", Integer)];
    let two = Table::of(measures, json!([["2024-01", 3, 2], ["2024-02", 5, 4]])).chart("area chart", None);
    assert!(two.kind == ChartType::Area && !two.stacked, "two measures are no parts of each other");
}

#[test]
fn of_too_many_categories_the_largest_are_drawn_if_all_are_known() {
    let rows = |count: u32| Value::Array((0..count).map(|n| json!([format!("c{n}"), n])).collect());
    let columns: &[(&str, ColumnKind)] = &[("c", Text), ("n", Integer)];
    assert_eq!(Table::of(columns, rows(200)).chart("q", None).kind, ChartType::Bar);
    let largest = Table::of(columns, rows(201)).chart("q", None);
    assert_eq!((largest.kind, largest.note.as_deref(), largest.truncated), (ChartType::Bar, Some("the 30 largest of 201"), true));
    assert_eq!((labels(&largest).len(), labels(&largest).first().copied()), (30, Some("c200")));
    let table = Table::of(columns, rows(100));
    let view = ResultView { row_count: 5_000, complete: false, ..table.view() };
    assert_eq!(choose(&view, "q", Language::English, None).kind, ChartType::Table);
}

#[test]
fn missing_values_leave_gaps_and_missing_categories_have_a_name() {
    let columns: &[(&str, ColumnKind)] = &[("city", Text), ("total", Number)];
    let chart = Table::of(columns, json!([[null, "1.5"], ["서울", null], ["부산", "NaN"]])).chart("도시별", None);
    assert_eq!(labels(&chart), ["(없음)", "서울", "부산"]);
    let values: Vec<_> = chart.series.iter().flat_map(|series| &series.points).map(|point| point.value).collect();
    assert_eq!(values, [Some(1.5), None, None]);
}

#[test]
fn equal_names_of_different_rows_stay_apart() {
    let columns: &[(&str, ColumnKind)] = &[("id", Integer), ("name", Text), ("total", Integer)];
    let chart = Table::of(columns, json!([[1, "김", 5], [2, "이", 4], [3, "김", 3]])).chart("q", None);
    assert_eq!((chart.kind, labels(&chart)), (ChartType::Bar, vec!["김", "이", "김 (2)"]));
}

#[test]
fn time_is_in_order_and_told_no_finer_than_it_is() {
    let columns: &[(&str, ColumnKind)] = &[("month", Timestamp), ("n", Integer)];
    let rows = json!([["2024-03-01T00:00:00Z", 3], ["2024-01-01T00:00:00Z", 1], [null, 9], ["2024-02-01T00:00:00Z", 2]]);
    let chart = Table::of(columns, rows).chart("by month", None);
    assert_eq!((chart.kind, chart.x.grain), (ChartType::Line, Some(Grain::Month)));
    assert_eq!(labels(&chart), ["2024-01", "2024-02", "2024-03"]);
    assert_eq!(chart.note.as_deref(), Some("1 of unknown time left out"));

    let columns: &[(&str, ColumnKind)] = &[("year", Number), ("month", Number), ("n", Integer)];
    let chart = Table::of(columns, json!([["2024", "2", 5], ["2023", "12", 4]])).chart("q", None);
    assert_eq!((chart.kind, labels(&chart)), (ChartType::Line, vec!["2023-12", "2024-02"]));
}

#[test]
fn the_best_of_each_month_keeps_both_names() {
    let columns: &[(&str, ColumnKind)] = &[("m", Text), ("product", Text), ("n", Integer)];
    let rows = json!([["2024-02", "b", 2], ["2024-01", "a", 1], ["2024-03", "a", 3]]);
    let chart = Table::of(columns, rows).chart("q", None);
    assert_eq!((chart.kind, labels(&chart)), (ChartType::Bar, vec!["2024-01 · a", "2024-02 · b", "2024-03 · a"]));
}

#[test]
fn the_smaller_category_makes_the_series() {
    let columns: &[(&str, ColumnKind)] = &[("city", Text), ("segment", Text), ("n", Integer)];
    let rows = json!([["서울", "개인", 1], ["서울", "기업", 2], ["부산", "개인", 3]]);
    let chart = Table::of(columns, rows).chart("q", None);
    let series: Vec<_> = chart.series.iter().map(|series| (series.name.as_str(), series.points.len())).collect();
    assert_eq!(series, [("개인", 2), ("기업", 2)]);
    assert_eq!(chart.series.last().and_then(|series| series.points.last()).and_then(|point| point.value), None);
    assert_eq!((chart.x.title.as_str(), chart.y.title.as_str(), chart.series_title.as_str()), ("city", "n", "segment"));
}

#[test]
fn what_is_left_out_is_said() {
    let day = |n: i64| chrono::DateTime::from_timestamp(n * 86_400, 0).expect("a time").format("%Y-%m-%d").to_string();
    let columns: &[(&str, ColumnKind)] = &[("d", Date), ("n", Integer)];
    let table = Table::of(columns, Value::Array((0..2_300).map(|n| json!([day(n), n])).collect()));
    let chart = table.chart("per day", None);
    assert_eq!((chart.note.as_deref(), chart.truncated), (Some("first 2,000 of 2,300"), true));
    assert_eq!(labels(&chart).len(), 2_000);
    let view = ResultView { row_count: 12_345, complete: false, ..table.view() };
    assert_eq!(choose(&view, "일별", Language::Korean, None).note.as_deref(), Some("12,345개 중 처음 2,000개"));

    let columns: &[(&str, ColumnKind)] = &[("d", Date), ("c", Text), ("n", Integer)];
    let rows = (0..45).map(|n| json!([day(n % 3), format!("c{}", n % 15), n % 15])).collect();
    let chart = Table::of(columns, Value::Array(rows)).chart("per day", None);
    let names: Vec<_> = chart.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(chart.note.as_deref(), Some("the 12 largest of 15 series"));
    assert!(names.len() == 12 && !names.contains(&"c0") && names.contains(&"c14"), "{names:?}");
}

#[test]
fn measures_of_unlike_size_do_not_share_an_axis() {
    let columns: &[(&str, ColumnKind)] = &[("city", Text), ("sales", Integer), ("orders", Integer)];
    let chart = Table::of(columns, json!([["서울", 9_000_000, 30], ["부산", 4_000_000, 20]])).chart("by city", None);
    assert_eq!((chart.kind, chart.series.len(), chart.y.title.as_str()), (ChartType::Bar, 1, "sales"));
    assert_eq!(chart.note.as_deref(), Some("of another size, left out: orders"));
    let like = Table::of(columns, json!([["서울", 900, 30], ["부산", 400, 20]])).chart("by city", None);
    assert_eq!((like.kind, like.series.len(), like.note), (ChartType::GroupedBar, 2, None));
}

#[test]
fn titles_are_the_question_on_one_line() {
    let table = Table::of(&[("count", Integer)], json!([[5]]));
    assert_eq!(table.chart(" How many\n customers? ", None).title, "How many customers?");
    assert_eq!(table.chart("", None).title, "count");
    assert_eq!(table.chart(&"긴 질문 ".repeat(100), None).title.chars().count(), 80);
}
