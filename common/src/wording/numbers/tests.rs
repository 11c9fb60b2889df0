//! Exactness, separators, and finding numbers again.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Amount, grouped, numbers_in, show_percent};

fn amount(value: Value) -> Amount {
    Amount::of(&value).expect("a number")
}

#[test]
fn thousands_are_grouped() {
    for (plain, shown) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.8901", "-1,234,567.8901"), ("-100", "-100")] {
        assert_eq!(grouped(plain), shown);
    }
}

#[test]
fn cells_show_as_they_are_unless_too_long() {
    for (cell, shown) in [
        (json!(1234), "1,234"),
        (json!("1234.50"), "1,234.5"),
        (json!(0.1), "0.1"),
        (json!("33.33333333333333"), "33.33"),
        (json!("0.000123456"), "0.0001235"),
        (json!("-0.0"), "0"),
        (json!(1e20), "100,000,000,000,000,000,000"),
        (json!("123456789012345678901234567890123456789"), "123,456,789,012,345,678,901,234,567,890,123,456,789"),
        (json!(1.5e300), "1.5e300"),
    ] {
        assert_eq!(amount(cell.clone()).show(), shown, "{cell}");
    }
}

#[test]
fn what_is_no_number_is_none() {
    for cell in [
        json!(null),
        json!("NaN"),
        json!("Infinity"),
        json!("-Infinity"),
        json!(""),
        json!("12a"),
        json!("1_000"),
        json!(true),
        json!("1e999"),
        json!([1]),
    ] {
        assert_eq!(Amount::of(&cell), None, "{cell}");
    }
}

#[test]
fn sums_are_exact_where_they_fit() {
    let tenths: Vec<Amount> = (0..10).map(|_| amount(json!(0.1))).collect();
    assert_eq!(Amount::sum(tenths.iter()).expect("a sum").show(), "1");
    // A decimal's own addition would round the fraction away here.
    let far = [amount(json!("70000000000000000000000000000")), amount(json!("0.25"))];
    let sum = Amount::sum(far.iter()).expect("a sum");
    assert_eq!(sum.show(), "7e28");
    let big = [amount(json!("9007199254740993")), amount(json!("9007199254740993"))];
    assert_eq!(Amount::sum(big.iter()).expect("a sum").evidence(), json!("18014398509481986"));
    assert_eq!(Amount::sum([].iter()), None);
    let overflow = [amount(json!(1.7e308)), amount(json!(1.7e308))];
    assert_eq!(Amount::sum(overflow.iter()), None);
}

#[test]
fn comparing_is_exact_beyond_floats() {
    let (a, b) = (amount(json!("123456789012345678901234567890123456788")), amount(json!("123456789012345678901234567890123456789")));
    assert_eq!(a.compare(&b), Ordering::Less);
    assert_eq!(b.compare(&b), Ordering::Equal);
    assert_eq!(amount(json!("-1")).compare(&a), Ordering::Less);
    assert_eq!(amount(json!("1.50")).compare(&amount(json!(1.5))), Ordering::Equal);
}

#[test]
fn percentages_have_one_decimal() {
    let percent = |part: i64, whole: i64| amount(json!(part)).percent_of(&amount(json!(whole))).map(show_percent);
    assert_eq!(percent(1, 3).as_deref(), Some("33.3%"));
    assert_eq!(percent(5, 5).as_deref(), Some("100.0%"));
    assert_eq!(percent(-1, 10_000_000).as_deref(), Some("0.0%"));
    assert_eq!(percent(1, 0), None);
    assert_eq!(percent(1, -5), None);
}

#[test]
fn evidence_keeps_every_digit() {
    assert_eq!(amount(json!("1234.50")).evidence(), json!(1234.5));
    assert_eq!(amount(json!(7)).evidence(), json!(7));
    assert_eq!(amount(json!("0.1234567890123456789012345")).evidence(), json!("0.1234567890123456789012345"));
}

#[test]
fn numbers_are_found_again() {
    let text = "총 1,234,567원, -5.5% (−3) 2024-05-06 A1 12,34 1.5e38 3.";
    assert_eq!(numbers_in(text), ["1234567", "-5.5", "-3", "2024", "05", "06", "1", "12", "34", "1.5e38", "3"]);
    assert!(numbers_in("없음 none").is_empty());
}
