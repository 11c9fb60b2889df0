//! What counts as the right answer and what does not.

use serde_json::{Value, json};

use super::*;

const PLAIN: Rule = Rule { order: Order::Any, grain: Grain::None, slack: 0.0 };

fn right(answer: Value, reference: Value, rule: Rule) -> bool {
    let rows = |value: Value| -> Vec<Row> { serde_json::from_value(value).expect("rows") };
    agrees(&rows(answer), &rows(reference), rule)
}

#[test]
fn rows_are_a_multiset_unless_their_order_says_something() {
    let (answer, reference) = (json!([["b", 2], ["a", 1], ["a", 1]]), json!([["a", 1], ["b", 2], ["a", 1]]));
    assert!(right(answer.clone(), reference.clone(), PLAIN));
    assert!(!right(answer, reference, Rule { order: Order::Same, ..PLAIN }));
    assert!(!right(json!([["a", 1], ["b", 2], ["b", 2]]), json!([["a", 1], ["a", 1], ["b", 2]]), PLAIN));
    assert!(!right(json!([["a", 1]]), json!([["a", 1], ["b", 2]]), PLAIN));
    assert!(!right(json!([]), json!([["a", 1]]), PLAIN));
}

#[test]
fn columns_may_be_more_and_in_another_order_but_must_hold_the_reference() {
    let reference = json!([["펜", 300], ["책", 200]]);
    assert!(right(json!([[7, "펜", 300, 0.6], [9, "책", 200, 0.4]]), reference.clone(), PLAIN));
    assert!(right(json!([[300, "펜"], [200, "책"]]), reference.clone(), PLAIN));
    assert!(!right(json!([["펜"], ["책"]]), reference.clone(), PLAIN));
    assert!(!right(json!([["펜", 200], ["책", 300]]), reference, PLAIN));
    assert!(!right(json!([[5]]), json!([[5, 5]]), PLAIN));
}

#[test]
fn numbers_are_compared_as_numbers_however_they_are_sent() {
    assert!(right(json!([["301234.5678901234"]]), json!([[301_234.568]]), PLAIN));
    assert!(!right(json!([[301_236]]), json!([[301_234.5]]), PLAIN));
    assert!(right(json!([["12345678901234567890"]]), json!([["12345678901234567890.00"]]), PLAIN));
    assert!(!right(json!([["12345678901234567891"]]), json!([["12345678901234567890"]]), PLAIN));
    assert!(!right(json!([[10_000_001]]), json!([[10_000_000]]), PLAIN), "whole numbers have no tolerance");
    assert!(!right(json!([[null]]), json!([[0]]), PLAIN));
    assert!(right(json!([[null, true]]), json!([[null, true]]), PLAIN));
    assert!(!right(json!([["NaN"]]), json!([[1.5]]), PLAIN));
}

#[test]
fn rounded_shares_are_right_as_far_as_the_rule_goes() {
    let rule = Rule { slack: 0.051, ..PLAIN };
    assert!(right(json!([["의류", 16.7]]), json!([["의류", 16.6666]]), rule));
    assert!(!right(json!([["의류", 16.9]]), json!([["의류", 16.6666]]), rule));
    assert!(!right(json!([["의류", 16.7]]), json!([["의류", 16.6666]]), PLAIN));
}

#[test]
fn ties_for_the_last_place_may_fall_either_way() {
    let rule = Rule { order: Order::Top(2), ..PLAIN };
    let reference = json!([["김", 9], ["이", 8], ["박", 8], ["최", 7]]);
    assert!(right(json!([["김", 9], ["이", 8]]), reference.clone(), rule));
    assert!(right(json!([["김", 9], ["박", 8]]), reference.clone(), rule));
    assert!(!right(json!([["김", 9], ["최", 7]]), reference.clone(), rule));
    assert!(!right(json!([["김", 9], ["최", 8]]), reference.clone(), rule));
    assert!(!right(json!([["이", 8], ["김", 9]]), reference.clone(), rule), "the order is the answer");
    assert!(!right(json!([["김", 9], ["이", 8], ["박", 8]]), reference, rule));
}

#[test]
fn months_and_years_are_recognised_however_they_are_written() {
    let months = Rule { order: Order::Same, grain: Grain::Month, slack: 0.0 };
    for month in [json!("2025-03"), json!("2025-03-01"), json!("2025-03-01T00:00:00Z"), json!("2025년 3월"), json!(3), json!("03")] {
        assert!(right(json!([[month, 10]]), json!([["2025-03", 10]]), months), "{month}");
    }
    for month in [json!("2025-04"), json!("2024-03-01"), json!(4), json!(13), json!("March")] {
        assert!(!right(json!([[month, 10]]), json!([["2025-03", 10]]), months), "{month}");
    }
    assert!(right(json!([[2025, 3, 10]]), json!([["2025-03", 10]]), months), "year and month apart");
    let years = Rule { grain: Grain::Year, ..PLAIN };
    for year in [json!(2023), json!("2023"), json!("2023-01-01T00:00:00+09:00"), json!("2023년")] {
        assert!(right(json!([[year, 5]]), json!([["2023", 5]]), years), "{year}");
    }
    assert!(!right(json!([["2024-01-01", 5]]), json!([["2023", 5]]), years));
}

#[test]
fn a_wide_answer_is_not_searched_for_ever() {
    let row: Vec<Value> = (0..200).map(|n| json!(n)).collect();
    let answer = Value::Array(vec![Value::Array(row); 60]);
    let reference = Value::Array(vec![json!([998, 999, 1000]); 60]);
    assert!(!right(answer, reference, PLAIN));
}
