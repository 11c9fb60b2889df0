//! Text files in all encodings and dialects.

use encoding_rs::EUC_KR;

use super::*;

fn check(bytes: &[u8], expected: &[&[&str]], notes: &[&str]) {
    let workbook = read_bytes(bytes).expect("it is a text");
    assert_eq!(rows(&workbook, 0), expected);
    assert_eq!(workbook.notes.len(), notes.len(), "{:?}", workbook.notes);
    for (note, expected) in workbook.notes.iter().zip(notes) {
        assert!(note.english.contains(expected), "{note:?}");
    }
}

const KOREAN: &str = "이름,금액\n김철수,1000\n이영희,\"2,500\"\n";
const KOREAN_ROWS: &[&[&str]] = &[&["이름", "금액"], &["김철수", "#1000"], &["이영희", "2,500"]];

#[test]
fn encodings_are_found_and_told() {
    check(KOREAN.as_bytes(), KOREAN_ROWS, &[]);
    check(format!("\u{FEFF}{KOREAN}").as_bytes(), KOREAN_ROWS, &[]);
    check(&EUC_KR.encode(KOREAN).0, KOREAN_ROWS, &["CP949"]);
    let wide = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    check(&wide(KOREAN, u16::to_le_bytes), KOREAN_ROWS, &["UTF-16LE"]);
    check(&wide(&format!("\u{FEFF}{KOREAN}"), u16::to_le_bytes), KOREAN_ROWS, &["UTF-16LE"]);
    check(&wide(&format!("\u{FEFF}{KOREAN}"), u16::to_be_bytes), KOREAN_ROWS, &["UTF-16BE"]);
    let mut flawed = KOREAN.repeat(20).into_bytes();
    flawed.extend(b"x\xff,1\n");
    let workbook = read_bytes(&flawed).expect("it is a text");
    assert_eq!(rows(&workbook, 0)[60], ["x\u{FFFD}", "#1"]);
    assert!(workbook.notes[0].english.contains("1 bytes are no UTF-8"), "{:?}", workbook.notes);
}

#[test]
fn dialects_are_found_and_told() {
    check(b"a;b\n1,5;2\n", &[&["a", "b"], &["1,5", "#2"]], &["semicolons"]);
    check(b"a\tb\r1\t2\r", &[&["a", "b"], &["#1", "#2"]], &["tabs"]);
    check(b"sep=|\r\na|b\r\n1|2\r\n", &[&["a", "b"], &["#1", "#2"]], &["“|”"]);
    check(b"'a,b','c'\n'd','e'\n", &[&["a,b", "c"], &["d", "e"]], &["Apostrophes"]);
}

#[test]
fn odd_texts_are_read_as_they_stand() {
    check(b"a,\"x\ny\"\n007,1\n", &[&["a", "x\ny"], &["007", "#1"]], &[]);
    check(b"a,b,c\n1\n\n1,2,3,4\n", &[&["a", "b", "c", ""], &["#1", "", "", ""], &["", "", "", ""], &["#1", "#2", "#3", "#4"]], &[]);
    check(b"one\ntwo\n", &[&["one"], &["two"]], &[]);
    check(b"a,b\n\"1,2\n3,4\n", &[&["a", "b"], &["\"1", "#2"], &["#3", "#4"]], &["1 quotes are not closed"]);
    check(b"a\0,b\n1,2\n3,4\n", &[&["a\0", "b"], &["#1", "#2"], &["#3", "#4"]], &[]);
    check(b"a,b\n12.50,#DIV/0!\n2024.10,1e5\n", &[&["a", "b"], &["#12.50", "!#DIV/0!"], &["2024.10", "1e5"]], &[]);
    assert!(read_bytes(b"\n\n \n").is_ok());
    assert!(matches!(read_bytes(b"\n\n"), Err(ReadError::Empty(_))));
    assert!(matches!(read_bytes(b",,\n,,\n"), Err(ReadError::Empty(_))));
}

#[test]
fn the_sheet_is_called_after_the_file() {
    let options = Options { name: Some("2024년 매출.csv".to_owned()), ..Options::default() };
    assert_eq!(read_with(KOREAN.as_bytes(), &options).expect("it is a text").sheets[0].name, "2024년 매출");
    assert_eq!(read_bytes(KOREAN.as_bytes()).expect("it is a text").sheets[0].name, "Sheet1");
}

#[test]
fn lines_that_are_none_are_refused() {
    let endless = vec![b'x'; 9 * 1_048_576];
    assert!(matches!(read_bytes(&endless), Err(ReadError::TooLarge(_))));
    let wide = format!("a,b\n{}\n", ",1".repeat(20_000));
    assert!(matches!(read_bytes(wide.as_bytes()), Err(ReadError::TooLarge(_))));
}
