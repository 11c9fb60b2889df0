//! In which language things are told, and what is told of sheets that are left out.

use super::*;

fn language(sheet_name: &str, column: &str) -> Language {
    let bytes = sheet(sheet_name, &[&format!("id|{column}"), "1|2", "2|3"], &[]);
    go(&bytes, Options::default(), None).expect("it is a workbook").found.language
}

#[test]
fn a_korean_name_makes_a_workbook_korean() {
    assert_eq!(language("Sheet1", "amount"), Language::English);
    assert_eq!(language("Sheet1", "매출"), Language::Korean);
    assert_eq!(language("주문", "amount"), Language::Korean);
}

#[test]
fn everything_is_told_in_the_language_that_is_asked_for() {
    let lines = ["매출 현황", "지역|금액", "서울|'1,000", "부산|'₩2,000", "", "대구|-", "합계|'3,000"];
    let mut writer = Writer::new();
    fill(writer.add_worksheet().set_name("a").expect("a name"), &lines, &[]);
    writer.add_worksheet().set_name("b").expect("a name").set_hidden(true);
    writer.add_worksheet().set_name("c").expect("a name");
    let bytes = writer.save_to_buffer().expect("memory can be written");
    let korean = go(&bytes, Options::default(), Some(Language::Korean)).expect("it is a workbook");
    let english = go(&bytes, Options::default(), Some(Language::English)).expect("it is a workbook");
    let texts = |went: &Went| {
        let analysis = &went.found.analysis;
        let assumed = analysis.tables.iter().flat_map(|table| &table.assumptions).map(|assumption| assumption.text.clone());
        assumed.chain(analysis.skipped.iter().map(|skipped| skipped.text.clone())).chain(analysis.notes.clone()).collect::<Vec<_>>()
    };
    let (korean, english) = (texts(&korean), texts(&english));
    assert_eq!(korean.len(), english.len());
    let hangul = |text: &String| text.chars().any(|c| ('가'..='힣').contains(&c));
    assert!(korean.iter().all(hangul), "{korean:#?}");
    assert!(!english.iter().map(|text| text.replace("금액", "")).any(|text| hangul(&text)), "{english:#?}");
    assert!(korean.contains(&"‘b’ 시트는 숨겨져 있어 제외했습니다.".to_owned()), "{korean:#?}");
}

#[test]
fn sheets_that_are_left_out_say_why() {
    let mut writer = Writer::new();
    fill(writer.add_worksheet().set_name("data").expect("a name"), &["a|b", "1|2", "3|4"], &[]);
    fill(writer.add_worksheet().set_name("secret").expect("a name").set_hidden(true), &["x|y", "5|6", "7|8"], &[]);
    writer.add_worksheet().set_name("blank").expect("a name");
    fill(writer.add_worksheet().set_name("memo").expect("a name"), &["only a line"], &[]);
    let mut chart = rust_xlsxwriter::Chart::new(rust_xlsxwriter::ChartType::Column);
    chart.add_series().set_values("data!$A$2:$A$3");
    writer.add_chartsheet().insert_chart(0, 0, &chart).expect("in range");
    let bytes = writer.save_to_buffer().expect("memory can be written");
    let seen = |options| {
        let went = go(&bytes, options, None).expect("it is a workbook");
        let skipped =
            went.found.analysis.skipped.iter().map(|skipped| format!("{}: {}", skipped.sheet, skipped.reason)).collect::<Vec<_>>();
        (went.ranges(), skipped, went.assumed("hidden_sheet").len())
    };
    let (ranges, skipped, assumed) = seen(Options::default());
    assert_eq!((ranges, assumed), (vec!["data!A1:B3".to_owned()], 0));
    assert_eq!(skipped, ["secret: hidden", "blank: empty", "memo: no_table", "Chart1: not_a_worksheet"]);
    let (ranges, skipped, assumed) = seen(Options { include_hidden: true, ..Options::default() });
    assert_eq!((ranges, assumed), (vec!["data!A1:B3".to_owned(), "secret!A1:B3".to_owned()], 1));
    assert_eq!(skipped, ["blank: empty", "memo: no_table", "Chart1: not_a_worksheet"]);
}

#[test]
fn hidden_rows_and_columns_are_counted_and_told() {
    let mut writer = Writer::new();
    let sheet = writer.add_worksheet();
    fill(sheet, &["city|a|b", "x|1|10", "y|2|20", "z|3|30"], &[]);
    sheet.set_row_hidden(2).expect("in range").set_column_hidden(2).expect("in range");
    let went = went(&writer.save_to_buffer().expect("memory can be written"));
    assert_eq!((went.only().rows, went.sum("a"), went.sum("b")), (3, Some(6.0), Some(60.0)));
    assert_eq!(went.assumed("hidden_rows"), ["A3:C3 1 row is hidden and counted all the same."]);
    assert_eq!(went.assumed("hidden_columns"), ["C1:C4 1 column is hidden and read all the same."]);
}

#[test]
fn a_text_files_sheet_is_called_after_it() {
    let options = Options { name: Some("2024 sales.csv".to_owned()), ..Options::default() };
    let went = go(b"city,amount\nSeoul,1\nBusan,2\n", options, None).expect("it is a text");
    assert_eq!(
        (went.ranges(), went.rows("SELECT sum(amount) FROM \"2024 sales\"")),
        (vec!["2024 sales!A1:B3".to_owned()], vec!["3".to_owned()])
    );
}
