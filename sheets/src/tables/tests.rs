//! Sheets as people make them, and what is to be found in them.

use super::*;
use crate::grid::Cell;

/// A workbook with one sheet: a line is a row, `|` parts its cells. Plain numbers are numbers, `'` before one keeps it a text, `#` begins an
/// error, `d:` a day of 2024 counted from 0.
fn workbook(name: &str, lines: &[&str], merges: &[(u32, u32, u32, u32)]) -> Workbook {
    let mut workbook = Workbook::default();
    let mut sheet = Sheet::new(name, false);
    for (row, line) in (0..).zip(lines) {
        for (col, text) in (0..).zip(line.split('|')) {
            let text = text.trim();
            let cell = if text.is_empty() {
                Cell::Empty
            } else if let Some(text) = text.strip_prefix('\'') {
                Cell::Text(workbook.texts.intern(text).expect("room"))
            } else if let Some(day) = text.strip_prefix("d:") {
                Cell::Moment((19_723 + day.parse::<i64>().expect("a day")) * 86_400_000_000)
            } else if text.starts_with('#') {
                Cell::Error(workbook.texts.intern(text).expect("room"))
            } else if let Ok(number) = text.parse::<f64>() {
                Cell::Number(number)
            } else {
                Cell::Text(workbook.texts.intern(text).expect("room"))
            };
            sheet.push(row, col, cell);
        }
    }
    sheet.merges = merges.iter().map(|&(top, left, bottom, right)| CellRange { top, left, bottom, right }).collect();
    workbook.sheets.push(sheet);
    workbook
}

fn found(lines: &[&str]) -> Tables {
    find(workbook("주문", lines, &[]), &Options::default()).expect("there are tables")
}

fn names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

fn kinds(table: &Table) -> Vec<SheetColumnType> {
    table.columns.iter().map(|column| column.kind).collect()
}

fn assumed(table: &Table) -> Vec<&str> {
    table.assumptions.iter().map(|assumption| assumption.kind).collect()
}

#[test]
fn a_plain_table_is_taken_as_it_is() {
    let tables = found(&["id|지역|금액|주문일", "1|서울|10.5|d:0", "2|부산|20|d:1", "3||30|d:2"]);
    let [table] = &tables.tables[..] else { panic!("one table") };
    assert_eq!((table.name.as_str(), table.range.to_string().as_str(), table.header_rows), ("주문", "A1:D4", 1));
    assert_eq!(names(table), ["id", "지역", "금액", "주문일"]);
    assert_eq!(kinds(table), [SheetColumnType::Integer, SheetColumnType::Text, SheetColumnType::Number, SheetColumnType::Date]);
    assert_eq!(table.rows, [1, 2, 3]);
    assert_eq!(table.columns[1].present, [true, true, false]);
    assert!(table.assumptions.is_empty(), "{:?}", table.assumptions);
}

