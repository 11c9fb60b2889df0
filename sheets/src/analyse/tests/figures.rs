//! Every figure of a column, with the right answer worked out by hand.

use datagenie_common::{
    analyses::{AnalysedColumn, Analysis, HistogramBin, Quantiles, TopValue},
    model::{language::Language, workbooks::SheetColumnType},
};
use serde_json::{Value, json};

use crate::{
    analyse::{
        analyse,
        build::{Book, Dice},
    },
    times::MICROS_PER_DAY,
    words::Words,
};

fn analysed(book: Book) -> Analysis {
    analyse(&book.tables, Language::English)
}

fn only(book: Book) -> AnalysedColumn {
    analysed(book).tables.remove(0).columns.remove(0)
}

fn there<T: Copy>(values: &[T]) -> Vec<Option<T>> {
    values.iter().map(|value| Some(*value)).collect()
}

fn bars(column: &AnalysedColumn) -> Vec<(Value, Value, u64)> {
    column.histogram.iter().map(|bin| (bin.from.clone(), bin.to.clone(), bin.count)).collect()
}

fn top(values: &[(Value, u64)]) -> Vec<TopValue> {
    values.iter().map(|(value, count)| TopValue { value: value.clone(), count: *count }).collect()
}

#[test]
fn whole_numbers() {
    let column = only(Book::default().table("t").whole("n", &[Some(4), None, Some(1), Some(2), Some(4), Some(3), Some(10)]));
    assert_eq!((column.kind, column.nulls, column.distinct), (SheetColumnType::Integer, 1, 5));
    assert_eq!((column.min, column.max), (Some(json!(1)), Some(json!(10))));
    assert_eq!((column.sum, column.mean), (Some(24.0), Some(4.0)));
    // Squares of differences: 0, 9, 4, 0, 1, 36; divided by 5.
    assert_eq!(column.std_dev, Some(10.0_f64.sqrt()));
    // Sorted 1 2 3 4 4 10: PERCENTILE.INC.
    assert_eq!(column.quantiles, Some(Quantiles { p05: 1.25, p25: 2.25, p50: 3.5, p75: 4.0, p95: 8.5 }));
    assert_eq!(column.top_values, top(&[(json!(4), 2), (json!(1), 1), (json!(2), 1), (json!(3), 1), (json!(10), 1)]));
    assert_eq!(column.outliers, None, "six values are too few to tell");
    let bin = |from: i64, count| HistogramBin { from: json!(from), to: json!(from + 1), count };
    let counts = [1, 1, 1, 2, 0, 0, 0, 0, 0, 1];
    assert_eq!(column.histogram, (1..=10).zip(counts).map(|(from, count)| bin(from, count)).collect::<Vec<_>>());
}

#[test]
fn whole_numbers_keep_every_digit() {
    let column = only(Book::default().table("t").whole("n", &there(&[i64::MAX, i64::MIN, 9_007_199_254_740_993])));
    assert_eq!((column.min.as_ref(), column.max.as_ref()), (Some(&json!(i64::MIN)), Some(&json!(i64::MAX))));
    assert_eq!(column.sum, Some(9_007_199_254_740_992.0), "added without overflow");
    assert_eq!(column.histogram.iter().map(|bin| bin.count).sum::<u64>(), 3);
    assert_eq!(column.histogram.first().map(|bin| &bin.from), Some(&json!(i64::MIN)));
}

#[test]
fn numbers() {
    let column = only(Book::default().table("t").floats("x", &there(&[0.1, 0.2, 0.3, 0.4, 0.5, -0.0, 0.0])));
    assert_eq!((column.distinct, column.nulls), (6, 0));
    assert_eq!((column.min.clone(), column.max.clone()), (Some(json!(0.0)), Some(json!(0.5))));
    assert_eq!(column.sum, Some(1.5));
    assert_eq!(column.top_values[0], TopValue { value: json!(0.0), count: 2 });
    let found = bars(&column);
    assert_eq!(found[0], (json!(0.0), json!(0.1), 2));
    assert_eq!(
        found.iter().map(|(from, _, _)| from.clone()).collect::<Vec<_>>(),
        [json!(0.0), json!(0.1), json!(0.2), json!(0.3), json!(0.4)]
    );
    assert_eq!(found.last(), Some(&(json!(0.4), json!(0.5), 2)), "the last bar holds its upper edge");
}

