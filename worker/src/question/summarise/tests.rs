//! The sentence above known results, and that every number in it comes from the rows or the question.

use datagenie_common::{
    model::{
        language::Language,
        results::{Column, ColumnKind, ResultView, Row},
    },
    wording::numbers::numbers_in,
};
use serde_json::{Value, json};

use super::summary;
use crate::question::insights::{
    insights,
    tests::{Dice, columns, numbers_of, unknown_numbers, view},
};

fn computed(list: &[(&str, ColumnKind)], rows: &[Row], language: Language) -> String {
    let columns = columns(list);
    let (text, proposed) = summary(&view(&columns, rows), "q", language, None);
    assert!(!proposed);
    text
}

#[test]
fn no_rows_say_so() {
    let columns = columns(&[("amount", ColumnKind::Integer)]);
    for (language, text) in [(Language::Korean, "조건에 맞는 데이터가 없습니다."), (Language::English, "No rows match.")] {
        assert_eq!(summary(&view(&columns, &[]), "q", language, Some("{rows} orders")), (text.to_owned(), false));
    }
}

#[test]
fn one_number_is_named() {
    let one = |name: &str, value: Value, language| computed(&[(name, ColumnKind::Integer)], &[vec![value]], language);
    assert_eq!(one("매출 합계", json!(1234), Language::Korean), "매출 합계는 1,234입니다.");
    assert_eq!(one("고객 수", json!(7), Language::Korean), "고객 수는 7입니다.");
    assert_eq!(one("count", json!(2000), Language::Korean), "건수는 2,000입니다.");
    assert_eq!(one("total_sales", json!(1234), Language::English), "Total sales is 1,234.");
    assert_eq!(one("year", json!(2024), Language::English), "Year is 2024.");
    assert_eq!(one("customer_id", json!(10_234), Language::English), "Customer id is 10234.");
    assert_eq!(one("sum", json!(null), Language::Korean), "조건에 맞는 데이터가 없어 합계는 값이 없습니다.");
    assert_eq!(one("sum", json!(null), Language::English), "No data match, so total has no value.");
    let huge = "123456789012345678901234567890123456789";
    assert_eq!(one("합계", json!(huge), Language::Korean), "합계는 123,456,789,012,345,678,901,234,567,890,123,456,789입니다.");
}

#[test]
fn one_row_is_told() {
    let pair = [("도시", ColumnKind::Text), ("매출", ColumnKind::Integer)];
    assert_eq!(computed(&pair, &[vec![json!("서울"), json!(1500)]], Language::Korean), "서울의 매출은 1,500입니다.");
    let three = [("name", ColumnKind::Text), ("n", ColumnKind::Integer), ("m", ColumnKind::Integer)];
    assert_eq!(computed(&three, &[vec![json!("x"), json!(1), json!(null)]], Language::English), "name: x, n: 1, m: (empty).");
}

#[test]
fn of_many_columns_the_measures_come_first() {
    let columns = [
        ("id", ColumnKind::Integer),
        ("customer_id", ColumnKind::Integer),
        ("ordered_at", ColumnKind::Timestamp),
        ("status", ColumnKind::Text),
        ("channel", ColumnKind::Text),
        ("amount", ColumnKind::Integer),
    ];
    let row = vec![json!(7), json!(3), json!("2024-05-01T10:00:00"), json!("paid"), json!("web"), json!(1500)];
    let text = computed(&columns, &[row], Language::English);
    assert!(text.starts_with("amount: 1,500, id: 7, ") && !text.contains("web"), "{text}");
}

#[test]
fn emptiness_is_claimed_only_where_it_is_known() {
    let amount = columns(&[("amount", ColumnKind::Integer)]);
    let cut = ResultView { truncated: true, ..view(&amount, &[]) };
    assert_eq!(summary(&cut, "q", Language::English, None).0, "The result was cut off at a limit before its first row.");
    assert_eq!(summary(&cut, "q", Language::Korean, None).0, "결과가 첫 행 전에 한도에서 잘렸습니다.");
    let one = |name: &str, language| computed(&[(name, ColumnKind::Integer)], &[vec![json!(null)]], language);
    assert_eq!(one("1 / 0", Language::English), "1 / 0 is empty.");
    assert_eq!(one("?column?", Language::Korean), "결과 값이 비어 있습니다.");
}

