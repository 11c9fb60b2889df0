//! Good, sloppy and hostile answers.

use super::{MAX_REPLY_BYTES, ReplyError, parse, parse_general};
use crate::llm::Draft;

fn sql_of(text: &str) -> Option<String> {
    parse(text).expect("an answer that can be used").sql
}

#[test]
fn a_whole_answer_is_taken_as_it_is() {
    let draft = parse(
        r#"{"sql":"SELECT 1","explanation":"e","chart":"bar","summary":"{rows} rows","answerable":true,"clarification":null,"more":5}"#,
    )
    .expect("plain JSON");
    let expected = Draft {
        sql: Some("SELECT 1".to_owned()),
        explanation: Some("e".to_owned()),
        chart: Some("bar".to_owned()),
        summary: Some("{rows} rows".to_owned()),
        answerable: Some(true),
        ..Draft::default()
    };
    assert_eq!(draft, expected);
}

#[test]
fn sql_is_found_in_every_wrapping() {
    let wrapped = [
        r#"{"sql": "SELECT 1"}"#,
        "```json\n{\"sql\": \"SELECT 1\"}\n```",
        "Here you are: {\"sql\": \"SELECT 1\"} I hope {this} helps.",
        "{\"note\": 1} {\"sql\": \"SELECT 1\"} {\"sql\": \"SELECT 2\"}",
        "{\"result\": {\"sql\": \"SELECT 1\"}}",
        "[{\"sql\": \"SELECT 1\"}]",
        "{\"sql\": \"```sql\\nSELECT 1\\n```\"}",
        "<think>{\"sql\": \"SELECT 9\"} no</think>{\"sql\": \"SELECT 1\"}",
        "Use this:\n```sql\nSELECT 1\n```\nDone.",
        "```\nSELECT 1\n```",
        "```SELECT 1```",
        "```postgresql\nSELECT 1",
        "{\"sql\": \"SELECT 1\", oops\n```sql\nSELECT 1\n```",
        "SELECT 1",
        "\u{FEFF}  SELECT 1\n",
    ];
    for text in wrapped {
        assert_eq!(sql_of(text).as_deref(), Some("SELECT 1"), "{text}");
    }
    assert_eq!(sql_of("{\"sql\": \"SELECT 1\n\tFROM t\"}").as_deref(), Some("SELECT 1\n\tFROM t"));
    assert_eq!(sql_of("-- note\nwith a as (select 1) select * from a").as_deref(), Some("-- note\nwith a as (select 1) select * from a"));
}

#[test]
fn json_inside_of_sql_is_no_answer() {
    let text = "```sql\nSELECT '{\"summary\": \"x\"}'::json\n```";
    assert_eq!(sql_of(text).as_deref(), Some("SELECT '{\"summary\": \"x\"}'::json"));
}

#[test]
fn fields_of_the_wrong_type_count_as_absent() {
    let draft =
        parse(r#"{"sql": ["SELECT 1"], "chart": 5, "answerable": "no", "summary": "  ", "clarification": "None", "explanation": {}}"#);
    assert_eq!(draft, Ok(Draft::default()));
    assert_eq!(parse(r#"{"sql": "", "answerable": false}"#), Ok(Draft { answerable: Some(false), ..Draft::default() }));
}

#[test]
fn what_holds_nothing_says_why() {
    for (text, error) in [
        ("", ReplyError::Empty),
        (" \n", ReplyError::Empty),
        ("<think>endless", ReplyError::Empty),
        ("I cannot answer that.", ReplyError::Prose),
        ("With pleasure: as you wish.", ReplyError::Prose),
        ("DROP TABLE orders", ReplyError::Prose),
        ("Use {curly} braces", ReplyError::Prose),
        ("{\"sql\": \"SELECT 1", ReplyError::BrokenJson),
        ("{\"query\": \"SELECT 1\"}", ReplyError::BrokenJson),
        ("{}", ReplyError::BrokenJson),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    assert_eq!(parse(&"x".repeat(MAX_REPLY_BYTES + 1)), Err(ReplyError::TooLong));
}

#[test]
fn hostile_nesting_ends() {
    for text in ["{".repeat(MAX_REPLY_BYTES), "{\"a\":".repeat(50_000), "```".repeat(80_000), "{\"".repeat(100_000)] {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn a_general_answer_is_text() {
    assert_eq!(parse_general(" 안녕하세요. \n"), "안녕하세요.");
    assert_eq!(parse_general("{\"answer\": \"Hello\"}"), "Hello");
    assert_eq!(parse_general("```json\n{\"answer\": \"Hello\"}\n```"), "Hello");
    assert_eq!(parse_general("Use `{\"answer\": 1}` here"), "Use `{\"answer\": 1}` here");
    assert_eq!(parse_general("<think>hm</think>Hello"), "Hello");
    assert!(parse_general(&"가".repeat(MAX_REPLY_BYTES)).len() <= MAX_REPLY_BYTES);
}
