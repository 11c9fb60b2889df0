//! What values are, however they are written into cells.

use super::*;

/// A sheet of one column of texts beside running numbers.
fn column(name: &str, texts: &[&str]) -> Went {
    let mut lines = vec![format!("n|{name}")];
    lines.extend((1..).zip(texts).map(|(row, text)| format!("{row}|'{text}")));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    went(&sheet("S", &lines, &[]))
}

fn values(name: &str, texts: &[&str]) -> (String, Vec<String>) {
    let went = column(name, texts);
    let kind = went.kind(name).to_owned();
    (kind, went.rows(&format!("SELECT \"{name}\" FROM S ORDER BY n")))
}

fn check(name: &str, texts: &[&str], kind: &str, expected: &[&str]) {
    let (found, rows) = values(name, texts);
    assert_eq!((found.as_str(), rows.iter().map(String::as_str).collect::<Vec<_>>()), (kind, expected.to_vec()), "{name}: {texts:?}");
}

#[test]
fn texts_that_are_numbers() {
    check("v", &["1,234", "5,678,901", "12"], "integer", &["1234", "5678901", "12"]);
    check("v", &["₩1,000", "2,000원", "(500)"], "integer", &["1000", "2000", "-500"]);
    check("v", &["$1.50", "-$2", "$3,000.25"], "number", &["1.5", "-2", "3000.25"]);
    check("v", &["€10", "20 €", "1.234,50 €"], "number", &["10", "20", "1234.5"]);
    check("v", &["12.5%", "7 %", "-3%"], "number", &["0.125", "0.07", "-0.03"]);
    check("v", &["12,5", "3,25", "1.234,00", "7"], "number", &["12.5", "3.25", "1234", "7"]);
    check("v", &["1 234,5", "2 000", "3"], "number", &["1234.5", "2000", "3"]);
    check("v", &["△1,000", "2,000", "-"], "integer", &["-1000", "2000", ""]);
    check("v", &["1.5e-05", "2", "3.25E+2"], "number", &["0.000015", "2", "325"]);
    check("v", &["3억", "1,200만", "5000만"], "integer", &["300000000", "12000000", "50000000"]);
    check("v", &["1억 2천만원", "3억원", "5천만원"], "integer", &["120000000", "300000000", "50000000"]);
    check("v", &["1,200개", "30개"], "integer", &["1200", "30"]);
}

#[test]
fn texts_that_are_no_numbers_stay_as_they_are() {
    check("v", &["007", "012", "123"], "text", &["007", "012", "123"]);
    check("v", &["010-1234-5678", "02-345-6789"], "text", &["010-1234-5678", "02-345-6789"]);
    check("v", &["1-1-2", "1-2-1", "2-1-1"], "text", &["1-1-2", "1-2-1", "2-1-1"]);
    check("v", &["1,2", "1,2,3", "2"], "text", &["1,2", "1,2,3", "2"]);
    check("v", &["1,2", "2,3", "1"], "text", &["1,2", "2,3", "1"]);
    check("v", &["10개", "20명"], "text", &["10개", "20명"]);
    check("v", &["1E5", "2E7", "3A1"], "text", &["1E5", "2E7", "3A1"]);
    check("v", &["1234567890123456789", "1234567890123456780"], "text", &["1234567890123456789", "1234567890123456780"]);
    check("v", &["09:00-10:00", "10:00-11:30"], "text", &["09:00-10:00", "10:00-11:30"]);
}

#[test]
fn amounts_of_several_currencies_are_not_added() {
    let texts = ["$100", "₩1,000", "€5"];
    check("v", &texts, "text", &texts);
    let told = column("v", &texts).assumed("currency");
    assert_eq!(told, ["B2:B4 In the column “v” amounts in several currencies (KRW, USD, EUR) can't be added and stay texts."]);
}

#[test]
fn how_numbers_are_shown_is_told() {
    let mut writer = Writer::new();
    let sheet = writer.add_worksheet();
    fill(sheet, &["n|rate|price", "1||", "2||"], &[]);
    let shown = |format: &str| Format::new().set_num_format(format);
    sheet.write_with_format(1, 1, 0.125, &shown("0.0%")).expect("in range").write_with_format(2, 1, 0.25, &shown("0%")).expect("in range");
    sheet.write_with_format(1, 2, 100, &shown("[$$-409]#,##0")).expect("in range");
    sheet.write_with_format(2, 2, 1_000, &shown("[$₩-412]#,##0")).expect("in range");
    let went = went(&writer.save_to_buffer().expect("memory can be written"));
    assert_eq!(went.assumed("percent"), ["B2:B3 In the column “rate” percentages are fractions (12.5% is 0.125)."]);
    assert_eq!(
        went.assumed("currency"),
        ["C2:C3 In the column “price” amounts are shown in several currencies (KRW, USD) and added as plain numbers."]
    );
}

#[test]
fn texts_that_are_days() {
    check("v", &["2024년 3월 5일", "2024년 12월 25일 (수)"], "date", &["2024-03-05", "2024-12-25"]);
    check("v", &["2024.3.5.", "2024. 12. 25."], "date", &["2024-03-05", "2024-12-25"]);
    check("일자", &["24/03/05", "24/12/25", "23/01/02"], "date", &["2024-03-05", "2024-12-25", "2023-01-02"]);
    check("v", &["24/03/05", "24/03/06", "24/04/07"], "date", &["2024-03-05", "2024-03-06", "2024-04-07"]);
    check("v", &["03/05/24", "03/17/24", "04/01/24"], "date", &["2024-03-05", "2024-03-17", "2024-04-01"]);
    check("v", &["05.03.24", "17.03.24", "01.04.24"], "date", &["2024-03-05", "2024-03-17", "2024-04-01"]);
    check("주문일", &["24-03-05", "24-03-06"], "date", &["2024-03-05", "2024-03-06"]);
    check("code", &["24-03-05", "24-03-06"], "text", &["24-03-05", "24-03-06"]);
    check("주문일", &["20240305", "20241225"], "date", &["2024-03-05", "2024-12-25"]);
    check("date", &["2024-03-05", "20240306", "2024/3/7"], "date", &["2024-03-05", "2024-03-06", "2024-03-07"]);
    check("v", &["13/02/2024", "03/04/2024"], "date", &["2024-02-13", "2024-04-03"]);
    check("v", &["5-Mar-24", "25 December 2024"], "date", &["2024-03-05", "2024-12-25"]);
}