#[test]
fn rankings_series_and_lists_are_told() {
    let rows: Vec<Row> = vec![vec![json!("A"), json!(30)], vec![json!("B"), json!(20)]];
    assert_eq!(
        computed(&[("category", ColumnKind::Text), ("amount", ColumnKind::Integer)], &rows, Language::English),
        "A has the largest amount: 30. Amount over these 2 rows adds up to 50."
    );
    assert_eq!(
        computed(&[("카테고리", ColumnKind::Text), ("매출", ColumnKind::Integer)], &rows, Language::Korean),
        "매출이 가장 큰 것은 A입니다(30). 2개 행의 매출을 모두 더하면 50입니다."
    );
    let years: Vec<Row> = vec![vec![json!(2023), json!(40)], vec![json!(2024), json!(30)]];
    assert_eq!(
        computed(&[("연도", ColumnKind::Integer), ("매출", ColumnKind::Integer)], &years, Language::Korean),
        "매출은 2023 40에서 2024 30으로 25.0% 감소했습니다."
    );
    let names: Vec<Row> = vec![vec![json!("김철수"), json!("a***@x.com")], vec![json!("Ann"), json!(null)]];
    let list = [("이름", ColumnKind::Text), ("이메일", ColumnKind::Text)];
    assert_eq!(computed(&list, &names, Language::Korean), "결과는 2개 행입니다. 첫 행: 김철수, a***@x.com.");
    assert_eq!(computed(&list, &names, Language::English), "There are 2 rows. The first: 김철수, a***@x.com.");
}

#[test]
fn a_good_proposal_is_used_and_a_bad_one_is_not() {
    let columns = columns(&[("city", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    let rows: Vec<Row> = vec![vec![json!("서울"), json!(30)], vec![json!("부산"), json!(20)]];
    let with = |proposed| summary(&view(&columns, &rows), "도시별 매출", Language::Korean, Some(proposed));
    assert_eq!(with("{first.city}이 가장 크고 합계는 {sum.amount}원입니다."), ("서울이 가장 크고 합계는 50원입니다.".to_owned(), true));
    let fallback = "금액이 가장 큰 것은 서울입니다(30). 2개 행의 금액을 모두 더하면 50입니다.";
    for bad in ["합계는 99원입니다.", "{sum.price}", "{sum.amount", "두 배입니다", ""] {
        assert_eq!(with(bad), (fallback.to_owned(), false), "{bad}");
    }
}

#[test]
fn a_part_says_that_it_is_one() {
    let columns = columns(&[("city", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    let rows: Vec<Row> = vec![vec![json!("서울"), json!(30)], vec![json!("부산"), json!(20)]];
    let cut = ResultView { truncated: true, ..view(&columns, &rows) };
    let (text, proposed) = summary(&cut, "q", Language::Korean, Some("합계는 {sum.amount}원입니다."));
    assert!(!proposed);
    assert_eq!(text, "금액이 가장 큰 것은 서울입니다(30). (결과가 한도에서 잘려 처음 2개 행만 반영했습니다.)");
    let (text, proposed) = summary(&cut, "q", Language::English, Some("The first is {first.city}."));
    assert!(proposed);
    assert_eq!(text, "The first is 서울. (The result was cut off at a limit; this covers its first 2 rows only.)");
    let paged = ResultView { complete: false, row_count: 1500, ..view(&columns, &rows) };
    let (text, _) = summary(&paged, "q", Language::English, None);
    assert_eq!(text, "서울 has the largest amount: 30. (This covers the first 2 of 1,500 rows only.)");
}

/// All numbers that may stand in a summary: of the rows, of the question, and of what was computed with its evidence.
fn known(view: &ResultView<'_>, question: &str, language: Language) -> Vec<String> {
    let mut known = numbers_in(question);
    known.extend(view.columns.iter().flat_map(|column: &Column| numbers_in(&column.name)));
    known.extend(view.rows.iter().flatten().flat_map(numbers_of));
    known.extend(insights(view, language).iter().flat_map(|insight| numbers_of(&insight.evidence)));
    known.extend([view.row_count.to_string(), view.rows.len().to_string()]);
    known
}

#[test]
fn every_number_of_a_summary_is_known() {
    let proposals = [
        None,
        Some("{rows}"),
        Some("{first.city} 1등"),
        Some("{last.amount}"),
        Some("합계는 777원"),
        Some("{min.amount} ~ {max.amount}"),
        Some("{first.month} {rows}"),
    ];
    let question = "2024년 상위 3개";
    let mut dice = Dice(7);
    let mut used = 0;
    for round in 0..3000 {
        let (columns, rows) = dice.result();
        let (complete, truncated) = (dice.roll(3) > 0, dice.roll(3) == 0);
        let row_count = if complete { rows.len() as u64 } else { rows.len() as u64 + 1000 };
        let view = ResultView { columns: &columns, rows: &rows, row_count, complete, truncated };
        for language in Language::ALL {
            let (text, proposed) = summary(&view, question, *language, proposals[round % proposals.len()]);
            used += usize::from(proposed);
            assert!(!text.trim().is_empty());
            let unknown = unknown_numbers(&text, &known(&view, question, *language));
            assert!(unknown.is_empty(), "{unknown:?} of `{text}` are not in {rows:?}");
        }
    }
    assert!(used > 300, "proposals are used, too: {used}");
}
