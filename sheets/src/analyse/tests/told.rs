//! Summaries and observations, in Korean and English, and that every number in them is one that was computed.

use datagenie_common::{
    analyses::Analysis,
    model::{language::Language, questions::InsightKind},
    wording::numbers::numbers_in,
};
use serde_json::{Value, json};

use crate::analyse::{
    analyse,
    build::{Book, Dice},
};

fn orders(names: [&str; 4]) -> Book {
    let days = [(2024, 1, 5), (2024, 1, 20), (2024, 2, 3), (2024, 2, 10), (2024, 3, 1), (2024, 3, 30)].map(Some);
    Book::default()
        .table(names[0])
        .days(names[1], &days)
        .texts(names[2], ["전자", "도서", "전자", "식품", "전자", "도서"].map(Some))
        .whole(names[3], &[100, 50, 200, 30, 300, 20].map(Some))
}

fn told(analysis: &Analysis) -> Vec<(InsightKind, &str)> {
    analysis.insights.iter().map(|insight| (insight.kind, insight.text.as_str())).collect()
}

#[test]
fn in_korean() {
    let analysis = analyse(&orders(["주문", "주문일", "카테고리", "매출"]).tables, Language::Korean);
    assert_eq!(
        analysis.summary,
        "표에 6개 행과 3개 열이 있습니다. 주문일은 2024-01-05부터 2024-03-30까지입니다. 6개 행의 매출을 모두 더하면 700입니다. \
         카테고리별로 매출이 가장 큰 것은 전자입니다(600)."
    );
    assert_eq!(
        told(&analysis),
        [
            (InsightKind::Total, "6개 행의 매출을 모두 더하면 700입니다."),
            (InsightKind::Top, "카테고리별로 매출이 가장 큰 것은 전자입니다(600)."),
            (InsightKind::Share, "전자가 전체 매출의 85.7%를 차지합니다(700 중 600)."),
            (InsightKind::Trend, "월별 매출은 2024-01 150에서 2024-03 320으로 113.3% 증가했습니다. 2번의 변화 중 2번 증가했습니다."),
            (InsightKind::Range, "주문일은 2024-01-05부터 2024-03-30까지입니다."),
            (InsightKind::Count, "표에 6개 행과 3개 열이 있습니다."),
        ]
    );
}

#[test]
fn in_english() {
    let analysis = analyse(&orders(["orders", "order_date", "category", "amount"]).tables, Language::English);
    assert_eq!(
        analysis.summary,
        "The table has 6 rows and 3 columns. Order date runs from 2024-01-05 to 2024-03-30. Amount over all 6 rows adds up to 700. \
         By category, 전자 has the largest amount: 600."
    );
    assert_eq!(
        told(&analysis),
        [
            (InsightKind::Total, "Amount over all 6 rows adds up to 700."),
            (InsightKind::Top, "By category, 전자 has the largest amount: 600."),
            (InsightKind::Share, "전자 makes up 85.7% of the amount (600 of 700)."),
            (InsightKind::Trend, "Amount by month rose by 113.3%, from 150 (2024-01) to 320 (2024-03). It rose in 2 of 2 steps."),
            (InsightKind::Range, "Order date runs from 2024-01-05 to 2024-03-30."),
            (InsightKind::Count, "The table has 6 rows and 3 columns."),
        ]
    );
    assert_eq!(analysis.insights[0].evidence, json!({"measure": "amount", "rows": 6, "skipped": 0, "total": 700, "table": "orders"}));
}

#[test]
fn what_is_not_added_is_told_by_its_range_and_what_is_missing_is_said() {
    let remarks = [Some("a"), None, Some("b"), None, Some("a"), None, Some("a"), None, Some("b"), Some("a")];
    let prices = [5, 4, 100, 1, 2, 3, 6, 7, 8, 9].map(Some);
    let book = || Book::default().table("t").whole("단가", &prices).texts("비고", remarks);
    let analysis = analyse(&book().tables, Language::Korean);
    let texts = told(&analysis);
    for expected in [
        (
            InsightKind::Outlier,
            "단가 값 가운데 1개가 다른 값과 크게 다릅니다(-3.5보다 작거나 14.5보다 큼). 가장 벗어난 값은 A4의 100입니다.",
        ),
        (InsightKind::Range, "단가는 최소 1, 최대 100이며 중앙값은 5.5입니다."),
        (InsightKind::Count, "10개 행 중 4개(40.0%)에 비고 값이 없습니다."),
        // a: 5, 2, 6 and 9; b: 100 and 8.
        (InsightKind::Top, "비고별로 평균 단가가 가장 큰 것은 b입니다(54)."),
    ] {
        assert!(texts.contains(&expected), "{expected:?} is not in {texts:#?}");
    }
    assert!(!texts.iter().any(|(kind, _)| matches!(kind, InsightKind::Total | InsightKind::Share)), "{texts:#?}");
    let english = analyse(&book().tables, Language::English);
    let expected = (InsightKind::Outlier, "1 value of 단가 is far from the others (below -3.5 or above 14.5): 100 in A4.");
    assert!(told(&english).contains(&expected), "{:#?}", told(&english));
}

