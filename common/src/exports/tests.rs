//! The workbooks, read back by another library.

use std::{fs::File, io::BufReader};

use calamine::{Data, Reader, Xlsx};
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::*;
use crate::{
    analyses::{AnalysedColumn, AnalysedTable, Analysis, AnalysisChart, Assumption, Outlier, Outliers, Quantiles, Relation, TopValue},
    charts::{Chart, Unit, bins},
    model::{
        language::Language,
        results::{Column, ColumnKind},
        workbooks::SheetColumnType,
    },
};

type Book = Xlsx<BufReader<File>>;

fn column(name: &str, kind: ColumnKind) -> Column {
    Column { name: name.to_owned(), type_name: String::new(), kind }
}

fn about(rows: u64) -> About {
    About { title: "도시별 매출은?".to_owned(), row_count: rows, truncated: false, language: Language::Korean, picture: None }
}

fn written(columns: Vec<Column>, rows: &[Value], about: &About) -> File {
    let mut book = ResultBook::new(columns, about.language).expect("a workbook");
    for row in rows {
        assert!(book.push(row.as_array().expect("a row")).expect("is written"));
    }
    book.finish(about).expect("a file")
}

fn read(file: File) -> Book {
    Xlsx::new(BufReader::new(file)).expect("a workbook")
}

fn cells(book: &mut Book, sheet: &str) -> Vec<Vec<Data>> {
    book.worksheet_range(sheet).expect("the sheet").rows().map(<[Data]>::to_vec).collect()
}

fn text(text: &str) -> Data {
    Data::String(text.to_owned())
}

/// The text of a part of the zip file.
fn part(file: &File, name: &str) -> String {
    use std::io::Read;
    let mut archive = zip::ZipArchive::new(file.try_clone().expect("a handle")).expect("a zip file");
    let mut text = String::new();
    archive.by_name(name).expect("the part").read_to_string(&mut text).expect("is text");
    text
}

#[test]
fn cells_are_typed() {
    let columns = vec![
        column("도시", ColumnKind::Text),
        column("매출(원)", ColumnKind::Number),
        column("번호", ColumnKind::Integer),
        column("날짜", ColumnKind::Date),
        column("시각", ColumnKind::Timestamp),
        column("여부", ColumnKind::Boolean),
    ];
    let rows = [
        json!(["=1+1", "1234.50", 7, "2024-03-05", "2024-03-05T12:30:00", true]),
        json!(["_x0041_", "1234567890123456789.25", 9_007_199_254_740_993_i64, null, "2024-03-05T12:30:00Z", false]),
    ];
    let mut book = read(written(columns, &rows, &about(2)));
    assert_eq!(book.sheet_names(), ["결과", "알림"]);
    let cells = cells(&mut book, "결과");
    assert_eq!(cells[0][..2], [text("도시"), text("매출(원)")]);
    assert_eq!(cells[1][..3], [text("=1+1"), Data::Float(1234.5), Data::Float(7.0)]);
    assert_eq!(cells[1][5], Data::Bool(true));
    let noon = NaiveDate::from_ymd_opt(2024, 3, 5).and_then(|day| day.and_hms_opt(12, 30, 0)).expect("a moment");
    for (cell, moment) in [(&cells[1][3], noon.date().into()), (&cells[1][4], noon), (&cells[2][4], noon)] {
        let Data::DateTime(serial) = cell else { panic!("{cell:?} is no date") };
        assert_eq!(serial.as_datetime(), Some(moment));
    }
    assert_eq!(cells[2][1..4], [text("1234567890123456789.25"), text("9007199254740993"), Data::Empty], "digits stay exact");
    assert_eq!(self::cells(&mut book, "알림"), [[text("시간대가 있는 시각은 UTC로 적었습니다.")]]);
}