#[test]
fn a_report_with_everything_is_understood() {
    let lines = [
        "2024년 지역별 매출",
        "|||(단위: 천원)",
        "지역|매출||비고",
        "|국내|해외|",
        "서울|1,000|200|",
        "부산|2,000|300|",
        "소계|3,000|500|",
        "",
        "대구|500|△100|신규",
        "합계|3,500|400|",
        "※ 해외는 잠정치입니다",
    ];
    let merges = [(2, 0, 3, 0), (2, 1, 2, 2), (2, 3, 3, 3)];
    let tables = find(workbook("매출", &lines, &merges), &Options::default()).expect("there is one");
    let [table] = &tables.tables[..] else {
        panic!("one table: {:?}", tables.tables.iter().map(|t| t.range.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(table.title.as_deref(), Some("2024년 지역별 매출"));
    assert_eq!(names(table), ["지역", "매출 국내", "매출 해외", "비고"]);
    assert_eq!(table.header_rows, 2);
    assert_eq!(table.rows, [4, 5, 8]);
    assert_eq!(table.total_rows, [6, 9]);
    let Values::Integers(abroad) = &table.columns[2].values else { panic!("numbers") };
    assert_eq!(abroad, &[200, 300, -100]);
    for kind in ["title_row", "multi_row_header", "merged_header", "total_row", "blank_rows", "note_row", "text_as_number"] {
        assert!(assumed(table).contains(&kind), "{kind} of {:?}", assumed(table));
    }
}

#[test]
fn tables_beside_and_below_each_other_are_several() {
    let tables = found(&[
        "이름|나이||상품|가격",
        "김|30||사과|100",
        "이|40||배|200",
        "||||",
        "",
        "도시|인구||감|300",
        "서울|900||귤|400",
        "부산|300||밤|500",
    ]);
    let ranges: Vec<String> = tables.tables.iter().map(|table| table.range.to_string()).collect();
    assert_eq!(ranges, ["A1:B3", "D1:E8", "A6:B8"]);
    let all: Vec<&str> = tables.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(all, ["주문", "주문_2", "주문_3"]);
}

#[test]
fn headers_may_be_missing_doubled_or_years() {
    let tables = found(&["1|서울|5", "2|부산|6", "3|대구|7"]);
    assert_eq!((names(&tables.tables[0]), tables.tables[0].header_rows), (vec!["column_1", "column_2", "column_3"], 0));
    let tables = found(&["금액||금액", "1|2|3", "4|5|6"]);
    assert_eq!(names(&tables.tables[0]), ["금액", "column_2", "금액_2"]);
    let tables = found(&["지역|2021|2022|2023", "서울|5|6|7", "부산|8|9|10"]);
    assert_eq!((names(&tables.tables[0]), tables.tables[0].rows.len()), (vec!["지역", "2021", "2022", "2023"], 2));
}

#[test]
fn texts_become_numbers_days_and_truths_only_as_a_whole() {
    let tables = found(&[
        "가격|비율|코드|일자|납품일|여부|섞임|규모",
        "'₩1,000|12.5%|'007|2024년 3월 5일|'20240305|예|1|3억",
        "'2,000원|7%|'008|2024. 3. 6.|'20240306|아니오|abc|1,200만",
        "-|-|'009|2024-03-07|'20240307|예|2|5억",
    ]);
    let table = &tables.tables[0];
    use SheetColumnType::{Boolean, Date, Integer, Mixed, Number, Text};
    assert_eq!(kinds(table), [Integer, Number, Text, Date, Date, Boolean, Mixed, Integer]);
    let Values::Numbers(rates) = &table.columns[1].values else { panic!("numbers") };
    assert_eq!((&rates[..2], &table.columns[1].present[..]), (&[0.125, 0.07][..], &[true, true, false][..]));
    assert_eq!(table.columns[6].mixture, [(Number, 2), (Text, 1)]);
    for kind in ["currency", "percent", "placeholder_as_null", "text_as_date", "mixed_types"] {
        assert!(assumed(table).contains(&kind), "{kind} of {:?}", assumed(table));
    }
}

#[test]
fn the_order_of_day_and_month_is_decided_by_the_column() {
    let tables = found(&["date|n", "13/02/2024|1", "03/04/2024|2"]);
    let Values::Days(days) = &tables.tables[0].columns[0].values else { panic!("days") };
    assert_eq!(days, &[19_766, 19_816]);
    let tables = found(&["date|n", "13/02/2024|1", "02/14/2024|2"]);
    assert_eq!(tables.tables[0].columns[0].kind, SheetColumnType::Text);
}

#[test]
fn errors_count_as_missing_and_merged_data_is_filled_down() {
    let merges = [(1, 0, 2, 0)];
    let tables = find(workbook("S", &["구분|값", "가|1", "|#DIV/0!", "나|3"], &merges), &Options::default()).expect("a table");
    let table = &tables.tables[0];
    let Values::Texts(ids) = &table.columns[0].values else { panic!("texts") };
    let texts: Vec<&str> = ids.iter().map(|&id| tables.texts.get(id)).collect();
    assert_eq!(texts, ["가", "가", "나"]);
    assert_eq!((table.columns[1].errors, &table.columns[1].present[..]), (1, &[true, false, true][..]));
}

#[test]
fn sheets_without_a_table_are_told_of() {
    let mut workbook = workbook("메모", &[], &[]);
    workbook.sheets.push(Sheet::new("빈", false));
    workbook.sheets.push(Sheet::without("숨김", true, Why::Hidden));
    let error = find(workbook, &Options::default()).err().expect("no table");
    assert_eq!(error.code(), "workbook_empty");
    assert!(error.to_string().contains("숨김"), "{error}");
}

#[test]
fn cells_that_are_no_table_are_one_where_there_is_nothing_else() {
    let tables = found(&["a memo", "", "", "", "", "|||42"]);
    let [table] = &tables.tables[..] else { panic!("one table: {}", tables.tables.len()) };
    assert_eq!((table.range.to_string(), &table.rows[..], table.header_rows), ("A1:D6".to_owned(), &[0, 5][..], 0));
    assert!(assumed(table).contains(&"no_table"), "{:?}", assumed(table));
    let kinds: Vec<SheetColumnType> = table.columns.iter().map(|column| column.kind).collect();
    assert_eq!(kinds, [SheetColumnType::Text, SheetColumnType::Integer]);
    assert!(tables.skipped.is_empty());
}

#[test]
fn far_corners_are_quick() {
    let mut workbook = Workbook::default();
    let mut sheet = Sheet::new("S", false);
    sheet.push(0, 0, Cell::Number(1.0));
    sheet.push(1_048_575, 16_383, Cell::Number(2.0));
    workbook.sheets.push(sheet);
    let tables = find(workbook, &Options::default()).expect("two cells").tables;
    assert_eq!((tables.len(), &tables[0].rows[..], tables[0].columns.len()), (1, &[0, 1_048_575][..], 2));
}

#[test]
fn headers_printed_again_are_no_data() {
    let tables = found(&["이름|값", "가|1", "나|2", "이름|값", "다|3"]);
    assert_eq!(tables.tables[0].rows, [1, 2, 4]);
    assert!(assumed(&tables.tables[0]).contains(&"repeated_header"));
}

fn merged(lines: &[&str], merges: &[(u32, u32, u32, u32)]) -> Tables {
    find(workbook("매출", lines, merges), &Options::default()).expect("there are tables")
}

fn ranges(tables: &Tables) -> Vec<String> {
    tables.tables.iter().map(|table| table.range.to_string()).collect()
}

#[test]
fn groups_without_a_first_name_are_a_header_and_no_title() {
    let lines = ["|매출|||", "지역|국내|해외|합|비고", "서울|1|2|3|x", "부산|4|5|9|y"];
    let tables = merged(&lines, &[(0, 1, 0, 3)]);
    let table = &tables.tables[0];
    assert_eq!((table.header_rows, table.title.as_deref(), table.rows.len()), (2, None, 2));
    assert_eq!(names(table), ["지역", "매출 국내", "매출 해외", "매출 합", "비고"]);
}

#[test]
fn groups_may_stand_above_years() {
    let lines = ["구분|매출||비용|", "|2022|2023|2022|2023", "서울|10|20|30|40", "부산|50|60|70|80"];
    let tables = merged(&lines, &[(0, 0, 1, 0), (0, 1, 0, 2), (0, 3, 0, 4)]);
    let table = &tables.tables[0];
    assert_eq!(names(table), ["구분", "매출 2022", "매출 2023", "비용 2022", "비용 2023"]);
    assert_eq!(table.rows, [2, 3]);
}

#[test]
fn a_first_row_of_texts_with_gaps_is_data_where_the_table_holds_only_texts() {
    let tables = found(&["이름|도시|비고", "김|서울|가", "이|부산|", "박|서울|나"]);
    assert_eq!((tables.tables[0].header_rows, tables.tables[0].rows.len()), (1, 3));
}

#[test]
fn lines_of_remarks_above_a_header_are_no_header() {
    let lines = ["월별 실적", "작성자: 홍길동||||(단위: 원)", "월|국내|해외|합|비고", "1월|1|2|3|x", "2월|4|5|9|y"];
    let tables = found(&lines);
    let table = &tables.tables[0];
    assert_eq!((table.range.to_string().as_str(), table.title.as_deref(), table.header_rows), ("A3:E5", Some("월별 실적"), 1));
}

#[test]
fn a_blank_row_parts_neither_header_nor_data() {
    let tables = found(&["이름|값|날", "", "가|1|d:0", "나|2|d:1", "", "", "다|3|d:2"]);
    assert_eq!(ranges(&tables), ["A1:C7"]);
    assert_eq!((tables.tables[0].header_rows, &tables.tables[0].rows[..]), (1, &[2, 3, 6][..]));
    assert!(assumed(&tables.tables[0]).contains(&"blank_rows"));
}

#[test]
fn a_blank_column_within_a_table_is_left_out() {
    let tables = found(&["이름|부서||금액|비고", "김|영업||100|x", "이|인사||250|y", "박|영업||90|z"]);
    assert_eq!(ranges(&tables), ["A1:E4"]);
    assert_eq!(names(&tables.tables[0]), ["이름", "부서", "금액", "비고"]);
    assert_eq!(tables.tables[0].columns.iter().map(|column| column.col).collect::<Vec<_>>(), [0, 1, 3, 4]);
    assert!(assumed(&tables.tables[0]).contains(&"blank_columns"));
}

#[test]
fn one_title_over_two_tables_joins_them_not() {
    let lines = ["2024년 현황", "이름|나이||상품|가격", "김|30||사과|100", "이|40||배|200"];
    assert_eq!(ranges(&merged(&lines, &[(0, 0, 0, 4)])), ["A2:B4", "D2:E4"]);
}

#[test]
fn a_total_is_a_word_left_of_its_numbers_that_are_sums() {
    // The company called Total is no total; the last row is, and so is the first, which sums up those below.
    let tables = found(&["회사|매출", "Shell|5", "Total|7", "BP|4", "합계|16"]);
    assert_eq!((&tables.tables[0].rows[..], &tables.tables[0].total_rows[..]), (&[1, 2, 3][..], &[4][..]));
    let tables = found(&["지역|인구", "합계|60", "서울|10", "부산|20", "대구|30"]);
    assert_eq!((&tables.tables[0].rows[..], &tables.tables[0].total_rows[..]), (&[2, 3, 4][..], &[1][..]));
    let tables = found(&["번호|상표|값", "1|Total|7", "2|Shell|8"]);
    assert_eq!((&tables.tables[0].rows[..], &tables.tables[0].total_rows[..]), (&[1, 2][..], &[][..]));
    let tables = found(&["지역|구|값", "서울|강남|7", "서울|강북|8", "서울|소계|15", "부산|해운대|5"]);
    assert_eq!((&tables.tables[0].rows[..], &tables.tables[0].total_rows[..]), (&[1, 2, 4][..], &[3][..]));
}

#[test]
fn placeholders_alone_stay_as_they_are() {
    let tables = found(&["이름|상태|값", "가|-|1", "나|없음|2"]);
    let column = &tables.tables[0].columns[1];
    assert_eq!((column.kind, &column.present[..]), (SheetColumnType::Text, &[true, true][..]));
}