#[test]
fn sums_and_means_lose_nothing_to_rounding() {
    let mut values = vec![Some(1e16)];
    values.extend(vec![Some(1.0); 1_000]);
    values.push(Some(-1e16));
    let column = only(Book::default().table("t").floats("x", &values));
    assert_eq!(column.sum, Some(1_000.0));
    let huge = only(Book::default().table("t").floats("x", &there(&[f64::MAX, f64::MAX, f64::MAX / 2.0])));
    assert_eq!(huge.sum, None, "beyond a float");
    assert!(huge.mean.is_some_and(|mean| mean.is_finite() && mean > 1e308));
    assert!(huge.std_dev.is_some_and(f64::is_finite));
    assert!(huge.histogram.iter().map(|bin| bin.count).sum::<u64>() == 3);
    let shifted = only(Book::default().table("t").floats("x", &there(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0])));
    assert_eq!(shifted.std_dev, Some(30.0_f64.sqrt()));
}

#[test]
fn numbers_far_from_the_others_are_named_by_their_cells() {
    // Quartiles of 1 to 9 and 100: 3.25 and 7.75, fences -3.5 and 14.5.
    let values = there(&[5, 4, 100, 1, 2, 3, 6, 7, 8, 9]);
    let column = only(Book::default().table("t").whole("n", &values));
    let outliers = column.outliers.expect("there are enough values");
    assert_eq!((outliers.count, outliers.low, outliers.high), (1, -3.5, 14.5));
    assert_eq!(outliers.examples.iter().map(|one| (one.value, one.cell.as_str())).collect::<Vec<_>>(), [(100.0, "A4")]);
    let constant = only(Book::default().table("t").whole("n", &there(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 50])));
    assert_eq!(constant.outliers, None, "the middle half is one number");
    let mut many: Vec<i64> = (0..100).collect();
    many.extend(1_000..1_015);
    let many = only(Book::default().table("t").whole("n", &there(&many))).outliers.expect("enough");
    assert_eq!((many.count, many.examples.len()), (15, 10));
    assert_eq!((many.examples[0].value, many.examples[0].cell.as_str(), many.examples[9].value), (1_014.0, "A116", 1_005.0));
}

#[test]
fn texts() {
    let long = "가".repeat(300);
    let column =
        only(Book::default().table("t").texts("c", [Some("b"), Some("a"), None, Some("b"), Some("a"), Some("c"), Some(long.as_str())]));
    assert_eq!((column.nulls, column.distinct), (1, 4));
    assert_eq!((column.min, column.max), (Some(json!("a")), Some(json!("가".repeat(200)))));
    assert_eq!(column.top_values, top(&[(json!("a"), 2), (json!("b"), 2), (json!("c"), 1), (json!("가".repeat(200)), 1)]));
    assert_eq!((column.mean, column.sum, column.quantiles, column.histogram.len()), (None, None, None, 0));
    let unique = only(Book::default().table("t").texts("c", [Some("x"), Some("y")]));
    assert_eq!(unique.top_values, [], "none is frequent where every value differs");
}

#[test]
fn truths_times_and_nothing() {
    let column = only(Book::default().table("t").truths("b", &[Some(true), Some(false), None, Some(true)]));
    assert_eq!((column.distinct, column.nulls, column.min, column.max), (2, 1, Some(json!(false)), Some(json!(true))));
    assert_eq!(column.top_values, top(&[(json!(true), 2), (json!(false), 1)]));
    let column = only(Book::default().table("t").times("t", &there(&[36_000_000_000, 90_000_000_000])));
    assert_eq!((column.min, column.max, column.histogram.len()), (Some(json!("10:00:00")), Some(json!("25:00:00")), 0));
    let column = only(Book::default().table("t").nothing("e", 3));
    assert_eq!((column.nulls, column.distinct, column.min), (3, 0, None));
}

#[test]
fn days_and_moments_lie_in_periods_of_the_calendar() {
    let days = [(2024, 1, 15), (2024, 2, 1), (2024, 2, 29), (2024, 6, 30)].map(Some);
    let column = only(Book::default().table("t").days("d", &days));
    assert_eq!((column.min.clone(), column.max.clone()), (Some(json!("2024-01-15")), Some(json!("2024-06-30"))));
    let edges = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01", "2024-07-01"];
    let counts = [1, 2, 0, 0, 0, 1];
    let expected: Vec<_> = edges.windows(2).zip(counts).map(|(edge, count)| (json!(edge[0]), json!(edge[1]), count)).collect();
    assert_eq!(bars(&column), expected);
    let noon = 19_787 * MICROS_PER_DAY + MICROS_PER_DAY / 2;
    let column = only(Book::default().table("t").moments("m", &there(&[noon, noon + 3 * MICROS_PER_DAY])));
    assert_eq!(column.min, Some(json!("2024-03-05T12:00:00")));
    let found = bars(&column);
    assert_eq!(found.first(), Some(&(json!("2024-03-05T12:00:00"), json!("2024-03-05T18:00:00"), 1)));
    assert_eq!(found.iter().map(|(_, _, count)| count).sum::<u64>(), 2);
}