#[test]
fn of_several_tables_each_sentence_says_whose_it_is() {
    let mut book = orders(["주문", "주문일", "카테고리", "매출"]).table("지점").texts("이름", [Some("서울"), Some("부산")]);
    let analysis = analyse(&book.tables, Language::Korean);
    assert!(analysis.summary.starts_with("표 2개에 모두 8개 행이 있습니다. ‘주문’ 표: 6개 행, 3개 열."), "{}", analysis.summary);
    assert!(analysis.summary.contains("‘지점’ 표: 2개 행, 1개 열."), "{}", analysis.summary);
    assert!(analysis.insights.iter().all(|insight| insight.text.starts_with("주문: ") || insight.text.starts_with("지점: ")));
    assert!(analysis.insights.iter().all(|insight| insight.evidence["table"].is_string()));
    book.tables.tables.clear();
    let nothing = analyse(&book.tables, Language::Korean);
    assert_eq!((nothing.summary.as_str(), nothing.insights.len(), nothing.charts.len()), ("", 0, 0));
}

#[test]
fn months_that_have_only_begun_are_no_fall() {
    let months = |ends: &[(i64, i64, i64)]| {
        let days: Vec<_> = ends.iter().map(|day| Some(*day)).collect();
        let amounts: Vec<_> = (0..days.len()).map(|row| Some(if row % 2 == 0 { 5 } else { 15 })).collect();
        analyse(&Book::default().table("t").days("day", &days).whole("amount", &amounts).tables, Language::English)
    };
    let all: Vec<(i64, i64, i64)> = (1..=6).flat_map(|month| [1, 10, 20, 28].map(|day| (2024, month, day))).collect();
    let begun = [all.clone(), vec![(2024, 7, 1), (2024, 7, 2)]].concat();
    let trend = |analysis: &Analysis| {
        told(analysis).into_iter().find(|(kind, _)| *kind == InsightKind::Trend).map(|(_, text)| text.to_owned()).unwrap_or_default()
    };
    assert_eq!(trend(&months(&begun)), "Amount by month is the same at both ends: 40 (2024-01 and 2024-06). It rose in 0 of 5 steps.");
    let by_month: Vec<(i64, i64, i64)> = (1..=6).map(|month| (2024, month, 1)).collect();
    let told = trend(&months(&by_month));
    assert!(told.contains("from 5 (2024-01) to 15 (2024-06)"), "figures by month are whole: {told}");
}

fn numbers_of(value: &Value) -> Vec<String> {
    match value {
        Value::Number(number) => vec![number.to_string()],
        Value::String(text) => numbers_in(text),
        Value::Array(list) => list.iter().flat_map(numbers_of).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| [numbers_in(key), numbers_of(value)].concat()).collect(),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

// As it stands there, or rounded from more than four decimals.
fn is_known(shown: &str, known: &[String]) -> bool {
    let decimals = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    known.iter().any(|number| match (number.parse::<f64>(), shown.parse::<f64>()) {
        (Ok(exact), Ok(seen)) if number.contains('e') || shown.contains('e') || decimals(number) > 4 => {
            (exact - seen).abs() <= (0.500_1 * 10_f64.powi(-i32::try_from(decimals(shown)).unwrap_or(0))).max(exact.abs() * 1e-5)
        }
        (Ok(exact), Ok(seen)) => (exact - seen).abs() < 1e-9 * exact.abs().max(1.0),
        _ => number == shown,
    })
}

#[test]
fn every_number_of_a_sentence_is_in_its_evidence() {
    let mut dice = Dice(5);
    for round in 0..200 {
        let rows = 1 + dice.roll(60);
        let mut book = Book::default();
        for table in 0..=dice.roll(3) {
            let mut column = |spread: u64| (0..rows).map(|_| (dice.roll(9) > 0).then(|| dice.roll(spread) as i64 - 3)).collect::<Vec<_>>();
            let (days, amounts, prices, names) = (column(900), column(10_000), column(700), column(5));
            let names: Vec<Option<String>> = names.iter().map(|name| name.map(|name| format!("{name}반"))).collect();
            book = book
                .table(&format!("표{table}"))
                .days("날짜", &days.iter().map(|day| day.map(|day| (2023, 1, 4 + day))).collect::<Vec<_>>())
                .texts("반", names.iter().map(Option::as_deref))
                .floats("amount", &amounts.iter().map(|amount| amount.map(|amount| amount as f64 / 7.0)).collect::<Vec<_>>())
                .whole("단가", &prices);
        }
        for language in Language::ALL {
            let analysis = analyse(&book.tables, *language);
            assert!(analysis.insights.len() <= 12 && !analysis.summary.is_empty());
            for insight in &analysis.insights {
                let known = numbers_of(&insight.evidence);
                let unknown: Vec<String> = numbers_in(&insight.text).into_iter().filter(|shown| !is_known(shown, &known)).collect();
                assert!(unknown.is_empty(), "round {round}: {unknown:?} of `{}` are not in {}", insight.text, insight.evidence);
            }
            let mut known: Vec<String> = analysis.insights.iter().flat_map(|insight| numbers_of(&insight.evidence)).collect();
            known.extend(numbers_of(&json!(analysis.tables)));
            known.extend([analysis.tables.len().to_string(), analysis.tables.iter().map(|table| table.rows).sum::<u64>().to_string()]);
            known.extend(analysis.tables.iter().map(|table| table.columns.len().to_string()));
            let grouped = analysis.charts.iter().flat_map(|chart| numbers_of(&json!(chart.chart)));
            known.extend(grouped);
            let unknown: Vec<String> = numbers_in(&analysis.summary).into_iter().filter(|shown| !is_known(shown, &known)).collect();
            assert!(unknown.is_empty(), "round {round}: {unknown:?} of `{}`", analysis.summary);
        }
    }
}
