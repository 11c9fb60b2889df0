//! Which proposals are filled, and that no number of a model's own passes.

use datagenie_common::model::{
    language::Language,
    results::{Column, ColumnKind, ResultView, Row},
};
use serde_json::json;

use super::{Rejection, fill};

fn columns(list: &[(&str, ColumnKind)]) -> Vec<Column> {
    list.iter().map(|(name, kind)| Column { name: (*name).to_owned(), type_name: "t".to_owned(), kind: *kind }).collect()
}

fn cities() -> (Vec<Column>, Vec<Row>) {
    let columns =
        columns(&[("city", ColumnKind::Text), ("amount", ColumnKind::Number), ("day", ColumnKind::Date), ("year", ColumnKind::Integer)]);
    let rows = vec![
        vec![json!("서울"), json!("5000.50"), json!("2024-05-06"), json!(2024)],
        vec![json!("부산"), json!("3000"), json!("2023-01-02"), json!(2023)],
        vec![json!(null), json!("NaN"), json!(null), json!(2022)],
    ];
    (columns, rows)
}

fn view<'a>(columns: &'a [Column], rows: &'a [Row]) -> ResultView<'a> {
    ResultView { columns, rows, row_count: rows.len() as u64, complete: true, truncated: false }
}

fn filled(proposed: &str, question: &str) -> Result<String, Rejection> {
    let (columns, rows) = cities();
    fill(proposed, &view(&columns, &rows), question, Language::of(question))
}

#[test]
fn placeholders_are_filled_from_the_rows() {
    for (proposed, text) in [
        ("가장 큰 곳은 {first.city}이고 합계는 {sum.amount}원입니다.", "가장 큰 곳은 서울이고 합계는 8,000.5원입니다."),
        ("{rows} cities, on average {avg.amount}.", "3 cities, on average 4,000.25."),
        ("From {min.amount} to {max.amount}, {count.city} named.", "From 3,000 to 5,000.5, 2 named."),
        ("Days {min.day} to {max.day}, years from {last.year}.", "Days 2023-01-02 to 2024-05-06, years from 2022."),
        ("The first is { first.CITY }.", "The first is 서울."),
        ("비율은 {first.amount}%입니다.", "비율은 5,000.5%입니다."),
        ("도시 목록입니다.", "도시 목록입니다."),
        ("부산  외\n도시", "부산 외 도시"),
    ] {
        assert_eq!(filled(proposed, "도시별 금액").as_deref(), Ok(text), "{proposed}");
    }
}

#[test]
fn numbers_of_the_question_may_be_repeated() {
    let question = "2024년 05월 상위 10개 도시, 20% 이상, 두 배";
    for proposed in [
        "2024년 5월 상위 10개 도시의 합계는 {sum.amount}원입니다.",
        "20% 이상인 도시는 {rows}곳입니다.",
        "두 배 이상인 곳은 {rows}곳입니다.",
    ] {
        assert!(filled(proposed, question).is_ok(), "{proposed}: {:?}", filled(proposed, question));
    }
    for proposed in ["2023년 {rows}곳", "24년 {rows}곳", "202 {rows}", "10% 이상 {rows}곳", "05.5 {rows}"] {
        assert!(matches!(filled(proposed, question), Err(Rejection::OwnNumber(_))), "{proposed}: {:?}", filled(proposed, question));
    }
}

#[test]
fn numbers_of_its_own_are_refused() {
    for proposed in [
        "합계는 8,000원입니다.",
        "합계는 {sum.amount}만 원입니다.",
        "합계는 {sum.amount} 억 원입니다.",
        "합계는 약 백만 원입니다.",
        "지난해의 두 배입니다.",
        "삼십 곳입니다.",
        "도시는 세 곳입니다.",
        "절반은 {first.city}입니다.",
        "A total of {sum.amount} million.",
        "About three million.",
        "{first.city} has double the amount.",
        "{first.city} doubled.",
        "Half of it is in {first.city}.",
        "{sum.amount}k in total",
        "{sum.amount} bn in total",
        "{sum.amount}000 in total",
        "{sum.amount}.5 in total",
        "-{sum.amount} in total",
        "1{rows} cities",
        "{first.city} 성장률 % 입니다.",
        "{first.city} grew by many percent.",
        "총 ５곳",
        "½ of {rows}",
        "三 도시",
        "Ⅳ {first.city}",
    ] {
        assert!(
            matches!(filled(proposed, "도시별 금액 total"), Err(Rejection::OwnNumber(_))),
            "{proposed}: {:?}",
            filled(proposed, "도시별 금액 total")
        );
    }
}

#[test]
fn what_cannot_be_filled_says_why() {
    for (proposed, rejection) in [
        ("", Rejection::Empty),
        (" \n", Rejection::Empty),
        ("{sum.amount", Rejection::Unbalanced),
        ("sum.amount}", Rejection::Unbalanced),
        ("{{rows}}", Rejection::Unbalanced),
        ("{rows}{rows}", Rejection::Touching),
        ("{total.amount} x", Rejection::UnknownPlaceholder("total.amount".to_owned())),
        ("{rowcount} x", Rejection::UnknownPlaceholder("rowcount".to_owned())),
        ("{} x", Rejection::UnknownPlaceholder(String::new())),
        ("{sum.price} x", Rejection::UnknownColumn("price".to_owned())),
        ("{sum.city} x", Rejection::NoValue("sum.city".to_owned())),
        ("{last.city} x", Rejection::NoValue("last.city".to_owned())),
    ] {
        assert_eq!(filled(proposed, "q"), Err(rejection), "{proposed}");
    }
    assert_eq!(filled(&"가".repeat(601), "q"), Err(Rejection::TooLong));
}

#[test]
fn what_rows_hold_is_never_filled_again() {
    let columns = columns(&[("city", ColumnKind::Text), ("amount", ColumnKind::Integer)]);
    let rows = vec![vec![json!("{sum.amount} 50%"), json!(7)], vec![json!("}{"), json!(8)]];
    let text = fill("{first.city} is first, {last.city} last.", &view(&columns, &rows), "q", Language::English);
    assert_eq!(text.as_deref(), Ok("{sum.amount} 50% is first, }{ last."));
}

#[test]
fn columns_of_one_name_are_ambiguous() {
    let columns = columns(&[("amount", ColumnKind::Integer), ("amount", ColumnKind::Integer), ("Amount", ColumnKind::Integer)]);
    let rows = vec![vec![json!(1), json!(2), json!(3)]];
    let found = |proposed: &str| fill(proposed, &view(&columns, &rows), "q", Language::English);
    assert_eq!(found("{sum.amount} x"), Err(Rejection::AmbiguousColumn("amount".to_owned())));
    assert_eq!(found("{sum.Amount} in all").as_deref(), Ok("3 in all"));
}

#[test]
fn a_part_does_not_speak_for_the_whole() {
    let (columns, rows) = cities();
    for (complete, truncated) in [(false, false), (true, true), (false, true)] {
        let part = ResultView { row_count: 500, complete, truncated, ..view(&columns, &rows) };
        for what in ["sum", "avg", "min", "max", "count", "last"] {
            let proposed = format!("It is {{{what}.amount}}.");
            assert_eq!(fill(&proposed, &part, "q", Language::English), Err(Rejection::OfPart(format!("{what}.amount"))));
        }
        assert_eq!(fill("First: {first.city}", &part, "q", Language::English).as_deref(), Ok("First: 서울"));
    }
}