#[test]
fn the_header_is_bold_frozen_and_filtered_and_columns_are_as_wide_as_their_texts() {
    let columns = vec![column("n", ColumnKind::Integer), column("이름", ColumnKind::Text), column("long", ColumnKind::Text)];
    let file = written(columns, &[json!([1, "가나다라마바사아자차", "x".repeat(500)])], &about(1));
    let sheet = part(&file, "xl/worksheets/sheet1.xml");
    assert!(sheet.contains(r#"<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>"#), "{sheet}");
    assert!(sheet.contains(r#"<autoFilter ref="A1:C2"/>"#), "{sheet}");
    let widths: Vec<f64> = sheet.split(r#" width=""#).skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
    assert!(
        matches!(widths[..], [narrow, korean, long] if narrow < 9.0 && (20.0..25.0).contains(&korean) && (59.0..62.0).contains(&long)),
        "{widths:?}"
    );
    assert!(part(&file, "xl/styles.xml").contains("<b/>"));
    assert!(!part(&file, "xl/workbook.xml").contains("sheetId=\"2\""), "nothing to be said, no further sheet");
}

#[test]
fn the_picture_lies_on_the_second_sheet() {
    let bars = [("서울".to_owned(), Some(3.0)), ("부산".to_owned(), Some(2.0))];
    let chart = Chart::bars("도시별", Language::Korean, "도시", "매출", Unit::Won, bars);
    let about = About { picture: Some(chart.png().expect("a picture")), ..about(1) };
    let mut book = read(written(vec![column("n", ColumnKind::Integer)], &[json!([1])], &about));
    assert_eq!(book.sheet_names(), ["결과", "차트"]);
    assert_eq!(cells(&mut book, "차트")[0][0], text("도시별 매출은?"));
    let file = written(vec![column("n", ColumnKind::Integer)], &[], &about);
    let mut archive = zip::ZipArchive::new(file).expect("a zip file");
    assert_eq!(
        archive.by_name("xl/media/image1.png").expect("the picture").size(),
        about.picture.map_or(0, |picture| picture.len() as u64)
    );
}

#[test]
fn what_is_missing_is_said() {
    let about = About { truncated: true, language: Language::English, ..about(10) };
    let long = "가".repeat(40_000);
    let mut book = read(written(vec![column("bad\u{1}name", ColumnKind::Text)], &[json!([long]), json!(["a\u{0}b"])], &about));
    let rows = cells(&mut book, "result");
    assert_eq!((&rows[0][0], &rows[2][0]), (&text("bad\u{FFFD}name"), &text("a\u{FFFD}b")));
    let Data::String(cut) = &rows[1][0] else { panic!("no text") };
    assert!(cut.chars().count() == MAX_CELL_UNITS && cut.ends_with('…'));
    let notes: Vec<String> = cells(&mut book, "notes").into_iter().flatten().map(|cell| cell.to_string()).collect();
    assert_eq!(
        notes,
        [
            "This result was cut off at a limit: it has 10 rows, the data may have more.",
            "1 texts longer than a cell's 32,767 characters were cut.",
            "In 2 texts characters that xlsx cannot hold were replaced by �.",
        ]
    );
}

#[test]
fn a_full_sheet_takes_no_more_rows_and_says_so() {
    let mut book = ResultBook::new(vec![column("n", ColumnKind::Integer)], Language::English).expect("a workbook");
    let row = [json!(1)];
    let mut taken = 1_u64;
    while book.push(&row).expect("is written") {
        taken += 1;
    }
    assert_eq!(taken, u64::from(MAX_SHEET_ROWS) - 1);
    assert!(!book.push(&row).expect("is no error"));
    let notes = book.notes(&About { language: Language::English, ..about(2_000_000) });
    assert_eq!(notes, ["A sheet holds 1,048,576 rows: 1048575 of 2000000 were written. CSV has all of them."]);
}

#[test]
fn the_same_result_gives_the_same_file() {
    use std::io::Read;
    let bytes = || {
        let mut bytes = Vec::new();
        written(vec![column("n", ColumnKind::Integer)], &[json!([1])], &about(1)).read_to_end(&mut bytes).expect("is read");
        bytes
    };
    assert_eq!(bytes(), bytes());
}

fn analysis() -> Analysis {
    let figures = AnalysedColumn {
        name: "매출".to_owned(),
        column: "B".to_owned(),
        kind: SheetColumnType::Integer,
        nulls: 1,
        errors: 2,
        distinct: 3,
        min: Some(json!(10)),
        max: Some(json!(900)),
        mean: Some(100.5),
        sum: Some(402.0),
        std_dev: None,
        quantiles: Some(Quantiles { p05: 1.0, p25: 2.0, p50: 3.0, p75: 4.0, p95: 5.0 }),
        top_values: vec![TopValue { value: json!(10), count: 2 }, TopValue { value: json!("=x"), count: 1 }],
        histogram: Vec::new(),
        outliers: Some(Outliers { count: 1, low: -5.0, high: 50.0, examples: vec![Outlier { value: 900.0, cell: "B9".to_owned() }] }),
        mixture: Vec::new(),
    };
    let day =
        AnalysedColumn { kind: SheetColumnType::Date, min: Some(json!("2024-03-05")), outliers: None, quantiles: None, ..figures.clone() };
    let assumption =
        Assumption { kind: "title_row".to_owned(), text: "첫 줄은 제목입니다.".to_owned(), range: Some("A1:C1".to_owned()) };
    let table = AnalysedTable {
        name: "sales".to_owned(),
        sheet: "=매출".to_owned(),
        range: "A2:C9".to_owned(),
        rows: 7,
        assumptions: vec![assumption],
        columns: vec![figures, day],
        ..AnalysedTable::default()
    };
    let chart = Chart::histogram("매출 분포", Language::Korean, "매출", Unit::Won, bins(&[1.0, 2.0, 3.0]));
    let relation = Relation {
        kind: "primary_key".to_owned(),
        table: "sales".to_owned(),
        column: "매출".to_owned(),
        other_table: None,
        other_column: None,
        strength: None,
        rows: 7,
    };
    Analysis {
        tables: vec![table],
        relations: vec![relation],
        charts: vec![AnalysisChart { table: 0, chart }],
        summary: "표 하나가 있습니다.".to_owned(),
        notes: vec!["인코딩은 CP949입니다.".to_owned()],
        ..Analysis::default()
    }
}

#[test]
fn an_analysis_is_a_workbook_of_figures_pictures_and_assumptions() {
    let file = analysis_xlsx(&analysis(), Language::Korean).expect("a file");
    let mut archive = zip::ZipArchive::new(file.try_clone().expect("a handle")).expect("a zip file");
    assert!(archive.by_name("xl/media/image1.png").is_ok());
    let mut book = read(file);
    assert_eq!(book.sheet_names(), ["요약", "열 통계", "차트", "가정", "관계"]);
    let figures = cells(&mut book, "열 통계");
    assert_eq!(figures[0][..3], [text("표"), text("시트"), text("범위")]);
    assert_eq!(figures[1][..6], [text("sales"), text("=매출"), text("A2:C9"), Data::Float(7.0), text("B"), text("매출")]);
    assert_eq!(figures[1][10..14], [Data::Float(10.0), Data::Float(900.0), Data::Float(100.5), Data::Float(402.0)]);
    assert_eq!(figures[1][20..25], [Data::Float(1.0), Data::Float(-5.0), Data::Float(50.0), text("B9"), text("10 (2), =x (1)")]);
    assert!(matches!(figures[2][10], Data::DateTime(_)), "{:?}", figures[2]);
    assert_eq!(figures[2][15], Data::Empty);
    let assumed = cells(&mut book, "가정");
    assert_eq!(assumed[1][4], text("인코딩은 CP949입니다."));
    assert_eq!(assumed[2], [text("sales"), text("=매출"), text("A1:C1"), text("title_row"), text("첫 줄은 제목입니다.")]);
    assert_eq!(cells(&mut book, "요약"), [[text("표 하나가 있습니다.")]]);
    assert_eq!(cells(&mut book, "차트")[0][0], text("sales · 매출 분포"));
    assert_eq!(cells(&mut book, "관계")[1][..3], [text("primary_key"), text("sales"), text("매출")]);
}

#[test]
fn an_analysis_of_nothing_is_a_workbook_too() {
    let mut book = read(analysis_xlsx(&Analysis::default(), Language::English).expect("a file"));
    assert_eq!(book.sheet_names(), ["columns", "assumptions"]);
    assert_eq!(cells(&mut book, "columns").len(), 1);
}

#[test]
fn an_analysis_as_csv_has_a_line_a_column() {
    let text = analysis_csv(&analysis(), Language::English);
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("table,sheet,range,rows,column,name,type,") && lines.len() == 3, "{text}");
    assert_eq!(lines[1], "sales,'=매출,A2:C9,7,B,매출,integer,1,2,3,10,900,100.5,402,,1,2,3,4,5,1,-5,50,B9,\"10 (2), =x (1)\"");
}