#[test]
fn bars_are_one_a_number_where_numbers_are_few() {
    let column = only(Book::default().table("t").whole("n", &there(&[1_000, 3_000, 3_000, 9_000])));
    assert_eq!(bars(&column)[0], (json!(1_000), json!(3_000), 1));
    assert_eq!(bars(&column).len(), 5, "1,000, 3,000, 5,000, 7,000 and 9,000");
    let column = only(Book::default().table("t").whole("n", &there(&(0..=100).collect::<Vec<i64>>())));
    let found = bars(&column);
    assert_eq!((found[0].clone(), found.last().cloned()), ((json!(0), json!(20), 20), Some((json!(80), json!(100), 21))));
}

#[test]
fn what_the_table_says_passes_through() {
    let mut book = Book::default().table("t").whole("n", &there(&[1, 2]));
    book.tables.notes.push(Words::new("UTF-8로 읽었습니다.", "read as UTF-8"));
    let table = book.tables.tables.first_mut().expect("a table");
    table.total_rows = vec![7];
    table.title = Some("매출".to_owned());
    let column = table.columns.first_mut().expect("a column");
    (column.errors, column.mixture) = (3, vec![(SheetColumnType::Text, 2)]);
    let analysis = analysed(book);
    assert_eq!(analysis.notes, ["read as UTF-8"]);
    let table = &analysis.tables[0];
    assert_eq!((table.range.as_str(), table.rows, &table.total_rows[..], table.title.as_deref()), ("A1:A3", 2, &[8][..], Some("매출")));
    assert_eq!((table.columns[0].errors, &table.columns[0].mixture), (3, &top(&[(json!("text"), 2)])));
}

/// A column of made-up values: of each kind, with gaps, with few or many different values, near and far from each other.
fn made_up(dice: &mut Dice, kind: u64) -> Book {
    let rows = dice.roll(400) as usize;
    let (spread, gaps) = ([3, 30, 1_000, 1_000_000][dice.roll(4) as usize], dice.roll(5));
    let mut numbers = || -> Vec<Option<i64>> {
        (0..rows).map(|_| (gaps == 0 || dice.roll(gaps + 1) > 0).then(|| dice.roll(spread) as i64 - spread as i64 / 2)).collect()
    };
    let book = Book::default().table("t");
    let mut scaled = |by: f64| numbers().iter().map(|value| value.map(|value| value as f64 * by)).collect::<Vec<_>>();
    match kind {
        0 => book.floats("x", &scaled(0.37)),
        1 => book.floats("x", &scaled(1e-9)),
        2 => book.floats("x", &scaled(1e290)),
        3 => book.whole("n", &numbers()),
        4 => book.whole("n", &numbers().iter().map(|value| value.map(|value| value * 1_000_000_007)).collect::<Vec<_>>()),
        5 => book.days("d", &numbers().iter().map(|value| value.map(|value| (1970, 1, 1 + value))).collect::<Vec<_>>()),
        _ => book.moments("m", &numbers().iter().map(|value| value.map(|value| value * 7_777_777)).collect::<Vec<_>>()),
    }
}

#[test]
fn whatever_the_values_counts_add_up() {
    let mut dice = Dice(11);
    for round in 0..700 {
        let book = made_up(&mut dice, round % 7);
        let present = book.tables.tables[0].columns[0].present.clone();
        let column = only(book);
        let there = present.iter().filter(|present| **present).count() as u64;
        assert_eq!(column.nulls, present.len() as u64 - there);
        assert_eq!(column.histogram.iter().map(|bin| bin.count).sum::<u64>(), there, "round {round}: {:?}", column.histogram);
        assert!(column.histogram.len() <= 20, "round {round}: {:?}", column.histogram);
        assert!(column.histogram.windows(2).all(|pair| pair[0].to == pair[1].from), "round {round}: {:?}", column.histogram);
        assert!(column.distinct <= there && (there == 0) == (column.distinct == 0));
        assert!(column.top_values.iter().map(|value| value.count).sum::<u64>() <= there);
        if let (Some(quantiles), Some(min), Some(max)) = (column.quantiles, &column.min, &column.max) {
            let order = [min.as_f64().unwrap_or(f64::NAN), quantiles.p05, quantiles.p25, quantiles.p50, quantiles.p75, quantiles.p95];
            assert!(order.is_sorted() && quantiles.p95 <= max.as_f64().unwrap_or(f64::NAN), "round {round}: {order:?}");
            let (first, last) = (column.histogram.first().expect("bars"), column.histogram.last().expect("bars"));
            let ends = [first.from.as_f64(), min.as_f64(), max.as_f64(), last.to.as_f64()].map(|end| end.unwrap_or(f64::NAN));
            assert!(ends.is_sorted(), "round {round}: the bars cover the range: {ends:?}");
        }
        assert!(there < 8 || column.quantiles.is_none() || column.distinct < 2 || column.std_dev.is_some_and(|deviation| deviation > 0.0));
    }
}
