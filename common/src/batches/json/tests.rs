//! Objects of every shape, in blocks of every size.

use std::io::BufReader;

use super::*;

fn read(text: &[u8], block: usize) -> Result<Vec<Piece>, Unreadable> {
    let mut pieces = JsonPieces::new(BufReader::with_capacity(block, text));
    let mut found = Vec::new();
    while let Some(piece) = pieces.next_piece()? {
        found.push(piece);
    }
    Ok(found)
}

fn field(name: &str, value: &str) -> Piece {
    Piece::Field(name.to_owned(), value.as_bytes().to_owned())
}

fn line(number: u32, value: &str) -> Piece {
    Piece::Line(number, Some(value.as_bytes().to_owned()))
}

#[test]
fn fields_and_elements_come_as_they_are_written() {
    let text = br#" { "a" : 1.5e3 ,"questions":[ {"x":"}]\"\\"} , [ [ ] ] ,null,"s,]",-1],"b":{"c":[1,{"d":"]"}]},"e":[],"f":true} "#;
    let expected = vec![
        field("a", "1.5e3"),
        line(1, r#"{"x":"}]\"\\"}"#),
        line(2, "[ [ ] ]"),
        line(3, "null"),
        line(4, r#""s,]""#),
        line(5, "-1"),
        field("b", r#"{"c":[1,{"d":"]"}]}"#),
        field("e", "[]"),
        field("f", "true"),
    ];
    for block in 1..=text.len() {
        assert_eq!(read(text, block).expect("it is read"), expected, "by {block}");
    }
}

#[test]
fn empty_ones_are_read_too() {
    assert_eq!(read(b"{}", 8).expect("it is read"), []);
    assert_eq!(read(br#"{"questions":[]}"#, 8).expect("it is read"), []);
}

#[test]
fn what_is_no_object_is_said_with_its_place() {
    for (text, at) in [
        (&b""[..], 0),
        (b"{", 1),
        (br#"{"a"}"#, 4),
        (br#"{"a":}"#, 5),
        (br#"{"a":1"#, 6),
        (br#"{"a":1,}"#, 7),
        (br#"{"a":1 "b":2}"#, 7),
        (br#"{"a":1}{}"#, 7),
        (br#"{a:1}"#, 1),
        (br#"{"questions":}"#, 13),
        (b"\xEF\xBB{}", 2),
        (br#"{"questions":[1,]}"#, 16),
        (br#"{"questions":[1 2]}"#, 16),
        (br#"{"questions":[{"a":"b}]}"#, 24),
        (br#"{"questions":["#, 14),
        (br#"{"questions":[],"questions":[]}"#, 27),
        (br#"{"a":1,"a":2}"#, 10),
        (b"{\"\xFF\":1}", 4),
    ] {
        match read(text, 4) {
            Err(Unreadable::Malformed { at: found, .. }) => assert_eq!(found, at, "{}", String::from_utf8_lossy(text)),
            other => panic!("{}: {other:?}", String::from_utf8_lossy(text)),
        }
    }
}

#[test]
fn what_is_json_and_no_batch_is_told_apart() {
    for (text, wrong) in [
        ("[]", ""),
        (" \"text\"", ""),
        ("null", ""),
        ("-1", ""),
        (r#"{"questions":{}}"#, "questions"),
        (r#"{"questions":"many"}"#, "questions"),
        (r#"{"questions": null}"#, "questions"),
    ] {
        for block in [1, 64] {
            match read(text.as_bytes(), block) {
                Err(Unreadable::Shape { field, .. }) => assert_eq!(field, wrong, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for block in [1, 2, 64] {
        assert_eq!(read(b"\xEF\xBB\xBF {\"a\":1}", block).expect("it is read"), [field("a", "1")]);
    }
}

#[test]
fn deep_nesting_costs_no_stack_here_and_is_refused_by_the_reader_of_the_piece() {
    let deep = format!(r#"{{"questions":[{}{}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let found = read(deep.as_bytes(), 4096).expect("it is taken apart");
    let [Piece::Line(1, Some(text))] = found.as_slice() else { panic!("one line") };
    assert!(serde_json::from_slice::<serde_json::Value>(text).is_err());
}

#[test]
fn an_element_that_is_too_long_is_told_and_the_next_one_comes() {
    let text = format!(r#"{{"questions":["{}",1]}}"#, "a".repeat(LONGEST_LINE));
    assert_eq!(read(text.as_bytes(), 8192).expect("it is read"), [Piece::Line(1, None), line(2, "1")]);
    let text = format!(r#"{{"note":"{}"}}"#, "a".repeat(LONGEST_FIELD));
    assert!(matches!(read(text.as_bytes(), 8192), Err(Unreadable::Malformed { .. })));
}
