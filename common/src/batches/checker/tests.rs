//! Lines of every kind.

use serde_json::json;

use super::*;

const LONGEST: LongestTexts = LongestTexts { question: 100, sql: 100 };

fn verdicts(known: &[(Uuid, Verdict)], files: &[Uuid]) -> Verdicts {
    Verdicts { connections: known.iter().copied().collect(), files: files.iter().copied().collect() }
}

fn problem(checked: &Checked) -> (LineProblem, &str) {
    let error = checked.outcome.as_ref().expect_err("the line is refused");
    (error.code, &error.field)
}

#[test]
fn what_can_not_be_taken_is_said_by_field() {
    let (shop, foreign, denied, off) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let verdicts = verdicts(&[(shop, Verdict::Askable), (denied, Verdict::Denied), (off, Verdict::NotReady)], &[]);
    let long = "x".repeat(101);
    for (line, expected) in [
        (json!({ "question": "?" }), (LineProblem::InvalidRequest, "")),
        (json!({ "custom_id": 7, "question": "?" }), (LineProblem::InvalidRequest, "")),
        (json!({ "custom_id": "a", "question": "?", "frage": 1 }), (LineProblem::InvalidRequest, "")),
        (json!({ "custom_id": "a", "question": "?", "callback_url": "http://x" }), (LineProblem::InvalidRequest, "")),
        (json!([]), (LineProblem::InvalidRequest, "")),
        (json!("text"), (LineProblem::InvalidRequest, "")),
        (json!({ "custom_id": "", "question": "?" }), (LineProblem::InvalidRequest, "custom_id")),
        (json!({ "custom_id": "x".repeat(257), "question": "?" }), (LineProblem::InvalidRequest, "custom_id")),
        (json!({ "custom_id": "a\nb", "question": "?" }), (LineProblem::InvalidRequest, "custom_id")),
        (json!({ "custom_id": "a\u{0}", "question": "?" }), (LineProblem::InvalidRequest, "custom_id")),
        (json!({ "custom_id": "a" }), (LineProblem::InvalidRequest, "question")),
        (json!({ "custom_id": "a", "question": " \n" }), (LineProblem::InvalidRequest, "question")),
        (json!({ "custom_id": "a", "question": long }), (LineProblem::InvalidRequest, "question")),
        (json!({ "custom_id": "a", "question": "a\u{0}" }), (LineProblem::InvalidRequest, "question")),
        (json!({ "custom_id": "a", "sql": "" }), (LineProblem::InvalidRequest, "sql")),
        (json!({ "custom_id": "a", "sql": "SELECT 1" }), (LineProblem::InvalidRequest, "connection_id")),
        (json!({ "custom_id": "a", "question": "?", "deadline_seconds": 0 }), (LineProblem::InvalidRequest, "deadline_seconds")),
        (json!({ "custom_id": "a", "question": "?", "connection_id": shop, "file_id": shop }), (LineProblem::InvalidRequest, "file_id")),
        (json!({ "custom_id": "a", "question": "?", "connection_id": foreign }), (LineProblem::NotFound, "connection_id")),
        (json!({ "custom_id": "a", "question": "?", "connection_id": denied }), (LineProblem::PermissionDenied, "connection_id")),
        (json!({ "custom_id": "a", "question": "?", "connection_id": off }), (LineProblem::ConnectionNotReady, "connection_id")),
        (json!({ "custom_id": "a", "question": "?", "file_id": foreign }), (LineProblem::NotFound, "file_id")),
    ] {
        let checked = Checker::new(LONGEST, None, &verdicts).text(1, Some(line.to_string().as_bytes()));
        assert_eq!(problem(&checked), expected, "{line}: {:?}", checked.outcome);
    }
}

