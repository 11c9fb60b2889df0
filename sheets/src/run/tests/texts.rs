//! Text files on their whole way.

use super::*;

fn csv(text: &str) -> Went {
    went(text.as_bytes())
}

#[test]
fn floats_are_numbers_however_many_digits_they_have() {
    let went = csv("n,x\n1,0.30000000000000004\n2,1e-05\n3,12.50\n4,-0.1\n");
    assert_eq!(
        (went.kind("x"), went.rows("SELECT x FROM Sheet1")),
        ("number", vec!["0.30000000000000004".into(), "0.00001".into(), "12.5".into(), "-0.1".into()])
    );
}

#[test]
fn codes_keep_their_zeros_and_texts_their_decimals() {
    let went = csv("모델,버전\nA,1.0\nB,1.10\nC,2.0\n");
    assert_eq!((went.kind("버전"), went.rows("SELECT 버전 FROM Sheet1")), ("text", vec!["1.0".into(), "1.10".into(), "2.0".into()]));
    let went = csv("zip,version,n\n06234,1.10,1\n12345,2.0-beta,2\n00001,1.1,3\n");
    assert_eq!(
        (went.kind("zip"), went.rows("SELECT zip, version FROM Sheet1")),
        ("text", vec!["06234|1.10".into(), "12345|2.0-beta".into(), "00001|1.1".into()])
    );
}

#[test]
fn errors_and_words_for_nothing_are_missing() {
    let went = csv("city,v\na,1\nb,#DIV/0!\nc,N/A\nd,nan\ne,\nf,3\n");
    let column = went.column("v");
    assert_eq!((column.kind.as_str(), column.errors, column.nulls, column.sum), ("integer", 1, 4, Some(4.0)));
}

#[test]
fn decimal_commas_between_semicolons() {
    let went = csv("ort;preis;menge\na;12,5;1.234\nb;3,25;2.000\nc;1.000,00;999\n");
    assert_eq!((went.sum("preis"), went.sum("menge")), (Some(1_015.75), Some(4_233.0)), "where commas are decimal points, points are none");
    let went = csv("ort;preis\na;1.234\nb;3,25\nc;1.000,00\n");
    assert_eq!(went.sum("preis"), Some(2_237.25));
}

#[test]
fn months_are_not_numbers() {
    let went = csv("월,매출\n2024.09,10\n2024.10,20\n2024.11,30\n");
    assert_eq!(
        (went.kind("월"), went.rows("SELECT 월 FROM Sheet1")),
        ("date", vec!["2024-09-01".into(), "2024-10-01".into(), "2024-11-01".into()])
    );
    let went = csv("년월,매출\n202409,10\n202410,20\n202411,30\n");
    assert_eq!((went.kind("년월"), went.sum("매출")), ("date", Some(60.0)));
}

#[test]
fn totals_of_text_files_are_not_counted() {
    let went = csv("지역,매출\n서울,\"1,000\"\n부산,\"2,000\"\n합계,\"3,000\"\n");
    assert_eq!((went.only().rows, went.sum("매출"), &went.only().total_rows[..]), (2, Some(3_000.0), &[4][..]));
}

#[test]
fn quotes_that_are_not_closed_take_no_rows_with_them() {
    let went = csv("size,n\n\"5 inch,1\n\"6 inch,2\n\"7 inch\",3\n");
    assert_eq!((went.only().rows, went.sum("n")), (3, Some(6.0)));
}
