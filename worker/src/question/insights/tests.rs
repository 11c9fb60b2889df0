//! Sentences on known results, and the invariant on many made-up ones: every number of a sentence is in its evidence.

use datagenie_common::{
    model::{
        language::Language,
        questions::{Insight, InsightKind},
        results::{Column, ColumnKind, ResultView, Row},
    },
    wording::numbers::numbers_in,
};
use serde_json::{Value, json};

use super::insights;

pub(crate) fn columns(list: &[(&str, ColumnKind)]) -> Vec<Column> {
    list.iter().map(|(name, kind)| Column { name: (*name).to_owned(), type_name: "t".to_owned(), kind: *kind }).collect()
}

pub(crate) fn view<'a>(columns: &'a [Column], rows: &'a [Row]) -> ResultView<'a> {
    ResultView { columns, rows, row_count: rows.len() as u64, complete: true, truncated: false }
}

/// Every number of a JSON value, as text.
pub(crate) fn numbers_of(value: &Value) -> Vec<String> {
    match value {
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) => numbers_in(text),
        Value::Array(list) => list.iter().flat_map(numbers_of).collect(),
        Value::Object(map) => map.values().flat_map(numbers_of).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

/// The numbers of a text that are none of `known`, neither as they stand there nor rounded from more than four decimals.
pub(crate) fn unknown_numbers(text: &str, known: &[String]) -> Vec<String> {
    numbers_in(text).into_iter().filter(|shown| !known.iter().any(|number| is_shown_as(number, shown))).collect()
}

fn is_shown_as(number: &str, shown: &str) -> bool {
    let (Ok(exact), Ok(seen)) = (number.parse::<f64>(), shown.parse::<f64>()) else { return number == shown };
    let decimals = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let rounded = number.contains('e') || shown.contains('e') || decimals(number) > 4;
    let tolerance = if rounded { (0.5001 * 10_f64.powi(-(decimals(shown) as i32))).max(exact.abs() * 1e-5) } else { 0.0 };
    number == shown || (exact - seen).abs() <= tolerance
}

fn found(kind: InsightKind, list: &[Insight]) -> Option<&str> {
    list.iter().find(|insight| insight.kind == kind).map(|insight| insight.text.as_str())
}

fn categories() -> (Vec<Column>, Vec<Row>) {
    let columns = columns(&[("category", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    (columns, vec![vec![json!("A"), json!(5000)], vec![json!("B"), json!(3000)], vec![json!("C"), json!(2000)]])
}

#[test]
fn a_ranking_in_english() {
    let (columns, rows) = categories();
    let list = insights(&view(&columns, &rows), Language::English);
    assert_eq!(found(InsightKind::Total, &list), Some("Amount over these 3 rows adds up to 10,000."));
    assert_eq!(found(InsightKind::Top, &list), Some("A has the largest amount: 5,000."));
    assert_eq!(found(InsightKind::Share, &list), Some("A makes up 50.0% of the amount of these 3 rows (5,000 of 10,000)."));
    assert_eq!(found(InsightKind::Count, &list), Some("The result has 3 rows."));
    assert_eq!(list[0].evidence["total"], json!(10_000));
}

#[test]
fn a_ranking_in_korean() {
    let columns = columns(&[("카테고리", ColumnKind::Text), ("매출 합계", ColumnKind::Number)]);
    let rows = vec![vec![json!("전자제품"), json!("1500.5")], vec![json!("도서"), json!("499.5")]];
    let list = insights(&view(&columns, &rows), Language::Korean);
    assert_eq!(found(InsightKind::Total, &list), Some("2개 행의 매출 합계를 모두 더하면 2,000입니다."));
    assert_eq!(found(InsightKind::Top, &list), Some("매출 합계가 가장 큰 것은 전자제품입니다(1,500.5)."));
    assert_eq!(found(InsightKind::Share, &list), Some("전자제품이 이 2개 행의 매출 합계 가운데 75.0%를 차지합니다(2,000 중 1,500.5)."));
}

#[test]
fn a_series_tells_its_course_and_its_gaps() {
    let columns = columns(&[("month", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    let rows: Vec<Row> = [("2024-01", json!(100)), ("2024-02", json!(150)), ("2024-05", json!(120)), ("2024-06", json!(null))]
        .map(|(month, amount)| vec![json!(month), amount])
        .into();
    let english = insights(&view(&columns, &rows), Language::English);
    assert_eq!(
        found(InsightKind::Trend, &english),
        Some(
            "Amount rose by 20.0%, from 100 (2024-01) to 120 (2024-05). It rose in 1 of 2 steps. Points in between without a row: 2. \
             Points without a number: 1."
        )
    );
    assert_eq!(found(InsightKind::Share, &english), None, "a share of months says little");
    let korean = insights(&view(&columns, &rows[..3]), Language::Korean);
    assert_eq!(
        found(InsightKind::Trend, &korean),
        Some(
            "금액은 2024-01 100에서 2024-05 120으로 20.0% 증가했습니다. 2번의 변화 중 1번 증가했습니다. 중간에 행이 없는 시점이 2개 있습니다."
        )
    );
}

#[test]
fn time_comes_in_many_forms() {
    let forms: [(&str, ColumnKind, [Value; 3], &str); 7] = [
        (
            "d",
            ColumnKind::Timestamp,
            [json!("2024-01-01T00:00:00Z"), json!("2024-02-01T00:00:00Z"), json!("2024-03-01T00:00:00Z")],
            "(2024-01)",
        ),
        ("d", ColumnKind::Date, [json!("2024-01-05"), json!("2024-01-06"), json!("2024-01-07")], "(2024-01-05)"),
        ("year", ColumnKind::Integer, [json!(2021), json!(2022), json!(2023)], "(2021)"),
        ("extract", ColumnKind::Number, [json!("2021"), json!("2022"), json!("2023")], "(2021)"),
        ("ym", ColumnKind::Integer, [json!(202_401), json!(202_402), json!(202_403)], "(202401)"),
        ("분기", ColumnKind::Text, [json!("2024-Q1"), json!("2024-Q2"), json!("2024-Q3")], "(2024-Q1)"),
        ("월", ColumnKind::Text, [json!("2024년 1월"), json!("2024년 2월"), json!("2024년 10월")], "(2024년 1월)"),
    ];
    for (name, kind, times, first) in forms {
        let columns = columns(&[(name, kind), ("amount", ColumnKind::Integer)]);
        let rows: Vec<Row> = times.iter().zip([10, 20, 30]).map(|(time, amount)| vec![time.clone(), json!(amount)]).collect();
        let list = insights(&view(&columns, &rows), Language::English);
        let trend = found(InsightKind::Trend, &list).unwrap_or_default();
        assert!(trend.contains("rose by 200.0%") && trend.contains(first), "{name}: {trend}");
    }
}

#[test]
fn what_only_looks_like_time_is_no_axis() {
    for (name, values) in
        [("city", ["서울", "부산"]), ("phone", ["2010-1234", "2010-5678"]), ("code", ["1001", "1002"]), ("month", ["2024-01", "2024-01"])]
    {
        let columns = columns(&[(name, ColumnKind::Text), ("amount", ColumnKind::Integer)]);
        let rows: Vec<Row> = values.iter().map(|value| vec![json!(value), json!(5)]).collect();
        let list = insights(&view(&columns, &rows), Language::English);
        assert!(found(InsightKind::Trend, &list).or(found(InsightKind::Change, &list)).is_none(), "{name}");
    }
}

#[test]
fn a_course_is_told_only_of_rows_in_the_order_of_time() {
    let months = columns(&[("month", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    let rows = |order: [&str; 3]| -> Vec<Row> { order.iter().zip([50, 40, 10]).map(|(month, n)| vec![json!(month), json!(n)]).collect() };
    let trend = |rows: &[Row]| found(InsightKind::Trend, &insights(&view(&months, rows), Language::English)).map(str::to_owned);
    assert!(trend(&rows(["2024-01", "2024-02", "2024-03"])).is_some_and(|text| text.contains("fell")));
    assert!(trend(&rows(["2024-03", "2024-02", "2024-01"])).is_some_and(|text| text.contains("rose")), "the latest may come first");
    let ranked = rows(["2024-02", "2024-03", "2024-01"]);
    assert_eq!(trend(&ranked), None);
    let list = insights(&view(&months, &ranked), Language::English);
    assert_eq!(found(InsightKind::Top, &list), Some("2024-02 has the largest amount: 50."));
    let hours = columns(&[("hour", ColumnKind::Integer), ("amount", ColumnKind::Integer)]);
    let rows: Vec<Row> = [(9, 5), (10, 8), (11, 6)].map(|(hour, n)| vec![json!(hour), json!(n)]).into();
    let list = insights(&view(&hours, &rows), Language::English);
    assert_eq!(found(InsightKind::Trend, &list), None);
    assert_eq!(found(InsightKind::Top, &list), Some("hour 10 has the largest amount: 8."));
}

#[test]
fn of_a_long_course_the_highest_and_the_lowest_are_told() {
    let columns = columns(&[("day", ColumnKind::Date), ("amount", ColumnKind::Integer)]);
    let day = |n: i64| chrono::NaiveDate::from_ymd_opt(2024, 1, 1).map(|first| (first + chrono::Duration::days(n)).to_string());
    let rows: Vec<Row> = (0..90).map(|n| vec![json!(day(n)), json!(if n == 40 { 900 } else { 100 + n })]).collect();
    let list = insights(&view(&columns, &rows), Language::English);
    assert_eq!(
        found(InsightKind::Trend, &list),
        Some("Amount is highest at 900 (2024-02-10) and lowest at 100 (2024-01-01), of 90 points in time.")
    );
    let korean = insights(&view(&columns, &rows), Language::Korean);
    assert_eq!(
        found(InsightKind::Trend, &korean),
        Some("금액은 90개 시점 중 2024-02-10에 900으로 가장 높고 2024-01-01에 100으로 가장 낮습니다.")
    );
}

#[test]
fn a_list_of_the_smallest_begins_with_the_smallest() {
    let columns = columns(&[("city", ColumnKind::Text), ("revenue", ColumnKind::Integer)]);
    let rows =
        |numbers: [i64; 4]| -> Vec<Row> { ["a", "b", "c", "d"].iter().zip(numbers).map(|(city, n)| vec![json!(city), json!(n)]).collect() };
    let list = insights(&view(&columns, &rows([1, 2, 2, 9])), Language::English);
    assert_eq!(found(InsightKind::Range, &list), Some("a has the smallest revenue: 1."));
    assert_eq!(found(InsightKind::Top, &list).or(found(InsightKind::Share, &list)), None);
    let tied = insights(&view(&columns, &rows([1, 1, 2, 9])), Language::English);
    assert_eq!(found(InsightKind::Range, &tied), Some("a, b tie for the smallest revenue: 1."));
    for others in [[1, 3, 2, 9], [5, 5, 5, 5], [9, 2, 2, 1]] {
        let list = insights(&view(&columns, &rows(others)), Language::English);
        assert!(found(InsightKind::Top, &list).is_some(), "{others:?}");
    }
}

#[test]
fn rows_are_called_by_what_tells_them_apart() {
    let kinds = [("id", ColumnKind::Integer), ("status", ColumnKind::Text), ("channel", ColumnKind::Text), ("amount", ColumnKind::Integer)];
    let orders = columns(&kinds);
    let rows = vec![
        vec![json!(10011), json!("paid"), json!("web"), json!(900)],
        vec![json!(10012), json!("paid"), json!("web"), json!(800)],
        vec![json!(10013), json!("shipped"), json!("app"), json!(700)],
    ];
    let top =
        |columns: &[Column], rows: &[Row]| found(InsightKind::Top, &insights(&view(columns, rows), Language::English)).map(str::to_owned);
    assert_eq!(top(&orders, &rows).as_deref(), Some("id 10011 has the largest amount: 900."));
    let anonymous: Vec<Row> = rows.iter().map(|row| row[1..].to_vec()).collect();
    assert_eq!(top(&columns(&kinds[1..]), &anonymous), None, "a status is no name of an order");
    let pairs = columns(&[("city", ColumnKind::Text), ("category", ColumnKind::Text), ("n", ColumnKind::Integer)]);
    let grid = vec![vec![json!("서울"), json!("전자제품"), json!(3)], vec![json!("서울"), json!("식품"), json!(2)]];
    assert_eq!(top(&pairs, &grid).as_deref(), Some("서울 · 전자제품 has the largest n: 3."));
    let named = columns(&[("customer_id", ColumnKind::Integer), ("name", ColumnKind::Text), ("n", ColumnKind::Integer)]);
    let people = vec![vec![json!(7), json!("Kim"), json!(3)], vec![json!(8), json!("Lee"), json!(2)]];
    assert_eq!(top(&named, &people).as_deref(), Some("Kim has the largest n: 3."));
}

#[test]
fn averages_are_not_added() {
    let columns = columns(&[("city", ColumnKind::Text), ("avg_price", ColumnKind::Number)]);
    let rows = vec![vec![json!("서울"), json!("10.123456")], vec![json!("부산"), json!("20")]];
    let list = insights(&view(&columns, &rows), Language::English);
    assert_eq!(found(InsightKind::Total, &list), None);
    assert_eq!(found(InsightKind::Share, &list), None);
    assert_eq!(found(InsightKind::Range, &list), Some("Avg price ranges from 10.12 to 20."));
}

#[test]
fn ties_are_said() {
    let columns = columns(&[("city", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    let rows = |amounts: [i64; 6]| -> Vec<Row> {
        ["a", "b", "c", "d", "e", "f"].iter().zip(amounts).map(|(city, amount)| vec![json!(city), json!(amount)]).collect()
    };
    let top = |amounts| found(InsightKind::Top, &insights(&view(&columns, &rows(amounts)), Language::English)).map(str::to_owned);
    assert_eq!(top([9, 1, 9, 1, 1, 1]).as_deref(), Some("a, c tie for the largest amount: 9."));
    assert_eq!(top([9, 9, 9, 9, 9, 1]).as_deref(), Some("a, b, c and 2 more tie for the largest amount: 9."));
    assert_eq!(top([9; 6]).as_deref(), Some("Amount is the same in all 6 rows that have it: 9."));
}

#[test]
fn a_part_claims_no_whole() {
    let (columns, rows) = categories();
    for (complete, truncated) in [(false, false), (true, true), (false, true)] {
        let part = ResultView { row_count: 5000, complete, truncated, ..view(&columns, &rows) };
        for (language, scope) in [(Language::English, "Of the first 3 rows: "), (Language::Korean, "처음 3개 행 기준: ")] {
            let list = insights(&part, language);
            assert!(list.iter().all(|insight| !matches!(insight.kind, InsightKind::Total | InsightKind::Share)));
            assert!(found(InsightKind::Top, &list).is_some_and(|text| text.starts_with(scope)), "{list:?}");
        }
    }
}

#[test]
fn negative_parts_make_no_share() {
    let columns = columns(&[("city", ColumnKind::Text), ("profit", ColumnKind::Integer)]);
    let rows = vec![vec![json!("a"), json!(10)], vec![json!("b"), json!(-4)]];
    let list = insights(&view(&columns, &rows), Language::English);
    assert_eq!(found(InsightKind::Share, &list), None);
    assert_eq!(found(InsightKind::Total, &list), Some("Profit over these 2 rows adds up to 6."));
}

#[test]
fn one_row_or_none_has_nothing_to_compare() {
    let (columns, rows) = categories();
    assert!(insights(&view(&columns, &[]), Language::English).is_empty());
    assert!(insights(&view(&columns, &rows[..1]), Language::English).is_empty());
    assert!(insights(&view(&[], &[Vec::new(), Vec::new()]), Language::English).len() == 1, "rows without columns are counted");
}

/// A small generator of pseudo-random numbers with a fixed seed, so that every run sees the same results.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }

    fn label(&mut self, row: usize) -> Value {
        match self.roll(9) {
            0 => json!(null),
            1 => json!("{sum.amount} 50%"),
            2 => json!("-7"),
            3 => json!("1,234 개"),
            4 => json!("a\n{rows}\u{0} 2"),
            5 => json!("서울 ".repeat(30) + "123456789"),
            6 => json!(""),
            _ => json!(format!("도시{row}")),
        }
    }

    fn number(&mut self) -> Value {
        match self.roll(14) {
            0 => json!(null),
            1 => json!("NaN"),
            2 => json!("-Infinity"),
            3 => json!("123456789012345678901234567890123456789"),
            4 => json!("-123456789012345678901234567890.123456789"),
            5 => json!(1.5e300),
            6 => json!("33.3333333333333333"),
            7 => json!("0.000012345"),
            8 => json!(0.1),
            9 => json!(-((self.roll(100_000)) as i64)),
            10 => json!("9007199254740993"),
            11 => json!("1234.50"),
            _ => json!(self.roll(1_000_000)),
        }
    }

    fn plain_number(&mut self) -> Value {
        json!(self.roll(1_000_000))
    }

    /// A result of some shape: labels, times, measures, repeated names, up to 30 rows.
    pub(crate) fn result(&mut self) -> (Vec<Column>, Vec<Row>) {
        let names = ["amount", "매출 합계", "avg(price)", "count(*)", "amount", "비율", "sales_2024", "?column?"];
        let mut kinds: Vec<(&str, ColumnKind)> = match self.roll(6) {
            0 => vec![],
            1 => vec![("month", ColumnKind::Text)],
            2 => vec![("year", ColumnKind::Integer)],
            3 => vec![("ordered_at", ColumnKind::Timestamp)],
            4 => vec![("city", ColumnKind::Text), ("도시", ColumnKind::Text)],
            _ => vec![("city", ColumnKind::Text)],
        };
        let labels = kinds.len();
        for _ in 0..self.roll(4) {
            kinds.push((names[self.roll(names.len())], ColumnKind::Number));
        }
        let wild = self.roll(2) == 0;
        let rows = (0..self.roll(30)).map(|row| self.row(&kinds, labels, row, wild)).collect();
        (columns(&kinds), rows)
    }

    fn row(&mut self, kinds: &[(&str, ColumnKind)], labels: usize, row: usize, wild: bool) -> Row {
        let cell = |(at, (name, _)): (usize, &(&str, ColumnKind))| match *name {
            "month" => json!(format!("{}-{:02}", 2020 + row / 12, row % 12 + 1)),
            "year" => json!(1990 + row * 2),
            "ordered_at" => json!(format!("2024-01-{:02}T00:00:00+09:00", row + 1)),
            _ if at < labels => self.label(row),
            _ if wild => self.number(),
            _ => self.plain_number(),
        };
        kinds.iter().enumerate().map(cell).collect()
    }
}

#[test]
fn every_number_of_a_sentence_is_in_its_evidence() {
    let mut dice = Dice(42);
    let mut checked = 0;
    for _ in 0..3000 {
        let (columns, rows) = dice.result();
        let (complete, truncated) = (dice.roll(3) > 0, dice.roll(3) == 0);
        let row_count = if complete { rows.len() as u64 } else { rows.len() as u64 + 1000 };
        let view = ResultView { columns: &columns, rows: &rows, row_count, complete, truncated };
        for language in Language::ALL {
            let list = insights(&view, *language);
            assert!(list.len() <= 6);
            for insight in &list {
                let unknown = unknown_numbers(&insight.text, &numbers_of(&insight.evidence));
                assert!(unknown.is_empty(), "{unknown:?} of `{}` are not in {}", insight.text, insight.evidence);
                let whole = matches!(insight.kind, InsightKind::Total | InsightKind::Share);
                assert!(!(whole && (truncated || !complete)), "{}", insight.text);
                checked += 1;
            }
        }
    }
    assert!(checked > 5000, "the results made up have insights: {checked}");
}