#[test]
fn what_is_no_json_is_told_with_its_name_where_that_can_be_read() {
    let none = Verdicts::default();
    let mut checker = Checker::new(LONGEST, None, &none);
    let deep = format!(r#"{{"custom_id":"deep","question":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for (text, code, name) in [
        (&br#"{"custom_id":"a""#[..], LineProblem::InvalidJson, None),
        (b"{\"custom_id\":\"a\",\"question\":\"\xFF\"}", LineProblem::InvalidJson, Some("a")),
        (deep.as_bytes(), LineProblem::InvalidRequest, Some("deep")),
        (br#"["a","?",null,null,null,null,null]"#, LineProblem::InvalidRequest, None),
        (br#"{"custom_id":"a","custom_id":"b","question":"?"}"#, LineProblem::InvalidRequest, None),
        (br#"{"custom_id":"a","question":7}"#, LineProblem::InvalidRequest, Some("a")),
    ] {
        let checked = checker.text(1, Some(text));
        assert_eq!(problem(&checked).0, code, "{:?}", checked.outcome);
        assert_eq!(checked.custom_id.as_deref(), name, "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(problem(&checker.text(1, None)), (LineProblem::InvalidRequest, ""));
}

#[test]
fn what_is_told_of_a_bad_line_is_short_and_can_be_kept() {
    let none = Verdicts::default();
    let mut checker = Checker::new(LONGEST, None, &none);
    let long = "x".repeat(500_000);
    for (text, name) in [
        (json!({ "custom_id": long, "question": "?" }), None),
        (json!({ "custom_id": "가".repeat(257), "question": "?" }), Some("가".repeat(257))),
        (json!({ "custom_id": "a", "question": "?", long.as_str(): 1 }), Some("a".to_owned())),
        (json!({ "custom_id": "b", "question": "?", "cache": long }), Some("b".to_owned())),
        (json!({ "custom_id": "c", "question": "?", "a\u{0}b": 1 }), Some("c".to_owned())),
        (json!({ "custom_id": "d", "question": { "a": long } }), Some("d".to_owned())),
    ] {
        let checked = checker.text(1, Some(text.to_string().as_bytes()));
        assert_eq!(checked.custom_id, name);
        let error = checked.outcome.expect_err("the line is refused");
        assert_eq!(error.code, LineProblem::InvalidRequest);
        assert!(error.message.chars().count() < 520 && !error.message.contains('\0'), "{}", error.message);
    }
    let unknown = json!({ "custom_id": "e", "question": "?", long.as_str(): 1 }).to_string();
    let told = checker.text(1, Some(unknown.as_bytes())).outcome.expect_err("the line is refused").message;
    assert!(told.starts_with("unknown field `xxx") && told.contains("line 1 column"), "{told}");
    let surrogate = br#"{"custom_id":"f","question":"\ud800"}"#;
    let checked = checker.text(1, Some(surrogate));
    assert_eq!((problem(&checked).0, checked.custom_id.as_deref()), (LineProblem::InvalidJson, Some("f")));
}

#[test]
fn a_name_is_taken_also_by_a_line_that_is_not() {
    let none = Verdicts::default();
    let mut checker = Checker::new(LONGEST, None, &none);
    for (line, text) in [(1, json!({ "custom_id": "a" })), (2, json!({ "custom_id": "b", "question": 7 }))] {
        assert_eq!(problem(&checker.text(line, Some(text.to_string().as_bytes()))).0, LineProblem::InvalidRequest);
    }
    for (line, name) in [(3, "a"), (4, "b")] {
        let text = json!({ "custom_id": name, "question": "?" }).to_string();
        assert_eq!(problem(&checker.text(line, Some(text.as_bytes()))), (LineProblem::DuplicateCustomId, "custom_id"));
    }
}

#[test]
fn the_same_question_is_asked_once_and_a_name_is_good_once() {
    let shop = Uuid::now_v7();
    let verdicts = verdicts(&[(shop, Verdict::Askable)], &[]);
    let mut checker = Checker::new(LONGEST, Some(shop), &verdicts);
    let mut take = |line: u32, text: serde_json::Value| checker.text(line, Some(text.to_string().as_bytes()));
    let first = take(1, json!({ "custom_id": "a", "question": "How  many\norders?" })).outcome.expect("it is good");
    let same = take(2, json!({ "custom_id": "b", "question": " How many orders? ", "connection_id": shop })).outcome.expect("it is good");
    assert_eq!((same.question_id, same.first_line, same.payload), (first.question_id, 1, None));
    assert_eq!(first.payload.map(|payload| payload.question).as_deref(), Some("How  many\norders?"), "as it was asked");
    for (line, other) in [
        (3, json!({ "custom_id": "c", "question": "how many orders?" })),
        (4, json!({ "custom_id": "d", "question": "How many orders?", "cache": "skip" })),
        (5, json!({ "custom_id": "e", "question": "How many orders?", "deadline_seconds": 5 })),
        (6, json!({ "custom_id": "f", "question": "How many orders?", "sql": "SELECT 1" })),
    ] {
        let asked = take(line, other).outcome.expect("it is good");
        assert_eq!((asked.first_line, asked.payload.is_some()), (line, true));
    }
    let statement = take(7, json!({ "custom_id": "g", "sql": "SELECT 'a  b' ;" })).outcome.expect("it is good");
    let same = take(8, json!({ "custom_id": "h", "sql": "\nSELECT 'a  b'" })).outcome.expect("it is good");
    let other = take(9, json!({ "custom_id": "i", "sql": "SELECT 'a b'" })).outcome.expect("it is good");
    assert_eq!((same.question_id == statement.question_id, other.question_id == statement.question_id), (true, false));
    let twice = take(10, json!({ "custom_id": "a", "question": "Something else?" }));
    assert_eq!((problem(&twice), twice.custom_id.as_deref()), ((LineProblem::DuplicateCustomId, "custom_id"), Some("a")));
}

#[test]
fn a_line_about_a_file_is_not_asked_of_the_batchs_connection() {
    let (shop, file) = (Uuid::now_v7(), Uuid::now_v7());
    let verdicts = verdicts(&[(shop, Verdict::Askable)], &[file]);
    let mut checker = Checker::new(LONGEST, Some(shop), &verdicts);
    let text = json!({ "custom_id": "a", "question": "?", "file_id": file }).to_string();
    let payload = checker.text(1, Some(text.as_bytes())).outcome.expect("it is good").payload.expect("it is the first");
    assert_eq!((payload.connection_id, payload.file_id.map(|id| id.0)), (None, Some(file)));
}