#[test]
fn texts_that_are_moments_months_and_times() {
    check("v", &["2024-03-05 오후 2:30", "2024년 3월 6일 오전 9시"], "timestamp", &["2024-03-05 14:30:00", "2024-03-06 09:00:00"]);
    check("v", &["2024-03-05T14:30:00+09:00", "2024-03-06T00:00:00+09:00"], "timestamp", &["2024-03-05 14:30:00", "2024-03-06 00:00:00"]);
    check("v", &["2024-03-05T14:30:00+09:00", "2024-03-05T14:30:00Z"], "timestamp", &["2024-03-05 05:30:00", "2024-03-05 14:30:00"]);
    check("v", &["2024.10", "2024.11", "2025.01"], "date", &["2024-10-01", "2024-11-01", "2025-01-01"]);
    check("v", &["2024-10", "2024-11"], "date", &["2024-10-01", "2024-11-01"]);
    check("v", &["2024년 9월", "2024년 10월"], "date", &["2024-09-01", "2024-10-01"]);
    check("price", &["2024.10", "1999.99"], "number", &["2024.1", "1999.99"]);
    check("v", &["14:30", "오후 3시", "9:05"], "time", &["14:30:00", "15:00:00", "09:05:00"]);
    check("v", &["36:15:00", "01:00:00"], "time", &["36:15:00", "01:00:00"]);
}

#[test]
fn texts_that_are_truths() {
    check("v", &["예", "아니오", "예"], "boolean", &["1", "0", "1"]);
    check("v", &["Y", "N", "y"], "boolean", &["1", "0", "1"]);
    check("v", &["참", "거짓"], "boolean", &["1", "0"]);
    check("v", &["Y", "no"], "text", &["Y", "no"]);
}

#[test]
fn cells_of_their_own_types() {
    let lines = [
        "day|share|done|time|error|long|id",
        "d:2024-03-05|0.25|TRUE|t:1.5|#DIV/0!|x|'00123",
        "d:2024-03-06|0.5|FALSE|t:0.25|2|y|456",
        "d:2024-03-07|0.75|TRUE|t:0.5|3|z|789",
    ];
    let went = went(&sheet("S", &lines, &[]));
    let kinds: Vec<&str> = went.only().columns.iter().map(|column| column.kind.as_str()).collect();
    assert_eq!(kinds, ["date", "number", "boolean", "time", "integer", "text", "text"]);
    assert_eq!(went.rows("SELECT day, done, time, error, id FROM S LIMIT 1"), ["2024-03-05|1|36:00:00||00123"]);
    assert_eq!((went.column("error").errors, went.column("error").nulls, went.sum("error")), (1, 1, Some(5.0)));
    assert_eq!(went.assumed("error_cells"), ["E2:E4 In the column “error” 1 cell with an error counts as missing."]);
}

#[test]
fn a_few_strays_do_not_make_numbers_texts() {
    let numbers: Vec<String> = (1..=40).map(|number| if number == 7 { "협의".to_owned() } else { format!("{number},000") }).collect();
    let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let went = column("amount", &texts);
    assert_eq!((went.kind("amount"), went.column("amount").nulls, went.sum("amount")), ("integer", 1, Some(813_000.0)));
    assert_eq!(went.assumed("mixed_types"), ["B2:B41 In the column “amount” 1 value of another type counts as missing (“협의”)."]);
    // Of codes every one counts, and of few values none is a stray.
    assert_eq!(column("상품코드", &texts).kind("상품코드"), "text");
    let few = went_of_mixture();
    assert_eq!((few.kind("v"), few.column("v").mixture.len()), ("mixed", 2));
}

fn went_of_mixture() -> Went {
    went(&sheet("S", &["n|v", "1|10", "2|abc", "3|20", "4|def"], &[]))
}

#[test]
fn formulas_have_the_values_that_were_stored() {
    let lines = ["a|b", "1|=A2*2→2", "2|=A3*2→4"];
    assert_eq!(went(&sheet("S", &lines, &[])).sum("b"), Some(6.0));
}

#[test]
fn formulas_without_values_are_told() {
    let sheet = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"str\"><v>name</v></c><c r=\"B1\" t=\"str\"><v>n</v></c>\
        <c r=\"C1\" t=\"str\"><v>double</v></c></row><row r=\"2\"><c r=\"A2\" t=\"str\"><v>x</v></c><c r=\"B2\"><v>1</v></c>\
        <c r=\"C2\"><f>B2*2</f><v></v></c></row><row r=\"3\"><c r=\"A3\" t=\"str\"><v>y</v></c><c r=\"B3\"><v>2</v></c>\
        <c r=\"C3\"><f>B3*2</f></c></row></sheetData></worksheet>";
    let went = went(&crate::read::tests::xlsx_of(sheet));
    assert_eq!((went.only().rows, went.kind("double")), (2, "empty"));
    let told = went.assumed("formula_without_value");
    assert!(told.len() == 1 && told[0].starts_with("C2:C3 2 formulas of the sheet have no stored value"), "{told:?}");
}
