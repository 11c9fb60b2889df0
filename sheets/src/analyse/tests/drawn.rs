//! Which pictures are made of a table, and that they hold the table's own numbers.

use datagenie_common::{
    analyses::{Analysis, MAX_CHARTS},
    charts::{Chart, ChartType, Grain},
    model::language::Language,
};

use crate::analyse::{
    analyse,
    build::{Book, Dice},
};

const ROWS: i64 = 240;

/// Orders over two years, four categories, three regions, an amount that follows the quantity, and one that is far too large.
fn orders(book: Book, name: &str) -> Book {
    let mut dice = Dice(3);
    let rows = || (0..ROWS).map(Some);
    let quantities: Vec<Option<i64>> = rows().map(|_| Some(dice.roll(40) as i64 + 1)).collect();
    let amounts =
        quantities.iter().enumerate().map(|(row, n)| n.map(|n| if row == 5 { 100_000 } else { n * 1_000 + dice.roll(3_000) as i64 }));
    let amounts: Vec<Option<i64>> = amounts.collect();
    let category = |row: i64| ["전자", "도서", "식품", "의류"][usize::try_from(row * 7 % 4).expect("small")];
    let region = |row: i64| ["서울", "부산", "제주"][usize::try_from(row * 5 % 11 % 3).expect("small")];
    book.table(name)
        .whole("주문번호", &rows().collect::<Vec<_>>())
        .days("주문일", &rows().map(|row| row.map(|row| (2023, 1, 1 + row * 3))).collect::<Vec<_>>())
        .texts("카테고리", rows().map(|row| row.map(category)))
        .texts("지역", rows().map(|row| row.map(region)))
        .whole("수량", &quantities)
        .whole("매출", &amounts)
        .floats("할인율", &rows().map(|row| row.map(|row| (row % 10) as f64 / 100.0)).collect::<Vec<_>>())
}

fn kinds(analysis: &Analysis) -> Vec<(ChartType, &str)> {
    analysis.charts.iter().map(|chart| (chart.chart.kind, chart.chart.title.as_str())).collect()
}

fn sum(chart: &Chart) -> f64 {
    chart.series.iter().flat_map(|series| &series.points).filter_map(|point| point.value).sum()
}

#[test]
fn the_most_telling_pictures_are_drawn() {
    let book = orders(Book::default(), "주문");
    let korean = analyse(&book.tables, Language::Korean);
    assert_eq!(
        kinds(&korean),
        [
            (ChartType::Area, "월별 매출"),
            (ChartType::Bar, "카테고리별 매출"),
            (ChartType::Histogram, "매출 분포"),
            (ChartType::Scatter, "수량 대비 매출"),
            (ChartType::Pie, "지역별 매출 비중"),
            (ChartType::Bar, "지역별 매출"),
            (ChartType::Histogram, "수량 분포"),
        ]
    );
    let total = korean.tables[0].columns[5].sum.expect("a sum");
    let [area, bars, spread, pairs, pie, ..] = &korean.charts[..] else { panic!("{:?}", kinds(&korean)) };
    assert_eq!((area.chart.x.grain, area.chart.series[0].points.len()), (Some(Grain::Month), 24));
    assert_eq!((sum(&area.chart), sum(&bars.chart), sum(&pie.chart)), (total, total, total));
    assert_eq!((sum(&spread.chart), pairs.chart.series[0].points.len()), (240.0, 240));
    assert_eq!(pairs.chart.series[0].points.iter().filter(|point| point.outlier).count(), 1);
    let bars = &bars.chart.series[0].points;
    assert!(bars.len() == 4 && bars.windows(2).all(|pair| pair[0].value >= pair[1].value), "{bars:?}");
    assert!(korean.charts.iter().all(|chart| chart.chart.svg().is_ok_and(|svg| svg.contains("<svg"))));
}

#[test]
fn english_titles() {
    let mut book = orders(Book::default(), "orders");
    for (column, name) in ["order_no", "order_date", "category", "region", "quantity", "amount", "rate"].iter().enumerate() {
        (*name).clone_into(&mut book.tables.tables[0].columns[column].name);
    }
    let english = analyse(&book.tables, Language::English);
    let titles: Vec<&str> = english.charts.iter().map(|chart| chart.chart.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Amount by month",
            "Amount by category",
            "Distribution of amount",
            "Amount against quantity",
            "Share of amount by region",
            "Amount by region",
            "Distribution of quantity"
        ]
    );
}

#[test]
fn means_are_no_sums_and_rows_are_counted_where_nothing_is_measured() {
    let cities = ["a", "a", "b", "b"].map(Some);
    let book = Book::default().table("t").texts("city", cities).floats("price", &[1.0, 2.0, 10.0, 20.0].map(Some));
    let analysis = analyse(&book.tables, Language::English);
    let (kind, title) = kinds(&analysis)[0];
    assert_eq!((kind, title), (ChartType::Bar, "Average price by city"));
    let points = &analysis.charts[0].chart.series[0].points;
    assert_eq!(points.iter().map(|point| (point.label.as_str(), point.value)).collect::<Vec<_>>(), [("b", Some(15.0)), ("a", Some(1.5))]);
    let book = Book::default().table("t").texts("city", ["a", "a", "b", "a"].map(Some));
    let analysis = analyse(&book.tables, Language::English);
    assert_eq!(kinds(&analysis)[..2], [(ChartType::Bar, "Rows by city"), (ChartType::Pie, "Share of rows by city")]);
    assert_eq!(sum(&analysis.charts[0].chart), 4.0);
}

#[test]
fn tables_take_turns_and_say_whose_picture_it_is() {
    let book = (0..15).fold(Book::default(), |book, table| orders(book, &format!("주문{table}")));
    let analysis = analyse(&book.tables, Language::Korean);
    assert_eq!(analysis.charts.len(), MAX_CHARTS);
    let tables: Vec<usize> = analysis.charts.iter().map(|chart| chart.table).collect();
    assert_eq!(tables, (0..MAX_CHARTS).collect::<Vec<_>>());
    assert_eq!(analysis.charts[1].chart.title, "주문1: 월별 매출");
}

#[test]
fn nothing_is_drawn_of_nothing() {
    let empty = Book::default().table("t").nothing("a", 5).whole("b", &[7; 5].map(Some));
    let one = Book::default().table("t").texts("a", [Some("x")]).whole("amount", &[Some(1)]);
    let names = Book::default().table("t").texts("a", ["x", "y", "z"].map(Some));
    for book in [empty, one, names] {
        assert_eq!(analyse(&book.tables, Language::English).charts, []);
    }
}
