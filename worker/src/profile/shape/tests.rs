//! Which values have which shape, and which only seem to.

use super::*;

fn shape(values: &[&str]) -> Option<Shape> {
    let counted: Vec<(&str, u64)> = values.iter().map(|value| (*value, 1)).collect();
    of(&counted)
}

/// The shape of these values, each of them often.
fn often(values: &[&str]) -> Option<Shape> {
    let counted: Vec<(&str, u64)> = values.iter().map(|value| (*value, 20)).collect();
    of(&counted)
}

#[test]
fn every_shape_is_found() {
    let cases: [(Shape, &[&str]); 14] = [
        (Shape::Integer, &["1", "-2", "30", "0", "9007199254740993"]),
        (Shape::Number, &["1.5", "2", "-0.25", "1e3", "123456789012345678901234567890.5"]),
        (Shape::Boolean, &["Y", "N", "Y", "Y", "N"]),
        (Shape::Boolean, &["true", "false", "TRUE", "false", "true"]),
        (Shape::Date, &["2024-03-05", "2024/3/5", "2024.03.05", "31/12/2023", "12/31/2023"]),
        (Shape::Date, &["20240305", "20231231", "19991231", "20000229", "20250101"]),
        (
            Shape::Timestamp,
            &["2024-03-05 10:20:30", "2024-03-05T10:20:30.123Z", "2024-03-05 10:20", "2024-03-05 10:20:30+09", "2024-03-05 10:20:30 UTC"],
        ),
        (Shape::Email, &["kim@example.com", "a.b+c@mail.example.co.kr", "user_1@회사.kr", "x@y.io", "o'neil@example.org"]),
        (Shape::Phone, &["010-1234-5678", "02-123-4567", "+82 10-1234-5678", "01012345678", "031-1234-5678"]),
        (Shape::CardNumber, &["4111111111111111", "5500-0000-0000-0004", "3400 000000 00009", "6011000000000004", "3530111333300000"]),
        (Shape::PersonName, &["김민준", "이서연", "박도윤", "최하은", "정우진"]),
        (
            Shape::Uuid,
            &[
                "0198c0de-0000-7000-8000-000000000001",
                "0198c0de-0000-7000-8000-000000000002",
                "0198C0DE-0000-7000-8000-000000000003",
                "550e8400-e29b-41d4-a716-446655440000",
                "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            ],
        ),
        (
            Shape::Url,
            &["https://example.com/a?b=c", "http://localhost:8080", "HTTPS://회사.kr/", "ftp://files.example.com", "http://[::1]/"],
        ),
        (Shape::Json, &[r#"{"a": 1}"#, "[1, 2]", "{}", r#"["x"]"#, r#"{"b": {"c": null}}"#]),
    ];
    for (expected, values) in cases {
        assert_eq!(shape(values), Some(expected), "{values:?}");
    }
}

#[test]
fn false_friends_have_another_shape_or_none() {
    let cases: [(Option<Shape>, &[&str]); 9] = [
        // A code with zeros before it, an article's number, a barcode, milliseconds: no card, no telephone, no number.
        (None, &["06236", "04524", "13529", "06164", "00001"]),
        (None, &["A-100", "B-200", "C-300", "D-400", "E-500"]),
        (Some(Shape::Integer), &["8801043015219", "8801062638512", "8801007052564", "8801037000016", "8801045522371"]),
        (Some(Shape::Integer), &["1700000000000", "1700000001000", "1700000002000", "1700000003000", "1700000004000"]),
        (Some(Shape::Integer), &["20241305", "20240230", "99999999", "20240001", "12345678"]),
        (None, &["@kim", "kim@", "kim@localhost", "a b@example.com", "kim@@example.com"]),
        (None, &["{a,b}", "{1,2}", "{c}", "{d,e}", "{}x"]),
        (None, &["서울", "부산", "대구", "인천", "광주"]),
        (None, &["2024-13-05", "2024-02-30", "24-03-05", "2024-03", "March 5"]),
    ];
    for (expected, values) in cases {
        assert_eq!(shape(values), expected, "{values:?}");
    }
    assert_eq!(often(&["0000000000000"]), None, "zeros pass Luhn's check");
    assert_eq!(often(&["1", "0"]), Some(Shape::Integer));
}

#[test]
fn five_values_are_the_least_and_one_in_twenty_may_be_a_slip() {
    assert_eq!(shape(&["1", "2", "3", "4"]), None);
    assert_eq!(shape(&["1", "2", "3", "4", "five"]), None);
    let mut values: Vec<(&str, u64)> = vec![("kim@example.com", 95), ("none", 5)];
    assert_eq!(of(&values), Some(Shape::Email));
    values[1].1 = 6;
    assert_eq!(of(&values), None);
    assert_eq!(of(&[]), None);
}

#[test]
fn a_document_that_the_sample_cut_off_is_one_still() {
    let long = format!(r#"{{"text": "{}"#, "가".repeat(CHARS));
    let cut: String = long.chars().take(CHARS).collect();
    assert!(is_json(&cut));
    let prose: String = format!("[sic] {}", "x".repeat(CHARS)).chars().take(CHARS).collect();
    assert!(!is_json(&prose));
}
